/** Who this replica is, as far as the parts that change the log need to know and to say. */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Position } from '../operation/position.ts'
import type { VectorEntries } from '../operation/vector-entries.ts'

export interface ReplicaIdentity {
  /** As whom this replica writes. */
  readonly replica: ReplicaId
  /** Where the newest meta record lies; older ones are garbage. */
  readonly metaPosition: Position
  /** Appends a meta record. It carries the floor, the retired ids, and how far a taking over has come. */
  writeMeta(): void
  /** Writes under a new replica id from now on; the old one stays for ever what it was. */
  takeNewIdentity(): void
  /** Ids have come to an end: operations of theirs beyond it are void. */
  retire(ends: VectorEntries): void
}
