/**
 * Ports for processes that have to know each other's before they start, and may be started again.
 * They lie below those that systems give out by themselves (Linux from 32,768, others from 49,152),
 * so that no passing connection takes one meanwhile; each process of this machine looks in a place
 * of its own.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const LOOPBACK = '127.0.0.1'
const PORT_MIN = 10_240
const PORTS_COUNT = 22_000
/** From the place of one process to that of the next. */
const STRIDE = 61

let drawnCount = 0

interface Taken {
  readonly port: number
  readonly letGo: () => void
}

/** Different ones, each free for UDP and for TCP on 127.0.0.1. */
export async function freePorts(count: number): Promise<number[]> {
  const taken: Taken[] = []
  try {
    while (taken.length < count) taken.push(await takePort())
    return taken.map(({ port }) => port)
  } finally {
    for (const { letGo } of taken) letGo()
  }
}

async function takePort(): Promise<Taken> {
  for (let attempt = 1; ; attempt++) {
    const port = PORT_MIN + ((process.pid * STRIDE + drawnCount++) % PORTS_COUNT)
    const datagrams = createSocket('udp4').bind(port, LOOPBACK)
    const streams = createServer().listen(port, LOOPBACK)
    const letGo = (): void => {
      datagrams.close()
      streams.close()
    }
    try {
      await Promise.all([once(datagrams, 'listening'), once(streams, 'listening')])
      return { port, letGo }
    } catch (error) {
      letGo()
      if (attempt === PORTS_COUNT) throw error
    }
  }
}
