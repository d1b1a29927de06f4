/** How requests to a store fail, and how callers tell the ways apart. */
import { asError, isWarpError, WarpError, type WarpOutcome } from '../../../crdt/warp-error.ts'
import { whenAborted } from '../abort-signals.ts'

/**
 * - `transient`: no connection, a deadlock, an overload. Another try may succeed.
 * - `rejected`: the store will never take this row.
 * - `broken`: no retry mends it. The table is gone, the login may not write, a row is malformed.
 */
export type StoreFailure = 'transient' | 'rejected' | 'broken'

export interface FailedRequest {
  /** The store's name. */
  readonly store: string
  readonly failure: StoreFailure
  /** What happened, and what to do. */
  readonly message: string
  readonly cause?: unknown
  readonly key?: string | undefined
  readonly outcome?: WarpOutcome
  /** There is no connection, and none can be made now: another try at once is of no use. */
  readonly isAway?: boolean
}

export function storeError(request: FailedRequest): WarpError {
  const { store, failure, message, cause, key, outcome = 'failed', isAway = false } = request
  const details = { store, failure, key, ...(isAway ? { isAway } : {}) }
  return new WarpError('WARP_E_STORE', `${store}: ${message}`, { details, cause, outcome })
}

/** How a store says what has become of its requests. */
export interface StoreFailures {
  /** The store's name. */
  readonly store: string
  failureOf(cause: unknown): StoreFailure
  /** Whether nothing of a request that failed like this was done, though another try may succeed. */
  isUndone?(cause: unknown): boolean
  /** Whether there is no connection, and none can be made now. */
  isAway?(cause: unknown): boolean
}

/** The error of what a client library threw while `doing` something, of one row perhaps. */
export function requestError(failures: StoreFailures, doing: string, cause: unknown, key?: string): WarpError {
  const { store } = failures
  const failure = failures.failureOf(cause)
  const what = key === undefined ? doing : `${doing} the row of '${key}'`
  const message = `${what} failed: ${asError(cause).message}`
  // What a lost connection has done nobody knows.
  const isOpen = failure === 'transient' && failures.isUndone?.(cause) !== true
  const isAway = failures.isAway?.(cause) === true
  return storeError({ store, failure, message, cause, key, isAway, outcome: isOpen ? 'indeterminate' : 'failed' })
}

/** A request by a client library: ends when the signal fires, and fails with errors of Warp's own. */
export function runRequest<Answer>(
  failures: StoreFailures,
  doing: string,
  signal: AbortSignal,
  run: () => Promise<Answer>,
): Promise<Answer> {
  return untilAborted(failures.store, signal, async () => {
    try {
      return await run()
    } catch (cause) {
      throw isWarpError(cause) ? cause : requestError(failures, doing, cause)
    }
  })
}

/**
 * Runs a request until it ends or the signal fires. After that its answer is ignored, and so is its
 * failure: nobody waits for it any more.
 */
export function untilAborted<Answer>(
  store: string,
  signal: AbortSignal,
  start: () => Promise<Answer>,
): Promise<Answer> {
  if (signal.aborted) return Promise.reject(aborted(store, 'failed'))
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signal, () => reject(aborted(store, 'indeterminate')))
    start().then(
      (answer) => {
        stop()
        resolve(answer)
      },
      (failure: unknown) => {
        stop()
        reject(asError(failure))
      },
    )
  })
}

function aborted(store: string, outcome: WarpOutcome): WarpError {
  const state = outcome === 'failed' ? 'was not sent' : 'may be executed all the same'
  return new WarpError('WARP_E_ABORTED', `${store}: the request was aborted; it ${state}`, {
    details: { store },
    outcome,
  })
}
