/** A replica that hears others over NATS. Asked by tests. */
import { setTimeout as pause } from 'node:timers/promises'
import { natsTransport } from '../../../adapters/nats/index.ts'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { counter } from '../../../crdt/index.ts'
import { serve } from '../../support/child-program.ts'

const KEYS = { 'count:*': counter() } as const

interface Opening {
  readonly servers: string
  readonly subject: string
  readonly name: string
}

let warp: Warp<typeof KEYS>
const events: string[] = []

const verbs = {
  async open({ servers, subject, name }: Opening): Promise<void> {
    const transports = [natsTransport({ servers, subject, heartbeatMs: 200 })]
    warp = await openWarp({ keys: KEYS, transports, name, observe: ({ kind }) => void events.push(kind) })
  },

  async increment({ count }: { count: number }): Promise<void> {
    for (let i = 0; i < count; i++) await warp.key(`count:${i % 3}`).increment(1)
  },

  /** Waits until the counters come to so much together. */
  async reaches({ sum }: { sum: number }): Promise<void> {
    const now = async () =>
      (await Promise.all([0, 1, 2].map((i) => warp.get(`count:${i}`)))).reduce<number>((a, b) => a + (b ?? 0), 0)
    while ((await now()) !== sum) await pause(5)
  },

  /** Waits until so many others are there. */
  async sees({ count }: { count: number }): Promise<void> {
    while (warp.peers().filter(({ state }) => state === 'up').length !== count) await pause(5)
  },

  /** Waits until an event of this kind has come so often. */
  async hears({ kind, times = 1 }: { kind: string; times?: number }): Promise<void> {
    while (events.filter((one) => one === kind).length < times) await pause(5)
  },

  close: () => warp.close(),
}

/** What a test may ask this program. */
export type NatsReplicaProgram = typeof verbs

serve(verbs)
