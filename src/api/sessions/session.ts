/**
 * A session (Terry et al. 1994, "Session guarantees for weakly consistent replicated data"): calls that
 * go through it see its own earlier writes, and nothing older than it has seen before, on whatever
 * replica they are made. Each call first waits until this replica has what the session has seen.
 */
import { checkOptions, isNumberFrom, refusedOption } from '../../../crdt/checked-options.ts'
import { shownKind } from '../../../crdt/shown-kind.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { pause } from '../../ports/abort-signals.ts'
import { WAIT_OPTIONS, type ReadOptions, type Receipt, type WaitOptions } from '../../store/write-road/receipt.ts'
import type { WriteOptions } from '../../store/write-road/receipt.ts'
import type { CompareAndSet, UpdateOptions, Versioned } from '../../strong/strong-calls.ts'
import type { Expected } from '../../strong/expectation.ts'
import type {
  TransactionFunction,
  TransactionOptions,
  TransactionOutcome,
} from '../../strong/transactions/transaction-types.ts'
import type { Handle } from '../handle.ts'
import { Seen } from './seen.ts'
import type { Behind, SessionGround } from './session-ground.ts'
import { sessionHandle } from './session-handle.ts'
import { noting } from './session-transaction.ts'
import { decodeToken, encodeToken } from './session-token.ts'
import {
  SESSION_MS,
  SESSION_MS_MAX,
  SESSION_OPTIONS,
  SESSIONS_WAITING_MAX,
  type SessionOptions,
} from './session-types.ts'

/** The calls of an engine that go through sessions. */
export interface SessionCalls {
  get(key: string, options?: ReadOptions): Promise<unknown>
  getMany(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, unknown>>
  getVersioned(key: string, options?: ReadOptions): Promise<Versioned<unknown>>
  set(key: string, value: unknown, options?: WriteOptions): Promise<Receipt>
  setMany(entries: Iterable<readonly [string, unknown]>, options?: WriteOptions): Promise<Receipt[]>
  delete(key: string, options?: WriteOptions): Promise<Receipt>
  touch(key: string, options?: WriteOptions): Promise<Receipt>
  compareAndSet(key: string, expected: Expected, next: unknown, options?: WriteOptions): Promise<Receipt>
  tryCompareAndSet(key: string, expected: Expected, next: unknown, options?: WriteOptions): Promise<CompareAndSet>
  update(key: string, change: (current: unknown) => unknown, options?: UpdateOptions): Promise<Receipt | undefined>
  transaction(run: TransactionFunction, options?: TransactionOptions): Promise<unknown>
  tryTransaction(run: TransactionFunction, options?: TransactionOptions): Promise<TransactionOutcome<unknown>>
  key(key: string): Handle
}

/** A wait looks again after an eighth of the time that it has taken, but not sooner or later than so. */
const LOOK_MS_MIN = 1
const LOOK_MS_MAX = 50

export class OpenSession implements Omit<SessionCalls, 'key'> {
  readonly #ground: SessionGround
  readonly #calls: SessionCalls
  readonly #timeoutMs: number
  readonly #seen: Seen

  /** Throws `WARP_E_CONFIG`, and as `decodeToken` does. */
  constructor(ground: SessionGround, calls: SessionCalls, token: string | undefined, options: SessionOptions = {}) {
    checkOptions('session', options, SESSION_OPTIONS)
    const { timeoutMs = SESSION_MS } = options
    if (!isNumberFrom(timeoutMs, 0, SESSION_MS_MAX))
      throw refusedOption('session', 'timeoutMs', timeoutMs, `give a number of ms from 0 to ${SESSION_MS_MAX}`)
    this.#ground = ground
    this.#calls = calls
    this.#timeoutMs = timeoutMs
    this.#seen = token === undefined ? new Seen() : decodeToken(token)
  }

