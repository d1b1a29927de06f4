/**
 * What a write gives back, and what it may ask for. A write settles when the operation is as safe as the caller asked:
 *
 * - `'memory'`: appended in this process; lost if the process dies.
 * - `'logged'`: handed to the operating system; survives the death of the process, perhaps not a power failure.
 * - `'durable'`: flushed to the disk; survives a power failure. Concurrent writers share one flush.
 */
import { optionNames } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'

export type Ack = 'memory' | 'logged' | 'durable'

export interface Receipt {
  /** Names the operation; `undefined` if nothing had to be written (removing what is not there, say). */
  readonly dot: Dot | undefined
  /**
   * The key's version after this write: how many operations of this key this replica has taken in, its own and foreign
   * ones. Counts from 1, anew once a deleted key has been forgotten, and means something on this replica only. `getAt({ version })` takes it.
   */
  readonly version: number
  /** How safe the operation was when the promise settled: what was asked for, or more. */
  readonly ack: Ack
}

export interface WriteOptions {
  /** Default: `WarpOptions.ack`. More than the log can give is refused with `WARP_E_CONFIG`. */
  readonly ack?: Ack
  /**
   * Gives up waiting with `WARP_E_ABORTED`. Aborted before the call, nothing is written (`outcome: 'failed'`); later, the
   * operation is in the log and only the waiting ends (`outcome: 'indeterminate'`).
   */
  readonly signal?: AbortSignal
}

export interface ReadOptions {
  /** Gives up waiting with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/** What `keys` lists. */
export interface KeysOptions {
  /** Lists keys without a value too, deleted or expired ones that are not yet forgotten. Default `false`. */
  readonly dead?: boolean
  /** Ends the listing with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

export const WRITE_OPTIONS: readonly string[] = optionNames<WriteOptions>({ ack: true, signal: true })
export const READ_OPTIONS: readonly string[] = optionNames<ReadOptions>({ signal: true })
export const KEYS_OPTIONS: readonly string[] = optionNames<KeysOptions>({ dead: true, signal: true })
