/**
 * What a watch tells: changes of values, values that have expired, and gaps. The kinds are a union that may grow; a consumer
 * skips a kind that it does not know.
 */
import { optionNames } from '../../crdt/checked-options.ts'
import type { OperationRecord } from '../store/kept-operation.ts'

/**
 * A place in this replica's stream of operations, as text to be stored. Opaque; another replica, or
 * this one with a new log, answers it with a gap.
 */
export type Cursor = string

/**
 * A value has changed. `console.log` and `JSON.stringify` show all fields; a spread copies `kind`,
 * `key` and `version` alone, since the others are worked out when they are asked for.
 */
export interface ValueChange<Value = unknown> {
  readonly kind: 'value'
  readonly key: string
  /**
   * The value now, which later operations may have shaped as well; `undefined` if the key is gone.
   */
  readonly value: Value | undefined
  readonly operation: OperationRecord
  /** The key's version once `operation` had been taken in. */
  readonly version: number
  readonly cursor: Cursor
}

/**
 * The life of a key is over that had a value (`ttlMs`, of the pattern or of the write). Told once for
 * each life, on each replica when its own clock says so, in the order in which lives end; and, if
 * the last operation of a life arrives when that is over, behind its change. A watch that resumes is
 * told what expired meanwhile, unless the key has been written since: then that is told.
 */
export interface ExpiredChange {
  readonly kind: 'expired'
  readonly key: string
  readonly value: undefined
  /** The key's version when its life ended. */
  readonly version: number
  /** When it ended, ms since 1970. */
  readonly expiredAtMs: number
  readonly cursor: Cursor
}

/**
 * The consumer fell behind, or resumes from before what retention kept: read afresh what matters.
 */
export interface WatchGap {
  readonly kind: 'gap'
  /** How many operations it will not see; `undefined` if that is not known. */
  readonly missedCount: number | undefined
  readonly cursor: Cursor
}

export type Change<Value = unknown> = ValueChange<Value> | ExpiredChange | WatchGap

/**
 * All that has changed since the batch before, as of one moment: `value` of each change is what the key
 * had then. No transaction is in it by half, nor what `setMany` writes.
 */
export interface WatchBatch<Value = unknown> {
  /**
   * The last change of each key, in their order; or one gap and nothing else: then read afresh what
   * matters, and go on.
   */
  readonly changes: readonly Change<Value>[]
  /** Behind all of them. */
  readonly cursor: Cursor
}

export interface WatchOptions {
  /**
   * Continues behind this cursor of an earlier change, or behind this version of the one key
   * watched, reading the log first.
   * Default: from now on.
   */
  readonly from?: Cursor | { readonly version: number }
  /**
   * Changes held for a slow consumer before it is told of a gap, and keys in one batch. Default 1,024.
   */
  readonly pendingCountMax?: number
  /** Ends the watch: the iteration finishes without an error. */
  readonly signal?: AbortSignal
}

/**
 * A running watch. Leaving a `for await` loop closes it. One consumer. If the log cannot be read
 * (`WARP_E_LOG_CORRUPT`, `WARP_E_STORAGE`) it throws that and ends; another one goes on from the
 * last cursor.
 */
export interface Watch<Value = unknown> extends AsyncIterable<Change<Value>> {
  /**
   * Behind all that its consumer has been shown and all that was none of its keys', or where it
   * began: a consumer that is cut off, before the first change too, resumes from here.
   */
  readonly cursor: Cursor
  /**
   * The changes in batches, instead of one by one: for whoever keeps something that depends on several
   * keys.
   *
   *     for await (const { changes } of warp.watch('account:*').batches())
   *       for (const change of changes) if (change.kind === 'value') balances.set(change.key, change.value)
   */
  batches(): AsyncIterable<WatchBatch<Value>>
  /** Ends the iteration. Idempotent. */
  close(): void
}

export const WATCH_OPTIONS: readonly string[] = optionNames<WatchOptions>({
  from: true,
  pendingCountMax: true,
  signal: true,
})

/** How far the consumer of a watch is behind the log. */
export interface WatchLag {
  /** The key or pattern watched. */
  readonly keys: string
  /**
   * Operations, of all keys, that it has not been asked past; absent while it reads the log to
   * catch up.
   */
  readonly behindCount?: number
  /** Bytes of the log that it has not been asked past. */
  readonly behindBytes: number
  /** With more operations than this pending, its consumer is told of a gap. */
  readonly pendingCountMax: number
}
