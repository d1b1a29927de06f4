/** The operation that is being applied, as the parts of a state see it. */
import type { Stamp } from '../time/hlc.ts'
import type { ReplicaId } from '../time/replica-id.ts'

export interface Seen {
  /** The operation's own. One object for all that it puts in. */
  readonly stamp: Stamp
  /** Whether its writer had seen that operation. */
  readonly observed: (replica: ReplicaId, sequence: number) => boolean
}

/** Whether the operation takes away what the other one put in: it had seen it, or is it. */
export function isPast(seen: Seen, { replica, sequence }: Pick<Stamp, 'replica' | 'sequence'>): boolean {
  const { stamp } = seen
  return (stamp.sequence === sequence && stamp.replica === replica) || seen.observed(replica, sequence)
}
