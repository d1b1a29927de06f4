/** A replica that reads through, over a mesh on the real network. Asked by tests; see `ReaderProgram`. */
import { setTimeout as pause } from 'node:timers/promises'
import { meshTransport } from '../../adapters/mesh/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'
import { serve } from '../support/child-program.ts'

interface Opening {
  readonly port: number
  readonly peers: readonly string[]
  readonly loadMs: number
  readonly clusterWaitMs: number
}

let warp: Awaited<ReturnType<typeof openOn>>
let loadsCount = 0
let reads: Promise<unknown[]>

function openOn({ port, peers, loadMs, clusterWaitMs }: Opening) {
  const load = async (key: string): Promise<string> => {
    loadsCount++
    await pause(loadMs)
    return `value of ${key}`
  }
  return openWarp({
    keys: { 'page:*': { strategy: register<string>(), load, loads: 'cluster', clusterWaitMs } },
    transports: [meshTransport({ host: '127.0.0.1', port, peers, insecure: true, multicast: false })],
  })
}

const verbs = {
  async open(opening: Opening): Promise<void> {
    warp = await openOn(opening)
  },

  replica: (): string => warp.replica,

  /** Waits until it sees so many others, and says who it is to them. */
  async meets({ count }: { count: number }): Promise<void> {
    while (warp.peers().filter(({ state, replica }) => state === 'up' && replica !== undefined).length < count)
      await pause(5)
  },

  /** So many callers begin to read a key. */
  read({ key, callers }: { key: `page:${string}`; callers: number }): void {
    reads = Promise.all(Array.from({ length: callers }, () => warp.get(key)))
    reads.catch(() => undefined)
  },

  /** The different values that they got. */
  got: async (): Promise<unknown[]> => [...new Set(await reads)],

  loadsCount: (): number => loadsCount,

  async loads(): Promise<void> {
    while (loadsCount === 0) await pause(2)
  },

  close: () => warp.close(),
}

/** What a test may ask this program. */
export type ReaderProgram = typeof verbs

serve(verbs)
