/**
 * What people see of operations: the audit trail (`log`), the past (`getAt`), the reasons (`explain`) and the stream
 * (`watch`). Records are plain, immutable and may be kept; the payload is decoded when it is first asked for.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
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
  /** What its writer had seen of this key: a version vector's entries, without the writer's own. */
  readonly context: readonly (readonly [replica: ReplicaId, sequence: number])[]
}

export interface LogOptions {
  /** Leaves out versions before this one. Default 1. */
  readonly fromVersion?: number
  /** Newest first, the order in which the log reads fastest. Default `false`. */
  readonly newestFirst?: boolean
  /** Ends the iteration with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/**
 * A moment in the life of a key. `timeMs`: all operations stamped up to the end of that millisecond, the same on every
 * replica that has them. `version`: the first so many that this replica took in, as receipts and records count.
 */
export type At = { readonly timeMs: number } | { readonly version: number }

/**
 * What a strategy made of an operation:
 *
 * - `'merged'`: it is part of the value, beside others.
 * - `'won'`: it alone is the value.
 * - `'superseded'`: an operation later in canonical order took its place.
 * - `'cancelled'`: a delete or removal that had seen it took it away.
 * - `'expired'`: its time to live had passed when the next operation was written.
 * - `'rejected'`: the strategy threw; skipped on every replica alike.
 * - `'compacted'`: it is still in the log, but a snapshot already contains it.
 */
export type Effect = 'merged' | 'won' | 'superseded' | 'cancelled' | 'expired' | 'rejected' | 'compacted'

export interface ExplainedOperation {
  readonly operation: OperationRecord
  readonly effect: Effect
  /** The operations listed here that neither happened before this one nor after it. */
  readonly concurrentWith: readonly Dot[]
}

/** Why a key has its value. Operations are in canonical order, oldest first. */
export interface Explanation<Value = unknown> {
  readonly key: string
  readonly value: Value | undefined
  /** The strategy's `kind`. */
  readonly strategy: string
  readonly operations: readonly ExplainedOperation[]
  /** What compaction folded into a snapshot and no longer lists; absent if nothing. */
  readonly compacted?: {
    /** How many operations. */
    readonly operationsCount: number
    /** The version that they made. */
    readonly version: number
    /** When the newest of them was written, milliseconds since 1970. */
    readonly timeMs: number
  }
}

/**
 * A place in this replica's stream of operations, as text to be stored. Opaque; another replica, or this one with a new
 * log, answers it with a gap.
 */
export type Cursor = string

export interface ValueChange<Value = unknown> {
  readonly kind: 'value'
  readonly key: string
  /** The value now, which later operations may have shaped as well; `undefined` if the key is gone. */
  readonly value: Value | undefined
  readonly operation: OperationRecord
  /** The key's version once `operation` had been taken in. */
  readonly version: number
  readonly cursor: Cursor
}

/** The consumer fell behind, or resumes from before what retention kept: read afresh what matters. */
export interface WatchGap {
  readonly kind: 'gap'
  /** How many operations it will not see; `undefined` if that is not known. */
  readonly missedCount: number | undefined
  readonly cursor: Cursor
}

export type Change<Value = unknown> = ValueChange<Value> | WatchGap

export interface WatchOptions {
  /**
   * Continues behind this cursor of an earlier change, or behind this version of the one key watched, reading the log first.
   * Default: from now on.
   */
  readonly from?: Cursor | { readonly version: number }
  /** Changes held for a slow consumer before it is told of a gap. Default 1,024. */
  readonly pendingCountMax?: number
  /** Ends the watch: the iteration finishes without an error. */
  readonly signal?: AbortSignal
}

/**
 * A running watch. Leaving a `for await` loop closes it. One consumer. If the log cannot be read (`WARP_E_LOG_CORRUPT`, `WARP_E_STORAGE`) it throws that and
 * ends; another one goes on from the last cursor.
 */
export interface Watch<Value = unknown> extends AsyncIterable<Change<Value>> {
  /** Ends the iteration. Idempotent. */
  close(): void
}
