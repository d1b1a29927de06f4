/**
 * Warm-up: what a store lists is loaded before anybody asks, by the way of every other load, so that
 * invalidations and lives hold. It ends where memory does: a copy that is in use is not pushed out for
 * one that nobody has asked for.
 */
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Source } from '../../keys/source/source.ts'
import { STORE_MS_MAX, WARM_REQUESTS_MAX } from '../../limits.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { Loads } from '../loads.ts'
import type { Stores } from '../stored/stores.ts'
import { listedKeys, storedTargets, type StoredTarget } from './stored-targets.ts'

/** How far a warm-up is. Keys that were in memory already are not loaded again. */
export interface WarmProgress {
  /** Keys that the store has listed and that are meant. */
  readonly listedCount: number
  readonly loadedCount: number
  /** In memory already. */
  readonly presentCount: number
  /** Without a value by the time they were read. */
  readonly absentCount: number
  /** Whose rows cannot be used; each is an event `load:failed`. */
  readonly failedCount: number
}

export interface Warmed extends WarmProgress {
  /** `'full'`: there is no room for more copies (`copies: { entriesMax, bytesMax }`), and not all are there. */
  readonly end: 'complete' | 'full'
}

export interface WarmOptions {
  /** Where keys and values come from. Default: the primary store, which is the only one there is. */
  readonly from?: 'store'
  /** Requests to the store at a time, each for up to 100 keys, 1 to 64. Default 4. */
  readonly concurrency?: number
  /** Ends it with `WARP_E_ABORTED`; what has been loaded stays. Ends later rounds as well. */
  readonly signal?: AbortSignal
  /** Told after each request. What it throws ends the warm-up. */
  readonly progress?: (progress: WarmProgress) => void
  /**
   * Does the same again so many ms after the end of each round, 1 to 3,600,000, until `signal` fires or
   * the engine is closed. The promise is that of the first round; one that fails later is the event
   * `warm:failed`. Default: once.
   */
  readonly everyMs?: number
}

export const WARM_OPTIONS: readonly string[] = optionNames<WarmOptions>({
  ...{ from: true, concurrency: true, signal: true, progress: true, everyMs: true },
})

export interface WarmUpOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
  readonly loads: Loads
  readonly stores: Stores
  readonly observe: (event: EngineEvent) => void
}

const CONCURRENCY = 4
const BATCH_KEYS = 100

export class WarmUp {
  readonly #options: WarmUpOptions
  readonly #timers = new Set<Timer>()

  constructor(options: WarmUpOptions) {
    this.#options = options
  }

  async warm(pattern: string, wish: WarmOptions = {}): Promise<Warmed> {
    checkWarm(wish)
    const warmed = await this.#round(pattern, wish)
    if (wish.everyMs !== undefined) this.#later(pattern, wish, wish.everyMs)
    return warmed
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #round(pattern: string, wish: WarmOptions): Promise<Warmed> {
    const { store } = this.#options
    store.assertOpen()
    return new Round(this.#options, pattern, wish).run(storedTargets('warm', pattern, store))
  }

  #later(pattern: string, wish: WarmOptions, everyMs: number): void {
    const { env, observe } = this.#options
    const timer = env.schedule(everyMs, () => {
      this.#timers.delete(timer)
      if (wish.signal?.aborted === true) return
      void this.#again(pattern, wish)
        .catch((error: unknown) => {
          if (!isWarpError(error, 'WARP_E_ABORTED') && !isWarpError(error, 'WARP_E_CLOSED'))
            observe({ kind: 'warm:failed', pattern, error: asError(error) })
        })
        .finally(() => {
          if (wish.signal?.aborted !== true && !this.#options.loads.isClosed) this.#later(pattern, wish, everyMs)
        })
    })
    this.#timers.add(timer)
  }

  async #again(pattern: string, wish: WarmOptions): Promise<void> {
    await this.#round(pattern, wish)
  }
}

/** One walk through the keys. */
class Round {
  readonly #options: WarmUpOptions
  readonly #pattern: string
  readonly #wish: WarmOptions
  readonly #running = new Set<Promise<void>>()
  /** Copies that there will be once what is under way has landed. */
  #expectedCount = 0
  /** Copies that had to go before this began. */
  readonly #evictionsCount: number
  #failure: { readonly error: unknown } | undefined
  #listedCount = 0
  #loadedCount = 0
  #presentCount = 0
  #absentCount = 0
  #failedCount = 0

  constructor(options: WarmUpOptions, pattern: string, wish: WarmOptions) {
    this.#options = options
    this.#pattern = pattern
    this.#wish = wish
    this.#evictionsCount = options.keeper.copies.evictionsCount
  }

