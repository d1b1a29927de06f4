/** The locks and elections of one replica: what `warp.locks` and `warp.elect` do. */
import { isNumberFrom, isWholeFrom, requireOptions } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { isWarpError, WarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import { KEY_BYTES_MAX, LOCK_MS_MAX, LOCK_PERMITS_MAX, LOCK_TTL_MS_MIN } from '../../limits.ts'
import { pause, whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import type { HeldLock } from './held-lock.ts'
import type { LockDesk } from './lock-desk.ts'
import { tooLong } from './lock-attempt.ts'
import { LockRequests } from './lock-requests.ts'
import { READ, type LockRequest } from './tables/lock-state.ts'
import {
  ACQUIRE_OPTIONS,
  ELECT_OPTIONS,
  LOCK_OPTIONS,
  WITH_LOCK_OPTIONS,
  type AcquireOptions,
  type ElectOptions,
  type Held,
  type LockInfo,
  type LockOptions,
  type LockParty,
  type Locks,
  type Term,
  type WithLockOptions,
} from './lock-types.ts'
import { keepRenewed } from './renewals.ts'

const EXAMPLE = '{ ttlMs: 10_000 }'
const ENCODER = new TextEncoder()
/** Between two campaigns, where the log does not answer. */
const CAMPAIGN_MS = 1000
/** What passes by itself. */
const PASSING: ReadonlySet<WarpErrorCode> = new Set<WarpErrorCode>([
  ...(['WARP_E_TRANSPORT', 'WARP_E_INDETERMINATE', 'WARP_E_LOCK', 'WARP_E_LIMIT', 'WARP_E_ABORTED'] as const),
])

export interface ReplicaLocksOptions {
  readonly env: Env
  readonly desk: LockDesk
  /** What people call this replica. */
  readonly name: string | undefined
}

export class ReplicaLocks implements Locks {
  readonly #env: Env
  readonly #desk: LockDesk
  readonly #requests: LockRequests
  #isClosed = false

  constructor({ env, desk, name = '' }: ReplicaLocksOptions) {
    this.#env = env
    this.#desk = desk
    this.#requests = new LockRequests(env, desk, name)
  }

  async acquire(name: string, options: AcquireOptions): Promise<HeldLock> {
    requireOptions('locks.acquire', options, ACQUIRE_OPTIONS, EXAMPLE)
    checkLock('locks.acquire', name, options)
    return this.#acquire(name, options)
  }

  async tryAcquire(name: string, options: LockOptions): Promise<HeldLock | undefined> {
    requireOptions('locks.tryAcquire', options, LOCK_OPTIONS, EXAMPLE)
    checkLock('locks.tryAcquire', name, options)
    return this.#ask(name, options, 0)
  }

  async withLock<Result>(
    name: string,
    run: (held: Held) => Result | Promise<Result>,
    options: WithLockOptions,
  ): Promise<Result> {
    requireOptions('locks.withLock', options, WITH_LOCK_OPTIONS, '{ ttlMs: 10_000, maxMs: 60_000 }')
    checkLock('locks.withLock', name, options)
    const { maxMs, ttlMs, signal } = options
    if (!isNumberFrom(maxMs, ttlMs, LOCK_MS_MAX))
      throw refused('locks.withLock', 'maxMs', maxMs, `give ms from ttlMs (${ttlMs}) to ${LOCK_MS_MAX}`)
    if (typeof run !== 'function') throw refused('locks.withLock', 'its function', run, 'give a function')
    const lock = await this.#acquire(name, options)
    const stopRenewing = keepRenewed(this.#env, lock, lock.validUntil - ttlMs + maxMs)
    const over = overWith(lock, signal)
    try {
      const result = await run({ token: lock.token, signal: over.signal })
      if (!lock.isHeld) throw lostMeanwhile(lock, over.signal.reason)
      return result
    } finally {
      stopRenewing()
      over.stop()
      await lock[Symbol.asyncDispose]()
    }
  }

  /** Throws `WARP_E_CONFIG`, `WARP_E_LIMIT`. */
  elect(name: string, options: ElectOptions): AsyncGenerator<Term, void, undefined> {
    requireOptions('elect', options, ELECT_OPTIONS, EXAMPLE)
    checkLock('elect', name, options)
    return this.#terms(name, options)
  }

  info(name: string): LockInfo {
    checkName('locks.info', name)
    const partition = this.#desk.partitionOf(name)
    const nowMs = this.#desk.timeMs(partition)
    const { holders, waiters } = this.#desk.locksOf(partition).get(name)
    return {
      name,
      holders: holders.map((holder) => ({
        ...this.#party(holder),
        ...{ token: holder.token, leftMs: Math.max(0, holder.expiresMs - nowMs) },
      })),
      waiting: waiters.map((waiter) => this.#party(waiter)),
    }
  }

  list(): LockInfo[] {
    const names: string[] = []
    for (let partition = 0; partition < this.#desk.partitionsCount; partition++)
      for (const [name] of this.#desk.locksOf(partition).kept.entries()) names.push(name)
    return names.sort().map((name) => this.info(name))
  }

  /** What waits is rejected, what is held is lost, and campaigns end. */
  close(error: WarpError): void {
    this.#isClosed = true
    this.#requests.close(error)
  }

  async #acquire(name: string, options: AcquireOptions): Promise<HeldLock> {
    const { waitMs = Infinity } = options
    const lock = await this.#ask(name, options, waitMs)
    if (lock === undefined) throw tooLong({ name })
    return lock
  }

  /** `undefined`: it was not to be had in that time. */
  async #ask(name: string, options: LockOptions, waitMs: number): Promise<HeldLock | undefined> {
    const { ttlMs, signal } = options
    const isTry = waitMs === 0
    const deadlineMs = this.#env.monotonic() + waitMs
    const asked = { name, ttlMs, signal, isTry, deadlineMs, permits: permitsOf(options) }
    for (;;) {
      const outcome = await this.#requests.ask(asked)
      if (typeof outcome === 'object') return outcome
      // A request that lost its place, or its lock, stands at the end of the queue again.
      if (outcome === 'none' || this.#env.monotonic() >= deadlineMs) return undefined
    }
  }

  async *#terms(name: string, options: ElectOptions): AsyncGenerator<Term, void, undefined> {
    const { signal } = options
    while (signal?.aborted !== true && !this.#isClosed) {
      const lock = await this.#campaign(name, options)
      if (lock === undefined) continue
      const stopRenewing = keepRenewed(this.#env, lock, Infinity)
      const over = overWith(lock, signal)
      const resign = async (): Promise<void> => {
        stopRenewing()
        over.end(resigned(name))
        await lock[Symbol.asyncDispose]()
      }
      // Who gives up resigns at once, and not when somebody asks for the next term.
      const stop = whenAborted(over.signal, () => void resign())
      const letGo = this.#env.stayAlive?.()
      try {
        yield { token: lock.token, signal: over.signal, resign }
        if (!over.signal.aborted) await new Promise<void>((resolve) => whenAborted(over.signal, resolve))
      } finally {
        stop()
        letGo?.()
        await resign()
        over.stop()
      }
    }
  }

  /** `undefined`: not elected; to be asked again, unless the signal has fired. */
  async #campaign(name: string, options: ElectOptions): Promise<HeldLock | undefined> {
    try {
      return await this.#acquire(name, options)
    } catch (error) {
      if (this.#isClosed) return undefined
      if (!isWarpError(error) || !PASSING.has(error.code)) throw error
      await pause(this.#env, CAMPAIGN_MS, options.signal)
      return undefined
    }
  }

  #party({ author, by, permits }: LockRequest): LockParty {
    return {
      ...(by === '' ? {} : { replica: by }),
      ...{ isOwn: author === this.#desk.author, mode: permits === READ ? 'read' : 'write' },
      ...(permits > 1 ? { permits } : {}),
    }
  }
}

interface Over {
  readonly signal: AbortSignal
  readonly end: (reason: unknown) => void
  readonly stop: () => void
}

/** Aborts when a lock is lost, or the caller gives up. */
function overWith({ lost }: HeldLock, signal: AbortSignal | undefined): Over {
  const controller = new AbortController()
  const end = (reason: unknown): void => controller.abort(reason)
  const stops = [lost, signal].map((one) => {
    if (one?.aborted === true) end(one.reason)
    return whenAborted(one, () => end(one?.reason))
  })
  const stop = (): void => {
    for (const each of stops) each()
  }
  return { signal: controller.signal, end, stop }
}

function permitsOf({ mode, permits }: LockOptions): number {
  return mode === 'read' ? READ : (permits ?? 1)
}

/** Throws `WARP_E_CONFIG`, `WARP_E_LIMIT`, `WARP_E_UNENCODABLE`. */
function checkLock(call: string, name: string, options: AcquireOptions): void {
  checkName(call, name)
  const { ttlMs, mode, permits, waitMs } = options
  if (!isWholeFrom(ttlMs, LOCK_TTL_MS_MIN, LOCK_MS_MAX))
    throw refused(call, 'ttlMs', ttlMs, `give whole ms from ${LOCK_TTL_MS_MIN} to ${LOCK_MS_MAX}`)
  if (mode !== undefined && (mode as unknown) !== 'read' && (mode as unknown) !== 'write')
    throw refused(call, 'mode', mode, "give 'read' or 'write'")
  if (permits !== undefined && !isWholeFrom(permits, 1, LOCK_PERMITS_MAX))
    throw refused(call, 'permits', permits, `give a whole number from 1 to ${LOCK_PERMITS_MAX}`)
  if (permits !== undefined && mode !== undefined)
    throw refused(call, 'permits', permits, 'give either permits or mode')
  if (waitMs !== undefined && !isNumberFrom(waitMs, 0, LOCK_MS_MAX))
    throw refused(call, 'waitMs', waitMs, `give ms from 0 to ${LOCK_MS_MAX}, or leave it out`)
}

function checkName(call: string, name: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw refused(call, 'the name of the lock', name, 'give a text of at least one character')
  if (!name.isWellFormed())
    throw new WarpError('WARP_E_UNENCODABLE', `${call}: the name of a lock contains half of a surrogate pair`)
  const bytes = ENCODER.encode(name).length
  if (bytes <= KEY_BYTES_MAX) return
  throw new WarpError(
    'WARP_E_LIMIT',
    `${call}: the name of a lock has ${bytes} bytes, and ${KEY_BYTES_MAX} are the most; use a shorter one`,
    { details: { bytes, limit: KEY_BYTES_MAX } },
  )
}

function refused(call: string, what: string, value: unknown, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${call}: ${what} is ${shownValue(value)}; ${remedy}`, {
    details: { option: what },
  })
}

function lostMeanwhile({ name, token }: HeldLock, cause: unknown): WarpError {
  return new WarpError(
    'WARP_E_LOCK',
    `the lock '${name}' was lost before the function was done; what it did without a fence may have met another's; ` +
      'give a longer ttlMs or maxMs, and stop when the signal fires',
    { details: { name, token }, outcome: 'indeterminate', cause },
  )
}

function resigned(name: string): WarpError {
  return new WarpError('WARP_E_LOCK', `the term of '${name}' was resigned`, { details: { name } })
}
