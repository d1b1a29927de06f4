/** Locks and elections, as users see them: docs/locks.md. */
import { optionNames } from '../../../crdt/checked-options.ts'

export interface LockOptions {
  /**
   * How long the lock is held unless it is renewed, ms, a whole number from 100 to 86,400,000 (a day).
   * By the time of the ordered log: whoever holds it and dies, or sleeps, has lost it then.
   */
  readonly ttlMs: number
  /** `'read'`: together with others that read. Default `'write'`: alone. */
  readonly mode?: 'read' | 'write'
  /** A semaphore: together with others, so many at most, 1 to 1,024. Not with `mode`. */
  readonly permits?: number
  /** Gives up with `WARP_E_ABORTED`: the request leaves the queue, and holds nothing. */
  readonly signal?: AbortSignal
}

export interface AcquireOptions extends LockOptions {
  /** How long to wait for the lock, ms, at most a day; then `WARP_E_LOCK`. Default: for as long as it takes. */
  readonly waitMs?: number
}

export interface WithLockOptions extends AcquireOptions {
  /**
   * The lock is renewed by itself for so long, ms, from `ttlMs` to a day; what takes longer loses it:
   * between `maxMs - ttlMs / 3` and `maxMs` after it was had.
   */
  readonly maxMs: number
}

export interface ElectOptions {
  /** As in `LockOptions`: so long after its death a leader is replaced. It is renewed by itself. */
  readonly ttlMs: number
  /** Ends the iteration, without an error: the campaign is given up, or the term resigned. */
  readonly signal?: AbortSignal
}

/** Under what something is done: the token of a lock that is held. */
export interface Held {
  /** Give it to writes as `{ fence: token }`, and to everything else that can refuse a lower one. */
  readonly token: number
  /** Aborts when the lock is lost, or the caller gives up: stop then. */
  readonly signal: AbortSignal
}

/** One time of being the leader. */
export interface Term extends Held {
  /** Lets somebody else be the leader; the iteration campaigns again. */
  resign(): Promise<void>
}

/** A lock that was had. */
export interface Lock extends AsyncDisposable {
  readonly name: string
  /** Greater than that of each holder before. */
  readonly token: number
  /**
   * Until when it is held for certain, by the monotonic clock of this process (`performance.now()`),
   * ms. Reckoned from before the request was sent: the log lets go of it later, never earlier.
   */
  readonly validUntil: number
  /** Whether it is held, as far as this process knows. */
  readonly isHeld: boolean
  /** Aborts, with a `WARP_E_LOCK`, when the lock is lost; not when it is released. */
  readonly lost: AbortSignal
  /**
   * Holds it for its whole time from now. Rejects with `WARP_E_LOCK` if its time was over or it was
   * released, though nobody has taken it; with `WARP_E_TRANSPORT`, `WARP_E_INDETERMINATE` if the log did not
   * answer: then it is held until `validUntil`.
   */
  renew(): Promise<void>
  /**
   * Lets go of it. `false`: it had been lost, or released, before. Rejects if the log did not answer:
   * then it ends with its time.
   */
  release(): Promise<boolean>
  /** As `release`; never rejects. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Who holds a lock, or waits for it. */
export interface LockParty {
  /** The name that its replica was opened with, if it was. */
  readonly replica?: string
  /** Whether it is of this replica. */
  readonly isOwn: boolean
  readonly mode: 'read' | 'write'
  /** Of a semaphore. */
  readonly permits?: number
}

export interface LockHolder extends LockParty {
  readonly token: number
  /** How long it has left, ms, as this replica reckons. */
  readonly leftMs: number
}

/** A lock as this replica sees it: as far as it has followed the ordered log. */
export interface LockInfo {
  readonly name: string
  readonly holders: readonly LockHolder[]
  /** In the order in which they will have it. */
  readonly waiting: readonly LockParty[]
}

/** Locks that the ordered log gives: see docs/locks.md. */
export interface Locks {
  /**
   * Waits for a lock, behind those who came before, and takes it.
   *
   *     await using lock = await warp.locks.acquire('invoices', { ttlMs: 10_000, waitMs: 60_000 })
   *     await warp.set('invoice:7', next, { fence: lock.token })
   *
   * Rejects with `WARP_E_LOCK` when `waitMs` is over, `WARP_E_ABORTED`, `WARP_E_LIMIT` (16,384 requests in
   * a partition, 1,024 that wait for one lock), `WARP_E_CONFIG`, with
   * `WARP_E_LINEARIZABLE_UNSUPPORTED` where nobody orders, and with `WARP_E_TRANSPORT` or
   * `WARP_E_INDETERMINATE` where the log does not answer: what was sent is taken back when it does.
   */
  acquire(name: string, options: AcquireOptions): Promise<Lock>
  /** As `acquire`, without waiting: `undefined` if it is not to be had at once. */
  tryAcquire(name: string, options: LockOptions): Promise<Lock | undefined>
  /**
   * Runs a function under a lock that is renewed meanwhile, and lets go of it. Gives what the function
   * gives. Rejects as `acquire` does, with what the function throws, and with `WARP_E_LOCK` if the lock was
   * lost before the function was done: what it did without a fence may have met another's.
   *
   *     await warp.locks.withLock('report', async ({ token, signal }) => build(token, signal), {
   *       ttlMs: 10_000,
   *       maxMs: 600_000,
   *     })
   */
  withLock<Result>(
    name: string,
    run: (held: Held) => Result | Promise<Result>,
    options: WithLockOptions,
  ): Promise<Result>
  /** Who holds a lock and who waits, as this replica sees it. Without waiting. */
  info(name: string): LockInfo
  /** All that are held or waited for, in the order of their names. */
  list(): LockInfo[]
}

export const LOCK_OPTIONS: readonly string[] = optionNames<LockOptions>({
  ...{ ttlMs: true, mode: true, permits: true, signal: true },
})
export const ACQUIRE_OPTIONS: readonly string[] = [...LOCK_OPTIONS, 'waitMs']
export const WITH_LOCK_OPTIONS: readonly string[] = [...ACQUIRE_OPTIONS, 'maxMs']
export const ELECT_OPTIONS: readonly string[] = optionNames<ElectOptions>({ ttlMs: true, signal: true })
