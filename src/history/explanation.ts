/**
 * What may be asked of the past, and the answers: the audit trail (`log`), a moment (`getAt`), the
 * reasons (`explain`).
 */
import { optionNames } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
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
 * - `'expired'`: its time to live had passed when the next operation was written, or has by now.
 * - `'rejected'`: the strategy threw; skipped on every replica alike.
 * - `'renewed'`: a touch: it began the life of the value anew, and changed nothing else.
 * - `'repeated'`: it was issued again (`origin` says as what it was issued first), and is here more
 *   than once: it counts as the first of them does.
 * - `'set-aside'`: it was written by another strategy than the one that the key belongs to.
 * - `'compacted'`: it is still in the log, but a snapshot already contains it.
 */
export type Effect =
  | 'merged'
  | 'won'
  | 'superseded'
  | 'cancelled'
  | 'expired'
  | 'rejected'
  | 'renewed'
  | 'repeated'
  | 'set-aside'
  | 'compacted'

/** The operations of one key that one replica wrote from one of its numbers through another. */
export interface DotRange {
  readonly replica: ReplicaId
  /** The sequence of the first. */
  readonly from: number
  /** The sequence of the last; `from` if it is one operation. */
  readonly through: number
}

export interface ExplainedOperation {
  readonly operation: OperationRecord
  readonly effect: Effect
  /**
   * The operations of the key in the log that neither happened before this one nor after it: a
   * range for each replica that has any.
   */
  readonly concurrentWith: readonly DotRange[]
}

/** So many operations are listed unless the caller says otherwise. */
export const EXPLAINED_DEFAULT = 1000

/** Which operations `explain` lists: by default the newest 1,000 in canonical order. */
export interface ExplainOptions {
  /**
   * Only operations before this one: the `earlier.before` of another explanation, or the first name
   * of an operation that was issued again.
   */
  readonly before?: Dot
  /** How many, the newest. Default 1000; `Infinity` for all. */
  readonly limit?: number
  /** Gives the reading up with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/**
 * Why a key has its value. Operations are in canonical order, oldest first; of a long log the
 * newest. The next page:
 *
 *     const page = await warp.explain('cart:7')
 *     if (page.earlier) await warp.explain('cart:7', { before: page.earlier.before })
 */
export interface Explanation<Value = unknown> {
  readonly key: string
  readonly value: Value | undefined
  /** The strategy's `kind`. */
  readonly strategy: string
  readonly operations: readonly ExplainedOperation[]
  /** Operations before those that are listed here; absent if there are none. */
  readonly earlier?: {
    readonly operationsCount: number
    /** Give this to `explain` to list them. */
    readonly before: Dot
  }
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

export const EXPLAIN_OPTIONS: readonly string[] = optionNames<ExplainOptions>({
  before: true,
  limit: true,
  signal: true,
})

export const LOG_OPTIONS: readonly string[] = optionNames<LogOptions>({
  fromVersion: true,
  newestFirst: true,
  signal: true,
})
