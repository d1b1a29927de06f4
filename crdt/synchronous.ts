/** Functions of users that have to be done when they return. */
import { shownKind } from './shown-kind.ts'
import { WarpError } from './warp-error.ts'

/**
 * Throws `WARP_E_MODE` for what an async function returns. How that ends later, with whatever error,
 * is nobody's: the call has failed already. `what` takes the function.
 */
export function assertSynchronous(returned: unknown, what: string): void {
  if (!isThenable(returned)) return
  ignoreOutcome(returned)
  throw new WarpError(
    'WARP_E_MODE',
    `${what} takes a function that is done when it returns; this one returned a promise: await before the call`,
  )
}

/** Lets a promise reject without anybody hearing of it. */
export function ignoreOutcome(promise: PromiseLike<unknown>): void {
  Promise.resolve(promise).catch(() => undefined)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** Throws `WARP_E_CONFIG` if what `change()` was given is no function. */
export function assertFunction(run: unknown): void {
  if (typeof run === 'function') return
  throw new WarpError('WARP_E_CONFIG', `change() takes a function that changes the document, not ${shownKind(run)}`)
}