  get token(): string {
    this.#ground.forget(this.#seen)
    return encodeToken(this.#seen)
  }

  join(token: string): void {
    this.#seen.join(decodeToken(token))
  }

  note(of: string | { readonly dot: Dot | undefined }): void {
    if (typeof of === 'string') {
      // Throws where no pattern matches.
      this.#ground.store.keyspaceOf(of)
      this.#ground.note(of, this.#seen)
      return
    }
    if (typeof of !== 'object' || of === null || !('dot' in of)) throw notNotable(of)
    const { dot } = of
    if (dot === undefined) return
    if (!this.#ground.hasDot(dot)) throw notHere()
    this.#seen.saw(dot.replica, dot.sequence)
  }

  async ready(options: WaitOptions = {}): Promise<void> {
    checkOptions('session: ready', options, WAIT_OPTIONS)
    await this.#ready(options.signal)
  }

  get(key: string, options?: ReadOptions): Promise<unknown> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.get(key, asSeen(options)))
  }

  getMany(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, unknown>> {
    const wanted = listOf(keys)
    return this.through(textsOf(wanted), options?.signal, () => this.#calls.getMany(wanted, asSeen(options)))
  }

  getVersioned(key: string, options?: ReadOptions): Promise<Versioned<unknown>> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.getVersioned(key, asSeen(options)))
  }

