/**
 * One walk of a warm-up through the keys of its sources. It ends where memory does: a copy that is in use
 * is not pushed out for one that nobody has asked for.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env } from '../../ports/env.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { MISS, type Keeper } from '../keeper.ts'

/** How far a warm-up is. Keys that were in memory already are not loaded again. */
export interface WarmProgress {
  /** Keys that have been listed and that are meant; once for each peer that holds them. */
  readonly listedCount: number
  readonly loadedCount: number
  /** In memory already. */
  readonly presentCount: number
  /** Without a value by the time they were read, or with a copy that may not be kept. */
  readonly absentCount: number
  /** Whose rows cannot be used; each is an event `load:failed`. */
  readonly failedCount: number
}

/** What has become of some keys. */
export type KeyCounts = Pick<WarmProgress, 'loadedCount' | 'presentCount' | 'absentCount' | 'failedCount'>

/** Keys that are meant. */
export interface WarmPage {
  readonly keys: readonly string[]
  /** Brings what is not in memory. What it throws ends the warm-up. */
  readonly load: (keys: readonly string[]) => Promise<KeyCounts>
}

/** Where keys come from. */
export type WarmSource = AsyncIterable<WarmPage>

export interface RoundOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
}

/** What the caller wants of it. */
export interface RoundWish {
  readonly pattern: string
  readonly concurrency: number
  readonly signal: AbortSignal | undefined
  readonly progress: ((progress: WarmProgress) => void) | undefined
}

const BATCH_KEYS = 100

export class Round {
  readonly #options: RoundOptions
  readonly #wish: RoundWish
  readonly #running = new Set<Promise<void>>()
  /** Copies that there will be once what is under way has landed. */
  #expectedCount = 0
  /** Copies that had to go before this began. */
  readonly #evictionsCount: number
  #failure: { readonly error: unknown } | undefined
  readonly #counts = { listedCount: 0, loadedCount: 0, presentCount: 0, absentCount: 0, failedCount: 0 }

  constructor(options: RoundOptions, wish: RoundWish) {
    this.#options = options
    this.#wish = wish
    this.#evictionsCount = options.keeper.copies.evictionsCount
  }

  /** `'full'`: there is no room for more, and not all are there. */
  async run(sources: Iterable<WarmSource>): Promise<{ readonly end: 'complete' | 'full' } & WarmProgress> {
    try {
      this.#check()
      await this.#sweep()
      const end = await this.#walk(sources)
      await Promise.all(this.#running)
      this.#check()
      return { ...this.#counts, end }
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

  async #walk(sources: Iterable<WarmSource>): Promise<'complete' | 'full'> {
    for (const source of sources) {
      for await (const page of source) {
        this.#check()
        if (!(await this.#takePage(page))) return 'full'
      }
      this.#check()
    }
    return 'complete'
  }

  async #takePage({ keys, load }: WarmPage): Promise<boolean> {
    this.#counts.listedCount += keys.length
    for (let from = 0; from < keys.length; from += BATCH_KEYS)
      if (!(await this.#take(keys.slice(from, from + BATCH_KEYS), load))) return false
    return true
  }

  /** `false`: there is no room for all of them. */
  async #take(keys: readonly string[], load: WarmPage['load']): Promise<boolean> {
    const { copies } = this.#options.keeper
    while (this.#running.size >= this.#wish.concurrency) await this.#landing()
    const missing = keys.filter((key) => !this.#isPresent(key))
    this.#counts.presentCount += keys.length - missing.length
    while (this.#room() < missing.length && this.#running.size > 0) await this.#landing()
    if (copies.evictionsCount > this.#evictionsCount) return false
    let room = this.#room()
    // Those that lie there void, or stale, need no room of their own.
    const fitting = missing.filter((key) => copies.find(key) !== undefined || room-- > 0)
    if (fitting.length > 0) this.#begin(fitting, load)
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

  #begin(keys: readonly string[], load: WarmPage['load']): void {
    this.#expectedCount += keys.length
    const loading = load(keys)
      .then((counts) => {
        this.#add(counts)
        this.#wish.progress?.({ ...this.#counts })
      })
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running.delete(loading)
        this.#expectedCount -= keys.length
      })
    this.#running.add(loading)
  }

  #add({ loadedCount, presentCount, absentCount, failedCount }: KeyCounts): void {
    this.#counts.loadedCount += loadedCount
    this.#counts.presentCount += presentCount
    this.#counts.absentCount += absentCount
    this.#counts.failedCount += failedCount
  }

  #check(): void {
    const { signal, pattern } = this.#wish
    if (signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', `warming '${pattern}' was given up; what was loaded stays`, {
        details: { pattern },
        cause: signal.reason,
      })
    this.#options.store.assertOpen()
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
