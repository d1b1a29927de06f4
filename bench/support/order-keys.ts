/** Keys of every mode, and the names under which replicas of `order-outage.bench.ts` meet. */
import { counter, register } from '../../crdt/index.ts'

export const ORDER_KEYS = {
  'own:*': { strategy: register<string>(), mode: 'local', retain: 'latest' },
  'free:*': { strategy: register<string>(), retain: 'latest' },
  'count:*': { strategy: counter(), mode: 'strong', retain: 'latest' },
} as const

export const ORDER_NAMES = { stream: 'bench-outage', subject: 'bench-outage' } as const
