/**
 * What may be asked of the past, and the answers: the audit trail (`log`), a moment (`getAt`), the
 * reasons (`explain`).
 */
import { optionNames } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { OperationRecord } from '../store/kept-operation.ts'

export interface LogOptions {
  /** Leaves out versions before this one. Default 1. */
  readonly fromVersion?: number
  /** Newest first, the order in which the log reads fastest. Default `false`. */
  readonly newestFirst?: boolean
  /** Ends the iteration with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/**
 * A moment in the life of a key. `timeMs`: all operations stamped up to the end of that
 * millisecond, the same on every replica that has them. `version`: the first so many that this
 * replica took in, as receipts and records count.
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

export const LOG_OPTIONS: readonly string[] = optionNames<LogOptions>({
  fromVersion: true,
  newestFirst: true,
  signal: true,
})
