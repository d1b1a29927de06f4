/**
 * Requests to a primary store, in bounds: a time limit for each, so many at a time, reads of single
 * keys in the same turn as one, and a breaker. What is not sent was not executed; what was given up
 * may be. A store that is left alone is asked for next to nothing now and then: one row, or one key.
 */
import { asError, isWarpError, type WarpError } from '../../../crdt/warp-error.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import { randomShare } from '../../ports/random-word.ts'
import type { Recorder } from '../../ports/recorder.ts'
import type {
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreRequest,
  StoreRow,
  TombstonePage,
} from '../../ports/primary-store.ts'
import { storeError } from '../../ports/stores/store-error.ts'
import type { EngineEvent } from '../../store/event.ts'
import { Breaker } from './breaker.ts'

export interface StoreClientOptions {
  readonly store: PrimaryStore
  readonly env: Env
  /** Bounds one request, ms. */
  readonly timeoutMs: number
  readonly observe: (event: EngineEvent) => void
  readonly recorder?: Recorder | undefined
}

/** Keys in one request. */
export const REQUEST_KEYS_MAX = 1000
/** Requests under way at a time; the others wait. */
const REQUESTS_MAX = 16
/** A read that failed is tried again so often, unless the store is left alone by then. */
const READ_TRIES = 3
const RETRY_MS = 3

interface WantedRow {
  readonly key: string
  readonly take: (row: StoreRow | undefined) => void
  readonly fail: (error: Error) => void
}

type Send<Answer> = (request: StoreRequest) => Promise<Answer>

export class StoreClient {
  readonly store: PrimaryStore
  readonly breaker: Breaker
  /** Told of each row that has been read or written. */
  onRow: ((key: string, row: StoreRow | undefined) => void) | undefined
  requestsCount = 0
  failuresCount = 0
  readonly #options: StoreClientOptions
  #wanted: WantedRow[] = []
  #underWay = 0
  readonly #waiting: (() => void)[] = []
  readonly #closing = new AbortController()
  #isChecked: boolean

  constructor(options: StoreClientOptions) {
    this.store = options.store
    this.#options = options
    this.breaker = new Breaker(options.env)
    this.#isChecked = options.store.check === undefined
  }

  /**
   * Makes what the store needs, or checks it. Throws what no other try can mend; a store that cannot
   * be reached is asked again before its first request.
   */
  async open(): Promise<void> {
    try {
      await this.#check()
    } catch (error) {
      if (isBroken(error)) throw error
    }
  }

  async #check(): Promise<void> {
    if (this.#isChecked) return
    const check: Send<void> = (request) => this.store.check?.(request) ?? Promise.resolve()
    await this.#request(check, check)
    this.#isChecked = true
  }

  /** The row of a key. What is wanted in the same turn is read at once. */
  read(key: string): Promise<StoreRow | undefined> {
    return new Promise((take, fail) => {
      this.#wanted.push({ key, take, fail })
      if (this.#wanted.length === 1) this.#options.env.defer(() => this.#readWanted())
      if (this.#wanted.length === REQUEST_KEYS_MAX) this.#readWanted()
    })
  }

  #readWanted(): void {
    const wanted = this.#wanted
    this.#wanted = []
    if (wanted.length === 0) return
    const byKey = new Map<string, WantedRow[]>()
    for (const one of wanted) {
      const same = byKey.get(one.key)
      if (same === undefined) byKey.set(one.key, [one])
      else same.push(one)
    }
    const all = [...byKey.values()]
    this.readRows([...byKey.keys()]).then(
      (rows) => all.forEach((same, i) => same.forEach(({ take }) => take(rows[i]))),
      (error: unknown) => all.forEach((same) => same.forEach(({ fail }) => fail(asError(error)))),
    )
  }

  /** In the order of the keys. No key may be there twice. */
  async readRows(keys: readonly string[]): Promise<(StoreRow | undefined)[]> {
    const rows: (StoreRow | undefined)[] = []
    for (let from = 0; from < keys.length; from += REQUEST_KEYS_MAX)
      rows.push(...(await this.#readBatch(keys.slice(from, from + REQUEST_KEYS_MAX))))
    return rows
  }

  #readBatch(keys: readonly string[]): Promise<(StoreRow | undefined)[]> {
    return this.#tried(async () => {
      const rows = await this.#request((request) => this.store.readRows(keys, request), this.#readingOf(keys[0]))
      if (rows.length === keys.length) {
        for (const [i, key] of keys.entries()) this.onRow?.(key, rows[i])
        return rows
      }
      throw answersWrongly(this.store, `${rows.length} rows for ${keys.length} keys`)
    })
  }

