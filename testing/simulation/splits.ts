/**
 * Groups of replicas that have both compacted what the other one has never seen, after a cut longer
 * than the horizon or where newcomers have met only each other: neither can take over the other's
 * state, the engine says so (`resync:failed`), and an operator has to decide. Until then they do
 * not agree, and a replica that goes from one to the other may bring its operations twice.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import type { RunHistory } from './report/run-history.ts'

export const SPLIT = 'two groups that both compacted what the other one has never seen'

/** Whether two replicas have found that out, at or after `sinceMs`. */
export function isSplit({ reports }: RunHistory, sinceMs = 0): boolean {
  return reports.some(({ atMs, event }) => {
    if (atMs < sinceMs || event.kind !== 'resync:failed') return false
    return event.error instanceof WarpError && event.error.details['bothCompacted'] === true
  })
}
