/** Which calls succeed by a word of the ordered log alone. */
import { isStrong } from '../../simulation/order/order-keys.ts'
import type { CallRecord, Intent } from '../../simulation/report/run-history.ts'

/** What needs no word of the log, or may be known from before. */
const ALONE: ReadonlySet<Intent['kind']> = new Set<Intent['kind']>([
  ...(['stale', 'locks', 'resolve', 'elect', 'compact', 'watch', 'log', 'getAt'] as const),
])

export function needsLog({ intent, receipt }: CallRecord): boolean {
  if (ALONE.has(intent.kind)) return false
  switch (intent.kind) {
    case 'balances':
      return intent.how !== 'stale'
    case 'write':
    case 'delete':
      return receipt?.ack === 'broker'
    case 'read':
      return isStrong(intent.key)
    case 'session':
      return intent.value !== undefined && isStrong(intent.key)
    default:
      return true
  }
}