  /** What changes nothing may be asked again. All tries together take no longer than one may. */
  async #tried<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const { env, timeoutMs } = this.#options
    const since = env.monotonic()
    const isVain = (tries: number, error: unknown): boolean =>
      tries === READ_TRIES || isBroken(error) || isAway(error) || env.monotonic() - since >= timeoutMs
    for (let tries = 1; ; tries++) {
      try {
        await this.#check()
        return await ask()
      } catch (error) {
        if (isVain(tries, error) || this.breaker.isOpen || this.#closing.signal.aborted) throw error
        await this.#pause(tries)
      }
    }
  }

  /** Outcomes in the order of the changes. Rejects where it is not known what was done. */
  async compareAndSet(changes: readonly RowChange[]): Promise<RowOutcome[]> {
    await this.#check()
    const cheap = this.#readingOf(changes[0]?.key)
    const outcomes = await this.#request((request) => this.store.compareAndSet(changes, request), cheap)
    if (outcomes.length === changes.length) {
      for (const [i, { key, next }] of changes.entries()) if (outcomes[i]?.kind === 'done') this.onRow?.(key, next)
      return outcomes
    }
    throw answersWrongly(this.store, `${outcomes.length} outcomes for ${changes.length} changes`)
  }

  /** Keys with a value, in order, behind `after`. */
  listKeys(prefix: string, after: string | undefined, limit: number): Promise<string[]> {
    return this.#tried(async () => {
      const list = (many: number): Send<string[]> => {
        return ({ signal }) => this.store.listKeys({ prefix, after, limit: many, signal })
      }
      const keys = await this.#request(list(limit), list(1))
      // Who lists page by page would never come to an end.
      if (after === undefined || !keys.includes(after)) return keys
      throw answersWrongly(this.store, 'a page of keys that begins before the one that it was to begin behind')
    })
  }

  /** Removes those of the rows that are tombstones with these tokens; answers how many. */
  purge(rows: readonly PurgedRow[]): Promise<number> {
    const cheap = this.#readingOf(rows[0]?.key)
    return this.#tried(() => this.#request((request) => this.store.purge(rows, request), cheap))
  }

  /** Of a store that can list them. */
  listTombstones(from: string | undefined, limit: number): Promise<TombstonePage> {
    const none = Promise.resolve({ rows: [] })
    const list = (many: number): Send<TombstonePage> => {
      return ({ signal }) => this.store.listTombstones?.({ from, limit: many, signal }) ?? none
    }
    return this.#tried(() => this.#request(list(limit), list(1)))
  }

  /** What is asked where the same request would be asked in vain: one row of those that it was about. */
  #readingOf(key: string | undefined): Send<unknown> {
    const keys = key === undefined ? [] : [key]
    return (request) => this.store.readRows(keys, request)
  }

  /** Gives up what is under way, and what waits. */
  close(): void {
    this.#closing.abort()
    this.breaker.close()
    for (const go of this.#waiting.splice(0)) go()
  }

  /** `cheap`: what may be asked instead, to see whether the store is back. */
  async #request<Answer>(send: Send<Answer>, cheap: Send<unknown>): Promise<Answer> {
    this.#assertAsked()
    if (this.#underWay === REQUESTS_MAX) await new Promise<void>((go) => this.#waiting.push(go))
    this.#underWay++
    try {
      // Those before may have failed meanwhile.
      this.#assertAsked()
      return await this.#judged(send, cheap)
    } finally {
      this.#underWay--
      this.#waiting.shift()?.()
    }
  }

  #assertAsked(): void {
    if (this.breaker.isOpen) throw leftAlone(this.store, this.breaker.waitMs)
  }

  async #judged<Answer>(send: Send<Answer>, cheap: Send<unknown>): Promise<Answer> {
    try {
      const letGo = this.#options.env.stayAlive?.()
      const answer = await this.#sent(send).finally(letGo)
      if (this.breaker.succeeded()) this.#isBack()
      return answer
    } catch (error) {
      this.#failed(asError(error), cheap)
      throw error
    }
  }

  #sent<Answer>(send: Send<Answer>): Promise<Answer> {
    const { recorder } = this.#options
    this.requestsCount++
    const work = (): Promise<Answer> => this.#timed(send)
    return recorder === undefined ? work() : recorder.span(INSTRUMENTS.storeRequest, work)
  }

  #failed(error: Error, cheap: Send<unknown>): void {
    if (this.#closing.signal.aborted) return
    this.failuresCount++
    const { name } = this.store
    // A store that says what is wrong has answered.
    if (isBroken(error)) {
      if (this.breaker.succeeded()) this.#isBack()
    } else if (
      this.breaker.failed(
        () => this.#isAnswering(cheap),
        () => this.#isBack(),
      )
    )
      this.#options.observe({ kind: 'primary:failing', store: name, error })
  }

  #isBack(): void {
    this.#options.observe({ kind: 'primary:recovered', store: this.store.name })
  }

  /** Nobody waits for it, so it does not keep the process alive. */
  async #isAnswering(cheap: Send<unknown>): Promise<boolean> {
    try {
      await this.#sent(this.#isChecked ? cheap : (request) => this.store.check?.(request) ?? cheap(request))
      return true
    } catch (error) {
      if (this.#closing.signal.aborted) return false
      this.failuresCount++
      return isBroken(error)
    }
  }

  async #timed<Answer>(send: Send<Answer>): Promise<Answer> {
    const { env, timeoutMs } = this.#options
    const controller = new AbortController()
    let isLate = false
    const timer = env.schedule(timeoutMs, () => {
      isLate = true
      controller.abort()
    })
    const stop = whenAborted(this.#closing.signal, () => controller.abort())
    if (this.#closing.signal.aborted) controller.abort()
    try {
      return await send({ signal: controller.signal })
    } catch (error) {
      if (isLate) throw tooLate(this.store, timeoutMs, error)
      throw error
    } finally {
      timer.cancel()
      stop()
    }
  }

  #pause(tries: number): Promise<void> {
    const { env } = this.#options
    return new Promise((resolve) => env.schedule(RETRY_MS * 2 ** tries * (1 + randomShare(env)), resolve))
  }
}

/** No other try mends it. */
export function isBroken(error: unknown): boolean {
  if (isWarpError(error, 'WARP_E_CONFIG')) return true
  return isWarpError(error, 'WARP_E_STORE') && error.details['failure'] === 'broken'
}

/** Another try at once is of no use. */
function isAway(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_STORE') && error.details['isAway'] === true
}

function leftAlone({ name }: PrimaryStore, waitMs: number): WarpError {
  return storeError({
    store: name,
    failure: 'transient',
    message: `it has failed again and again and is not asked for the next ${Math.ceil(waitMs)} ms; look at the store`,
  })
}

function tooLate({ name }: PrimaryStore, timeoutMs: number, cause: unknown): WarpError {
  return storeError({
    store: name,
    failure: 'transient',
    message: `it has not answered within ${timeoutMs} ms; the request may be executed all the same; raise storeTimeoutMs, or look at the store`,
    cause,
    outcome: 'indeterminate',
  })
}

function answersWrongly({ name }: PrimaryStore, message: string): WarpError {
  return storeError({ store: name, failure: 'broken', message: `it answered with ${message}` })
}
