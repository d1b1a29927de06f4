/** What an engine can say of who takes part. Each is an operation, and returns it. */
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'

export interface Departing {
  /** That this replica takes part no more: its last operation. */
  leave(): Dot
  /** That this replica closes in order and means to be back within `ms`. */
  away(ms: number): Dot
  /** That nobody is to wait for these any more. */
  evict(replicas: readonly ReplicaId[]): Dot
}
