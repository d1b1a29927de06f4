/**
 * What replication may know of the engine: operations by dot, one door for foreign ones, and
 * snapshots as opaque chunks. The decisions (duplicate, too early, drifting, cloned) are the
 * engine's; when to send what to whom is replication's.
 */
import type { Meter } from '../operation/budget.ts'
import type { Admission } from '../store/border.ts'
import type { SnapshotExport, SnapshotImport } from '../membership/snapshot-ports.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import type { Departures } from '../operation/departures.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import type { Away, RetiredIds } from '../operation/retired-ids.ts'

export interface ReplicationStore {
  /** This replica's own shared id. Changes when it takes a new identity; read it each time. */
  readonly replica: ReplicaId
  readonly table: ReplicaTable
  /**
   * All operations up to these have been applied here, also by snapshot. Live: do not change, copy
   * what you keep.
   */
  readonly applied: VersionVector
  /** How many operations under that id an ordered log has given to this replica. */
  orderedThrough?(replica: ReplicaId): number
  /** Told when an ordered log has given operations. */
  onOrdered?(listener: () => void): void
  /** Operations at or below may be gone, folded into snapshots. Live. */
  readonly floor: VersionVector
  /** Ids that have come to an end. Live. */
  readonly retired: RetiredIds
  /** Ids that have left and are named no more. Live. */
  readonly ended: EndedIds
  /** Tells when ids have been pruned: nobody is to name them from then on. */
  onPruned(listener: () => void): void
  /** Says that whoever has seen this has all of these, which have left. All of them is here. */
  endIds(ends: VectorEntries): void
  /** Who takes part no more, and who is away. Live. */
  readonly departures: Departures
  /**
   * What is here is a mixture that only a snapshot mends: nothing is admitted, nothing exported
   * until one has been taken in.
   */
  readonly needsSnapshot?: boolean
  /**
   * What this replica had applied when it wrote its first shared operation under its present id;
   * while it has written none, what it has applied. `undefined` if that operation has been
   * compacted, so that others must know it.
   */
  readonly firstSaw: VersionVector | undefined
  /** Whether another replica has ever been heard, in this life or an earlier one. */
  readonly hasMetOthers: boolean
  /**
   * Whether anything here is ever compacted. If not, nobody has to wait for what this replica calls
   * stable.
   */
  readonly compacts: boolean
  /** Whether anything outlives this process. */
  readonly persistent: boolean
  /**
   * Settles when everything that has been appended so far is held at that level. Rejects with what
   * has poisoned the log.
   */
  settled(level: 'logged' | 'durable'): Promise<void>
  /** Where the next record goes. */
  readonly end: Position
  /** Records before this one are safe enough to be sent (they outlive this process). */
  readonly sendable: Position
  /** Offers one envelope, `bytes[start, end)`. The bytes are copied if kept. */
  admit(bytes: Uint8Array, start: number, end: number): Admission
  /**
   * The same of all operations of a transaction, or all that are left of one, in the order of their
   * numbers: they become visible in one turn, or none does. Each is of a key.
   */
  admitAll(envelopes: readonly Uint8Array[]): Admission
  /**
   * Visits the shared operations (never those of `local` keys) in log order, from `from` up to
   * `sendable`, until `visit` returns `false` or the step is over (default: it never is). The reader is a flyweight: envelope bytes are
   * `reader.bytes[start, end)`. Returns where to continue.
   */
  scanOperations(from: Position, visit: (operation: OperationReader) => boolean, meter?: Meter): Position
  /**
   * A position at or shortly before the first record that holds an operation of `replica` beyond
   * `sequence`.
   */
  positionAfter(replica: ReplicaId, sequence: number): Position
  /**
   * A peer has applied this replica's own operations up to `sequence`, which this replica never
   * wrote or has lost: its identity is used elsewhere, or its log lost its tail. The store fences
   * itself and takes a new identity.
   */
  ownDotSeenElsewhere?(sequence: number): void
  /** Another replica has been heard: `hasMetOthers`, for good. */
  metOthers(): void
  /**
   * A peer says beyond what nothing of some ids counts. Nothing beyond it has been applied here. A
   * replica's own id is given up.
   */
  retire(ends: VectorEntries): void
  /**
   * Every replica but those `away` has applied these, and nothing concurrent with them is still to
   * come from any other: compaction may use it. The id of one that is away ends when something is
   * compacted that it had not acknowledged. Both are live.
   */
  stabilise(stable: VersionVector, away?: readonly Away[]): void
  /**
   * The whole state as chunks of at most about `chunkBytes`, opaque here; taken at the moment of
   * the call's `vector`.
   */
  exportSnapshot(chunkBytes: number): SnapshotExport
  /**
   * Starts replacing this replica's state by a peer's snapshot whose operations are `vector`. It is
   * refused in the end, with `details.bothCompacted`, if it lacks any of `mustHold`.
   */
  beginSnapshot(vector: VersionVector, mustHold?: VersionVector): SnapshotImport
}
