/**
 * The one error type of Warp. Callers compare `code`, never the message.
 *
 * It lives in the innermost ring because every ring refuses bad input with it.
 */

/**
 * Every way in which Warp refuses or fails. A closed set: callers may switch over it exhaustively.
 */
export type WarpErrorCode =
  | 'WARP_E_ABORTED' // the caller's AbortSignal fired
  | 'WARP_E_AUTH' // no key, a bad key, or another key than the cluster's
  | 'WARP_E_BOUND' // a bounded counter would pass its bound, or the rights are held elsewhere
  | 'WARP_E_BROKER_UNFIT' // a broker's version or settings cannot keep the promise; the message says which
  | 'WARP_E_CAS_CONFLICT' // the key's version or value was not the expected one where the write was judged
  | 'WARP_E_CLOCK_DRIFT' // an operation is stamped further ahead than the clock drift allowed
  | 'WARP_E_CLOSED' // the engine, log or subscription has been closed
  | 'WARP_E_CONFIG' // options that contradict each other or are out of range
  | 'WARP_E_FENCED' // a holder with a greater token has written since
  | 'WARP_E_HISTORY' // the asked-for moment lies outside what retention kept
  | 'WARP_E_IDENTITY_CLONED' // this replica's identity is in use elsewhere
  | 'WARP_E_INDETERMINATE' // the operation may have happened or may happen still; `warp.resolve(error)` says
  | 'WARP_E_LAW' // a strategy breaks a law (warp-engine/testing); the message is a counterexample
  | 'WARP_E_LEASE' // a lease has ended, is not known here, or is renewed by another replica than its owner
  | 'WARP_E_LIMIT' // a named limit was exceeded
  | 'WARP_E_LINEARIZABLE_UNSUPPORTED' // strong mode on a transport without an ordered log
  | 'WARP_E_LOAD' // a loader threw; `cause` is what it threw
  | 'WARP_E_LOAD_TIMEOUT' // a load took longer than its hard timeout
  | 'WARP_E_LOCK' // the lock is not held (any more), or is not to be had in the time given
  | 'WARP_E_LOG_CORRUPT' // stored bytes are damaged before the tail
  | 'WARP_E_LOG_FOREIGN' // the folder or file is not a Warp log
  | 'WARP_E_LOG_LOCKED' // another process holds the folder
  | 'WARP_E_LOG_VERSION' // written by a newer version of the format
  | 'WARP_E_MERGE' // a merge function or a projection's apply threw, or returned what cannot be used
  | 'WARP_E_MODE' // the call is not offered in the key's mode or by its strategy
  | 'WARP_E_ORDER_BROKEN' // the ordered log has lost, changed or taken back records that were acknowledged
  | 'WARP_E_PATTERN' // a key pattern is malformed or ambiguous
  | 'WARP_E_PROTOCOL' // a frame or record is malformed
  | 'WARP_E_QUORUM' // not enough replicas held the operation in the time given
  | 'WARP_E_REJECTED' // a gateway has refused a guest's write; nothing of it is anywhere
  | 'WARP_E_RESYNC_REQUIRED' // too far behind for operations; a snapshot is needed
  | 'WARP_E_STORAGE' // an I/O error other than the ones below
  | 'WARP_E_STORAGE_FULL' // no space left for the operation; nothing was applied
  | 'WARP_E_STORAGE_POISONED' // a write or flush failed; read-only until reopened
  | 'WARP_E_STORE' // a primary store failed, or will never take a row; `details.failure` says which
  | 'WARP_E_STRATEGY' // the key was written by another strategy than the one that it is registered with
  | 'WARP_E_TOKEN_BEHIND' // this replica has not yet seen what the session has
  | 'WARP_E_TRANSPORT' // a network cannot be joined: the port is taken, the address is not ours, nobody answers
  | 'WARP_E_TXN_ABORTED' // a transaction read what has changed since, or expected something else; nothing was written
  | 'WARP_E_UNENCODABLE' // a value that cannot be carried
  | 'WARP_E_UNKNOWN_OP' // the key holds an operation that this version cannot fold
  | 'WARP_E_UNREGISTERED_KEY' // no key pattern matches
  | 'WARP_E_ZONES' // enough replicas held the operation in the time given, in too few zones

/** Structured facts beside the message. Never contains payload bytes or secrets. */
export type WarpErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>

/** What a caller may conclude about the operation: applied nowhere, or not known. */
export type WarpOutcome = 'failed' | 'indeterminate'

export interface WarpErrorOptions {
  readonly details?: WarpErrorDetails
  readonly cause?: unknown
  /** `'failed'` (the default): certainly not applied, retrying is safe. */
  readonly outcome?: WarpOutcome
}

/** The message names the thing, the value, the limit and the remedy. */
export class WarpError extends Error {
  override readonly name = 'WarpError'
  readonly code: WarpErrorCode
  readonly details: WarpErrorDetails
  readonly outcome: WarpOutcome

  constructor(code: WarpErrorCode, message: string, options: WarpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.outcome = options.outcome ?? 'failed'
  }
}

/**
 * Tells whether `error` is a WarpError, optionally of one code. Works across copies of the package.
 */
export function isWarpError(error: unknown, code?: WarpErrorCode): error is WarpError {
  return (
    error instanceof Error &&
    error.name === 'WarpError' &&
    'code' in error &&
    (code === undefined || error.code === code)
  )
}

/** Whatever was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
