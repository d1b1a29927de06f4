/**
 * One operation as people see it: plain and immutable, may be kept; the payload is decoded when it is first asked for.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'

/** One operation of one key. */
export interface OperationRecord {
  readonly key: string
  readonly dot: Dot
  /** Milliseconds since 1970, by the clock of the replica that wrote it. */
  readonly timeMs: number
  /** The hybrid logical clock's stamp: with the dot, its place in canonical order. */
  readonly hlc: Hlc
  /** The key's version on this replica once this operation had been taken in. */
  readonly version: number
  /**
   * `'unknown'`: written by a later version of Warp; kept and forwarded, not understood. `'snapshot'`: stands for all the operations that
   * compaction folded away, in a rebuilt projection; its dot and time are those of the greatest of them.
   */
  readonly kind: 'update' | 'delete' | 'unknown' | 'snapshot'
  /** The `kind` of the strategy that wrote it, or `code n` if this replica has no such strategy. */
  readonly strategy: string
  /** Decoded at first access. `undefined` unless `kind` is `'update'`. Throws `WARP_E_PROTOCOL`. */
  readonly payload: Encodable | undefined
  /** How long what it writes lives, ms, counted from `timeMs`; absent if the key's pattern says that. */
  readonly lifeMs?: number
  /** What its writer had seen of this key: a version vector's entries, without the writer's own. */
  readonly context: readonly (readonly [replica: ReplicaId, sequence: number])[]
}