  set(key: string, value: unknown, options?: WriteOptions): Promise<Receipt> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.set(key, value, options))
  }

  setMany(entries: Iterable<readonly [string, unknown]>, options?: WriteOptions): Promise<Receipt[]> {
    const all = listOf(entries)
    const keys = Array.isArray(all) ? all.flatMap((entry) => (Array.isArray(entry) ? [entry[0] as unknown] : [])) : []
    return this.through(textsOf(keys), options?.signal, () => this.#calls.setMany(all, options))
  }

  delete(key: string, options?: WriteOptions): Promise<Receipt> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.delete(key, options))
  }

  touch(key: string, options?: WriteOptions): Promise<Receipt> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.touch(key, options))
  }

  compareAndSet(key: string, expected: Expected, next: unknown, options?: WriteOptions): Promise<Receipt> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.compareAndSet(key, expected, next, options))
  }

  tryCompareAndSet(key: string, expected: Expected, next: unknown, options?: WriteOptions): Promise<CompareAndSet> {
    return this.through(textsOf([key]), options?.signal, () =>
      this.#calls.tryCompareAndSet(key, expected, next, options),
    )
  }

  update(key: string, change: (current: unknown) => unknown, options?: UpdateOptions): Promise<Receipt | undefined> {
    return this.through(textsOf([key]), options?.signal, () => this.#calls.update(key, change, options))
  }

  transaction(run: TransactionFunction, options?: TransactionOptions): Promise<unknown> {
    const { keys, noted } = named(run)
    return this.through(keys, options?.signal, () => this.#calls.transaction(noted, options))
  }

  tryTransaction(run: TransactionFunction, options?: TransactionOptions): Promise<TransactionOutcome<unknown>> {
    const { keys, noted } = named(run)
    return this.through(keys, options?.signal, () => this.#calls.tryTransaction(noted, options))
  }

  key(key: string): object {
    const handle = this.#calls.key(key)
    return sessionHandle(
      handle,
      (call) => this.through([key], undefined, call),
      () => this.get(key),
    )
  }

  /**
   * Makes a call once this replica has what the session has seen. Afterwards the session has seen the
   * keys of it, also where the call failed: what is in doubt may have been done. `keys` may grow meanwhile.
   */
  async through<Result>(
    keys: Iterable<string>,
    signal: AbortSignal | undefined,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const ground = this.#ground
    ground.store.assertOpen()
    await this.#ready(signal)
    for (const key of keys) {
      for (let wait = ground.installing(key); wait !== undefined; wait = ground.installing(key)) await wait
    }
    try {
      return await call()
    } finally {
      for (const key of keys) ground.note(key, this.#seen)
    }
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw givenUp(signal)
    const behind = this.#ground.behind(this.#seen)
    if (behind !== undefined) await this.#wait(behind, signal)
  }

  async #wait(first: Behind, signal: AbortSignal | undefined): Promise<void> {
    const ground = this.#ground
    const { env, store } = ground
    if (ground.waitingCount >= SESSIONS_WAITING_MAX) throw tooMany()
    ground.waitingCount++
    const letGo = env.stayAlive?.()
    try {
      const since = env.monotonic()
      for (let behind: Behind | undefined = first; behind !== undefined; behind = ground.behind(this.#seen)) {
        const waitedMs = env.monotonic() - since
        if (behind.isLost || waitedMs >= this.#timeoutMs) throw tokenBehind(behind, waitedMs, ground.trouble)
        const lookMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, waitedMs / 8), this.#timeoutMs - waitedMs)
        await pause(env, lookMs, signal)
        store.assertOpen()
        if (signal?.aborted === true) throw givenUp(signal)
      }
    } finally {
      letGo?.()
      ground.waitingCount--
    }
  }
}

/** What this replica has is what the session may read, once it is ready. */
function asSeen(options: ReadOptions | undefined): ReadOptions {
  const { consistency = 'session', ...others } = options ?? {}
  if (others.token !== undefined)
    throw new WarpError('WARP_E_CONFIG', 'session: a call of a session takes no token; give it to session.join')
  if (consistency === 'session') return { ...others, consistency: 'stale' }
  if (consistency !== 'stale') return { ...others, consistency }
  throw new WarpError(
    'WARP_E_CONFIG',
    "session: consistency is 'stale', which no session is; use warp.get, or leave it out",
  )
}

/** The keys that a transaction names, while it runs. */
function named(run: TransactionFunction): { readonly keys: Iterable<string>; readonly noted: TransactionFunction } {
  const keys = new Set<string>()
  // The call itself says what it takes.
  if (typeof run !== 'function') return { keys, noted: run }
  return { keys, noted: (tx) => run(noting(tx, (key) => keys.add(key))) }
}

function textsOf(keys: readonly unknown[]): string[] {
  return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : []
}

function listOf<Item>(items: Iterable<Item>): Item[] {
  const isIterable = typeof items === 'object' && items !== null && Symbol.iterator in items
  // The call itself says what it takes.
  return isIterable ? [...items] : items
}

function tokenBehind(
  { replica, partition, needed, here, isLost }: Behind,
  waitedMs: number,
  cause: unknown,
): WarpError {
  const waited = Math.round(waitedMs)
  const whose = replica === undefined ? `partition ${partition} of the ordered log` : `replica ${replica.slice(0, 8)}`
  const remedy = isLost
    ? 'that never comes: the log is another one, or the operation did not count; begin a new session'
    : 'try again, ask the replica that the session was at, or begin a new session'
  return new WarpError(
    'WARP_E_TOKEN_BEHIND',
    `the session has seen ${needed} operations of ${whose}, and this replica has ${here} of them after ` +
      `${waited} ms; ${remedy}`,
    {
      details: { ...(replica === undefined ? { partition } : { replica }), needed, here, waitedMs: waited, isLost },
      cause,
    },
  )
}

function givenUp(signal: AbortSignal): WarpError {
  return new WarpError('WARP_E_ABORTED', 'waiting for what the session has seen was given up; nothing was done', {
    outcome: 'failed',
    cause: signal.reason,
  })
}

function tooMany(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `${SESSIONS_WAITING_MAX} calls of sessions wait for other replicas already; nothing was done; try again later`,
    { outcome: 'failed', details: { limit: SESSIONS_WAITING_MAX } },
  )
}

function notNotable(of: unknown): WarpError {
  return new WarpError('WARP_E_CONFIG', `session: note takes a key or a receipt, and got ${shownKind(of)}`)
}

function notHere(): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    'session: note was given a receipt of no operation that this replica has; of a strong key, give the key instead',
  )
}
