/**
 * One lock: who holds it, and who waits, in the order in which they came. What becomes of it follows
 * from its commands and the time of the log alone.
 *
 * A request is named by its author and a number that the author gives. It asks for the lock alone
 * (`permits` 1), as one of so many (a semaphore), or to read together with others (0).
 */
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectReplica, expectText } from '../../../../crdt/encoding/stored-state.ts'
import type { ReplicaId } from '../../../../crdt/time/replica-id.ts'
import type { WarpError } from '../../../../crdt/warp-error.ts'

/** A request that asks to read has no bound of its own. */
export const READ = 0

export interface LockRequest {
  readonly author: ReplicaId
  readonly request: number
  readonly permits: number
  /** How long it holds the lock, from the grant or the renewal on. */
  readonly ttlMs: number
  /** What people call its author; empty if nothing. */
  readonly by: string
  /** When it was judged, by the time of the log. */
  readonly sinceMs: number
}

export interface Waiter extends LockRequest {
  /** It is not granted at or after that time of the log. */
  readonly untilMs: number
}

export interface Holder extends LockRequest {
  readonly token: number
  /** At that time of the log it holds the lock no more. */
  readonly expiresMs: number
}

export interface LockState {
  readonly holders: readonly Holder[]
  readonly waiters: readonly Waiter[]
}

/** Told once a command counts, of whatever author. */
export type LockEvent =
  | { readonly kind: 'granted'; readonly name: string; readonly holder: Holder; readonly timeMs: number }
  /** Its time was over, or its author said good-bye. */
  | { readonly kind: 'lost'; readonly name: string; readonly holder: Holder }
  /** It waits no more: it did not say in time that it still does. */
  | { readonly kind: 'dropped'; readonly name: string; readonly waiter: Waiter }
  /** All locks are others: a snapshot has taken their place. */
  | { readonly kind: 'replaced' }
  /** Nobody judges any more. */
  | { readonly kind: 'ended'; readonly error: WarpError }

export const FREE: LockState = Object.freeze({ holders: [], waiters: [] })

export function isFree({ holders, waiters }: LockState): boolean {
  return holders.length === 0 && waiters.length === 0
}

/** When something of it is due by itself; `Infinity`: never. */
export function dueMsOf({ holders, waiters }: LockState): number {
  let dueMs = Infinity
  for (const { expiresMs } of holders) dueMs = Math.min(dueMs, expiresMs)
  for (const { untilMs } of waiters) dueMs = Math.min(dueMs, untilMs)
  return dueMs
}

export function isOf(author: ReplicaId, request: number): (of: LockRequest) => boolean {
  return (of) => of.author === author && of.request === request
}

/** Whether a request may hold the lock beside those who do. Where they name several bounds the least counts. */
export function mayShare(holders: readonly Holder[], { permits }: LockRequest): boolean {
  if (holders.length === 0) return true
  if (permits === READ) return holders.every((holder) => holder.permits === READ)
  const most = holders.reduce((least, holder) => Math.min(least, holder.permits), permits)
  return holders.length < most
}

export interface Moment {
  readonly name: string
  readonly timeMs: number
  readonly nextToken: () => number
  readonly told: (event: LockEvent) => void
}

/** Whose time is over goes, and whoever is next gets the lock. */
export function settledLock(lock: LockState, moment: Moment): LockState {
  const { name, timeMs, told } = moment
  const holders = lock.holders.filter((holder) => {
    if (holder.expiresMs > timeMs) return true
    told({ kind: 'lost', name, holder })
    return false
  })
  const waiters = lock.waiters.filter((waiter) => {
    if (waiter.untilMs > timeMs) return true
    told({ kind: 'dropped', name, waiter })
    return false
  })
  let granted = 0
  for (const waiter of waiters) {
    if (!mayShare(holders, waiter)) break
    holders.push(grant(waiter, moment))
    granted++
  }
  return { holders, waiters: waiters.slice(granted) }
}

/** A request gets the lock. */
export function grant(
  { author, request, permits, ttlMs, by, sinceMs }: LockRequest,
  { name, timeMs, nextToken, told }: Moment,
): Holder {
  const of = { author, request, permits, ttlMs, by, sinceMs }
  const holder = { ...of, token: nextToken(), expiresMs: timeMs + ttlMs }
  told({ kind: 'granted', name, holder, timeMs })
  return holder
}

export function encodeLock({ holders, waiters }: LockState): Encodable {
  return [
    holders.map((holder) => [...encodeRequest(holder), holder.token, holder.expiresMs]),
    waiters.map((waiter) => [...encodeRequest(waiter), waiter.untilMs]),
  ]
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodeLock(encoded: Encodable | undefined): LockState {
  const [holders, waiters] = expectArray(encoded)
  return {
    holders: expectArray(holders).map((item) => {
      const [of, [token, expiresMs]] = decodeRequest(item)
      return { ...of, token: expectCount(token), expiresMs: expectCount(expiresMs) }
    }),
    waiters: expectArray(waiters).map((item) => {
      const [of, [untilMs]] = decodeRequest(item)
      return { ...of, untilMs: expectCount(untilMs) }
    }),
  }
}

function encodeRequest({ author, request, permits, ttlMs, by, sinceMs }: LockRequest): Encodable[] {
  return [author, request, permits, ttlMs, by, sinceMs]
}

/** And what stands behind it. */
function decodeRequest(encoded: Encodable): [LockRequest, readonly Encodable[]] {
  const [author, request, permits, ttlMs, by, sinceMs, ...rest] = expectArray(encoded)
  const of = {
    ...{ author: expectReplica(author), request: expectCount(request), permits: expectCount(permits) },
    ...{ ttlMs: expectCount(ttlMs), by: expectText(by), sinceMs: expectCount(sinceMs) },
  }
  return [of, rest]
}