  async run(targets: readonly StoredTarget[]): Promise<Warmed> {
    try {
      this.#check()
      await this.#sweep()
      const end = await this.#walk(targets)
      await Promise.all(this.#running)
      this.#check()
      return { ...this.#progress(), end }
    } catch (error) {
      // Who has been told to stop does not ask what failed by that.
      this.#check()
      throw error
    } finally {
      await Promise.all(this.#running)
    }
  }

  /** Copies that nobody could be given any more are not in the way. */
  async #sweep(): Promise<void> {
    const { keeper, env } = this.#options
    const budget = new Budget(env, () => this.#check())
    for (const key of keeper.copies.keys()) {
      const slot = keeper.copies.find(key)
      if (slot !== undefined && keeper.isDead(slot)) keeper.copies.remove(slot)
      budget.spend(1, 0)
      if (budget.isSpent) await budget.pause()
    }
  }

  async #walk(targets: readonly StoredTarget[]): Promise<Warmed['end']> {
    for (const { keyspace, prefix, isMeant } of targets) {
      for await (const page of listedKeys(this.#options.stores.way(keyspace).client, prefix)) {
        this.#check()
        if (!(await this.#takePage(keyspace, page.filter(isMeant)))) return 'full'
      }
    }
    return 'complete'
  }

  async #takePage(keyspace: Keyspace, keys: readonly string[]): Promise<boolean> {
    this.#listedCount += keys.length
    for (let from = 0; from < keys.length; from += BATCH_KEYS)
      if (!(await this.#take(keyspace, keys.slice(from, from + BATCH_KEYS)))) return false
    return true
  }

  /** `false`: there is no room for all of them. */
  async #take(keyspace: Keyspace, keys: readonly string[]): Promise<boolean> {
    const { copies } = this.#options.keeper
    while (this.#running.size >= (this.#wish.concurrency ?? CONCURRENCY)) await this.#landing()
    const missing = keys.filter((key) => !this.#isPresent(key))
    this.#presentCount += keys.length - missing.length
    while (this.#room() < missing.length && this.#running.size > 0) await this.#landing()
    if (copies.evictionsCount > this.#evictionsCount) return false
    let room = this.#room()
    // Those that lie there void, or stale, need no room of their own.
    const fitting = missing.filter((key) => copies.find(key) !== undefined || room-- > 0)
    if (fitting.length > 0) this.#begin(keyspace, fitting)
    return fitting.length === missing.length
  }

  #room(): number {
    const { copies } = this.#options.keeper
    return copies.limits.entriesMax - copies.count - this.#expectedCount
  }

  async #landing(): Promise<void> {
    await Promise.race(this.#running)
    this.#check()
  }

  #isPresent(key: string): boolean {
    const { keeper } = this.#options
    const slot = keeper.copies.find(key)
    return slot !== undefined && keeper.shown(slot) !== MISS
  }

  #begin(keyspace: Keyspace, keys: readonly string[]): void {
    this.#expectedCount += keys.length
    const loading = this.#load(keyspace, keys)
      .then(() => this.#wish.progress?.(this.#progress()))
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running.delete(loading)
        this.#expectedCount -= keys.length
      })
    this.#running.add(loading)
  }

  /** By one request, which begins in the turn in which their loads do. */
  async #load(keyspace: Keyspace, keys: readonly string[]): Promise<void> {
    const { loads, stores } = this.#options
    const { rules } = keyspace.source as Source
    const { signal } = this.#wish
    let rows: Promise<ReadonlyMap<string, unknown>> | undefined
    let isSameTurn = true
    const load = async (key: string): Promise<unknown> => {
      // Who loads later must not be given what was read before.
      if (!isSameTurn) return stores.load(key, keyspace)
      rows ??= stores.loadAll(keyspace, keys)
      return (await rows).get(key)
    }
    const reads = keys.map((key) => loads.read({ key, rules, tags: [], signal, load: () => load(key) }))
    isSameTurn = false
    let failure: { readonly error: unknown } | undefined
    for (const read of await Promise.allSettled(reads)) {
      if (read.status === 'fulfilled') {
        if (read.value === undefined) this.#absentCount++
        else this.#loadedCount++
      } else if (isOfKey(read.reason)) this.#failedCount++
      else failure ??= { error: read.reason }
    }
    if (failure !== undefined) throw failure.error
  }

  #progress(): WarmProgress {
    return {
      ...{ listedCount: this.#listedCount, loadedCount: this.#loadedCount, presentCount: this.#presentCount },
      ...{ absentCount: this.#absentCount, failedCount: this.#failedCount },
    }
  }

  #check(): void {
    const { signal } = this.#wish
    if (signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', `warming '${this.#pattern}' was given up; what was loaded stays`, {
        details: { pattern: this.#pattern },
        cause: signal.reason,
      })
    this.#options.store.assertOpen()
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

/** Whether it is about one row, and not about the store. */
function isOfKey(error: unknown): boolean {
  if (!isWarpError(error, 'WARP_E_LOAD')) return false
  const { cause } = error
  if (!isWarpError(cause, 'WARP_E_STORE')) return true
  const { failure, key, store } = cause.details
  return failure === 'broken' && (key !== undefined || store === undefined)
}

function checkWarm(wish: WarmOptions): void {
  checkOptions('warm', wish, WARM_OPTIONS)
  checkTypeOf('warm', wish, 'progress', 'function')
  const { from = 'store', concurrency = CONCURRENCY, everyMs = 1 } = wish
  if ((from as unknown) !== 'store')
    throw refusedOption('warm', 'from', from, "a replica asks the store of its keys, and not its peers: give 'store'")
  if (!isWholeFrom(concurrency, 1, WARM_REQUESTS_MAX)) throw outOf('concurrency', concurrency, WARM_REQUESTS_MAX)
  if (!isWholeFrom(everyMs, 1, STORE_MS_MAX)) throw outOf('everyMs', everyMs, STORE_MS_MAX)
}

function outOf(option: string, value: unknown, most: number): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `warm: ${option} is ${shownValue(value)}; give a whole number from 1 to ${most}`,
    {
      details: { option },
    },
  )
}
