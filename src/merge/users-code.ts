/**
 * Where users' code runs inside a fold: a merge function, a strategy of their own. Such code may
 * read this engine, for a log line say, and then one fold happens inside another. What the outer
 * fold reads with is not used again before it goes on: the inner one gets a folder of its own
 * (`folding/folders.ts`), chosen by the depth that is counted here.
 *
 * One number for all engines of a process, because there is one call stack.
 */
import { WarpError } from '../../crdt/warp-error.ts'

let depth = 0

/** How many calls of users' code inside folds are under way. */
export function usersCodeDepth(): number {
  return depth
}

/** To be followed by `leaveUsersCode`, whatever the call throws. */
export function enterUsersCode(): void {
  depth++
}

export function leaveUsersCode(): void {
  depth--
}

/** Throws `WARP_E_MODE`: what a fold comes to must not depend on what it calls. */
export function assertOutsideFold(call: string): void {
  if (depth > 0) throw insideFold(`${call} was asked for`)
}

/** The key whose fold is under way has no value yet. */
export function readInsideItsFold(key: string): WarpError {
  return insideFold(`'${key}' was read by the merge function that makes its value`)
}

function insideFold(what: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `${what} while a key is folded; a merge function depends on nothing but its arguments`,
  )
}
