/**
 * Ports for processes that have to know each other's before they start. The system gives each of them for a moment, and it is let go for the
 * process that will use it; that somebody else takes it in between is possible and then said by the mesh.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const LOOPBACK = '127.0.0.1'
const ATTEMPTS_MAX = 16

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
    const datagrams = createSocket('udp4').bind(0, LOOPBACK)
    await once(datagrams, 'listening')
    const { port } = datagrams.address()
    const streams = createServer().listen(port, LOOPBACK)
    const letGo = (): void => {
      datagrams.close()
      streams.close()
    }
    try {
      await once(streams, 'listening')
      return { port, letGo }
    } catch (error) {
      // That port is taken for TCP.
      letGo()
      if (attempt === ATTEMPTS_MAX) throw error
    }
  }
}
