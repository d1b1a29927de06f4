/** The other replica of `order-outage.bench.ts`, over NATS: hears what is written there. */
import { setTimeout as pause } from 'node:timers/promises'
import { natsOrderedLog, natsTransport } from '../adapters/nats/index.ts'
import { openWarp, type Warp } from '../adapters/node/index.ts'
import { serve } from '../test/support/child-program.ts'
import { ORDER_KEYS, ORDER_NAMES, countOnceUp } from './support/order-keys.ts'

let warp: Warp<typeof ORDER_KEYS>

const verbs = {
  async open({ servers }: { servers: string }): Promise<void> {
    const { stream, subject } = ORDER_NAMES
    warp = await openWarp({
      ...{ keys: ORDER_KEYS, order: natsOrderedLog({ servers, stream }) },
      transports: [natsTransport({ servers, subject })],
    })
  },

  /** Waits until a key has that value. */
  async sees({ key, value }: { key: `free:${number}`; value: string }): Promise<void> {
    while ((await warp.get(key)) !== value) await pause(5)
  },

  /** What the strong counter says. */
  count: (): Promise<number | undefined> => countOnceUp(warp),
}

/** What the bench may ask this program. */
export type OrderProgram = typeof verbs

serve(verbs)
