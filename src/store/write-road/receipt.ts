/**
 * What a write gives back, and what it may ask for. A write settles when the operation is as safe
 * as the caller asked:
 *
 * - `'memory'`: appended in this process; lost if the process dies.
 * - `'logged'`: handed to the operating system; survives the death of the process, perhaps not a
 *   power failure.
 * - `'durable'`: flushed to the disk; survives a power failure. Concurrent writers share one flush.
 */
import { optionNames } from '../../../crdt/checked-options.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { AckLevel, ReplicaAcks } from './acknowledgement.ts'

export type Ack = AckLevel

/** `'broker'`: an ordered log has the operation, and this replica holds it too, in memory at least. */
export type ReachedAck = Ack | 'broker'

/** Replicas that held an operation when its promise settled: at least so many. */
export type ReachedAcks = Required<Omit<ReplicaAcks, 'timeoutMs'>>

/** How safe an operation was when a promise settled. */
export interface Settlement {
  /** What was asked for of this replica's log, or more; `'broker'` of strong keys that asked for nothing. */
  readonly ack: ReachedAck
  /**
   * How many replicas held the operation by then, in how many zones: what `acks` asked for, with
   * its defaults. `level` is what all that counted had reached: `'memory'` where the log of one that
   * was needed is in memory. Absent if it asked for nothing, or if this replica has written nothing that could
   * be asked about.
   */
  readonly acks?: ReachedAcks
}

export interface Receipt extends Settlement {
  /**
   * Names the operation; `undefined` if nothing had to be written (removing what is not there,
   * say).
   */
  readonly dot: Dot | undefined
  /**
   * The key's version after this write: how many operations of this key this replica has taken in,
   * its own and foreign ones. Counts from 1, anew once a deleted key has been forgotten, and means
   * something on this replica only. `getAt({ version })` takes it.
   */
  readonly version: number
  /**
   * The operation is stamped so many milliseconds ahead of this replica's clock, which is more than
   * `clockDriftMsMax`: the clock has been set back. Other replicas take the operation in when their
   * clocks have come there, and a life counts from its stamp. Absent otherwise.
   */
  readonly aheadMs?: number
}

export interface WriteOptions {
  /**
   * How long what is written lives, ms, from 1 to `3_155_760_000_000` (100 years), rounded up to
   * whole ones; otherwise `WARP_E_LIMIT`. Instead of the pattern's `ttlMs`, for this write only: a
   * later write without it lives as the pattern says. It does not slide. Not for deletes
   * (`WARP_E_CONFIG`).
   */
  readonly ttlMs?: number
  /** Default: `WarpOptions.ack`. More than the log can give is refused with `WARP_E_CONFIG`. */
  readonly ack?: Ack
  /**
   * Other replicas that are to hold the operation before the promise settles. Refused with
   * `WARP_E_CONFIG` where there are no transports, with `WARP_E_MODE` on keys of mode `local`.
   * The waiting ends with `acks.timeoutMs` or a `signal`; an operation that is in the log stays
   * there.
   */
  readonly acks?: ReplicaAcks
  /**
   * The token of the lock under which this is written, of strong keys alone (else `WARP_E_MODE`): refused
   * with `WARP_E_FENCED` if a write with a greater token has been there before. Judged at its place in the
   * ordered log, on every replica alike. A write without a fence is not looked at.
   */
  readonly fence?: number
  /**
   * Gives up waiting with `WARP_E_ABORTED`. Aborted before the call, nothing is written
   * (`outcome: 'failed'`); later, the operation is in the log and only the waiting ends
   * (`outcome: 'indeterminate'`).
   */
  readonly signal?: AbortSignal
}

/** What `settled` may be asked. */
export interface SettleOptions {
  /** As in `WriteOptions`. */
  readonly ack?: Ack
  readonly acks?: ReplicaAcks
  /**
   * Ends the waiting with `WARP_E_ABORTED` (`outcome: 'indeterminate'`): the operation is in the
   * log.
   */
  readonly signal?: AbortSignal
}

/** Of calls that wait, and can be given up. */
export interface WaitOptions {
  /** Gives up waiting with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

export interface ReadOptions extends WaitOptions {
  /**
   * Of strong keys: `'linearizable'` (their default) shows everything that anybody had been told before
   * the call; it asks the ordered log, once for all reads that wait. `'stale'` shows what this replica
   * has, without waiting. On other keys `'linearizable'` is refused (`WARP_E_LINEARIZABLE_UNSUPPORTED`).
   * `'session'`, of all keys: at least what the session of `token` has seen, as `warp.session(token).get`.
   */
  readonly consistency?: 'linearizable' | 'stale' | 'session'
  /** What a session has seen: `session.token`, from whichever replica. With `consistency: 'session'`. */
  readonly token?: string
}

/** What `keys` lists. */
export interface KeysOptions {
  /**
   * Lists keys without a value too, deleted or expired ones that are not yet forgotten. Default
   * `false`.
   */
  readonly dead?: boolean
  /** Ends the listing with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

export const WRITE_OPTIONS: readonly string[] = optionNames<WriteOptions>({
  ...{ ttlMs: true, ack: true, acks: true, fence: true, signal: true },
})
export const READ_OPTIONS: readonly string[] = optionNames<ReadOptions>({
  ...{ consistency: true, signal: true, token: true },
})
export const WAIT_OPTIONS: readonly string[] = optionNames<WaitOptions>({ signal: true })
export const KEYS_OPTIONS: readonly string[] = optionNames<KeysOptions>({ dead: true, signal: true })
export const SETTLE_OPTIONS: readonly string[] = optionNames<SettleOptions>({ ack: true, acks: true, signal: true })
export const ACKS_OPTIONS: readonly string[] = optionNames<ReplicaAcks>({
  ...{ replicas: true, zones: true, level: true, countSelf: true, timeoutMs: true },
})
