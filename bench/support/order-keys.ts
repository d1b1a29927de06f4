/** Keys of every mode, and the names under which replicas of `order-outage.bench.ts` meet. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Warp } from '../../adapters/node/index.ts'
import { counter, register } from '../../crdt/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'

export const ORDER_KEYS = {
  'own:*': { strategy: register<string>(), mode: 'local', retain: 'latest' },
  'free:*': { strategy: register<string>(), retain: 'latest' },
  'count:*': { strategy: counter(), mode: 'strong', retain: 'latest' },
} as const

export const ORDER_NAMES = { stream: 'bench-outage', subject: 'bench-outage' } as const

/** The strong counter. A log that has come back is reached again a moment later: until then it refuses reads. */
export async function countOnceUp(warp: Warp<typeof ORDER_KEYS>): Promise<number | undefined> {
  for (;;)
    try {
      return await warp.get('count:1')
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_TRANSPORT')) throw error
      await pause(50)
    }
}
