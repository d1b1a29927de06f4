/**
 * The life of one key on one replica: fresh, then stale for a while, then gone. These are the rules; what happens to a
 * schedule of them is judged in `world.ts`, by a record that the rules do not see.
 */
export interface Options {
  readonly ttlMs: number
  readonly staleMs: number
  readonly throttleMs: number
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  /** The share of the life after which a read refreshes behind; 1 is never. */
  readonly refreshAhead: number
  readonly negativeTtlMs: number
  readonly staleAfterInvalidation: boolean
}

/** `undefined` is a negative entry: the source says that there is nothing. */
export type Value = number | undefined

type Void = 'no' | 'soft' | 'hard'

interface Entry {
  readonly value: Value
  readonly loadedAt: number
  freshUntil: number
  readonly staleUntil: number
  isVoid: Void
}

export interface Caller {
  readonly id: number
  readonly at: number
}

interface Flight {
  readonly id: number
  readonly at: number
  isVoid: boolean
  callers: (Caller & { isLate: boolean })[]
}

export type Answer =
  { readonly kind: 'fresh' | 'stale' | 'loaded'; readonly value: Value } | { readonly kind: 'failed' | 'timed out' }

/** What the cache asks of the world. */
export interface Outside {
  readonly mutant: string
  load(flight: number): void
  answer(caller: Caller, answer: Answer): void
}

export class Cache {
  entry: Entry | undefined
  flight: Flight | undefined
  throttleUntil = 0
  #flights = 0

  readonly options: Options
  readonly outside: Outside

  constructor(options: Options, outside: Outside) {
    this.options = options
    this.outside = outside
  }

  #is(mutant: string): boolean {
    return this.outside.mutant === mutant
  }

  read(caller: Caller): void {
    const { entry } = this
    const now = caller.at
    if (entry && entry.isVoid === 'no' && now < entry.freshUntil) {
      this.outside.answer(caller, { kind: 'fresh', value: entry.value })
      this.#refreshAhead(entry, now)
      return
    }
    const stale = this.#stale(now)
    // The source has failed a moment ago, or has been slow for longer than anybody waits: nobody waits again.
    const isSlow = this.flight !== undefined && now >= this.flight.at + this.options.softTimeoutMs
    const isThrottled = now < this.throttleUntil
    if (stale && (isSlow || isThrottled)) this.outside.answer(caller, { kind: 'stale', value: stale.value })
    else if (isThrottled && this.#is('throttle-without-stale')) this.outside.answer(caller, { kind: 'failed' })
    else this.#wait(caller)
  }

  #wait(caller: Caller): void {
    this.flight ??= this.#begin(caller.at)
    this.flight.callers.push({ ...caller, isLate: this.flight.isVoid })
  }

  #begin(now: number): Flight {
    const flight = { id: ++this.#flights, at: now, isVoid: false, callers: [] }
    this.outside.load(flight.id)
    return flight
  }

  #refreshAhead({ loadedAt, freshUntil }: Entry, now: number): void {
    const isDue = now >= loadedAt + (freshUntil - loadedAt) * this.options.refreshAhead
    if (!isDue || (this.flight && !this.#is('refreshes-twice'))) return
    if (now >= this.throttleUntil || this.#is('refresh-not-throttled')) this.flight = this.#begin(now)
  }

  /** What may be served when the source does not answer. */
  #stale(now: number): Entry | undefined {
    const { entry } = this
    if (!entry) return undefined
    const isWithin = now < entry.staleUntil || this.#is('stale-for-ever')
    if (entry.isVoid === 'no') return isWithin ? entry : undefined
    const isAllowed = this.options.staleAfterInvalidation && (entry.isVoid === 'soft' || this.#is('hard-is-soft'))
    return isWithin && (isAllowed || this.#is('stale-after-invalidation')) ? entry : undefined
  }

  /** Time has passed: callers who have waited for long enough are answered. */
  tick(now: number): void {
    const { flight } = this
    if (!flight) return
    const { softTimeoutMs, hardTimeoutMs } = this.options
    const stale = this.#stale(now)
    const waiting = flight.callers.filter((caller) => {
      const waited = now - caller.at
      if (stale && waited >= softTimeoutMs && !this.#is('soft-timeout-ignored'))
        this.outside.answer(caller, { kind: 'stale', value: stale.value })
      else if (waited >= hardTimeoutMs && !this.#is('hard-timeout-ignored'))
        this.outside.answer(caller, stale ? { kind: 'stale', value: stale.value } : { kind: 'timed out' })
      else return true
      return false
    })
    flight.callers = waiting
  }

  loaded(id: number, value: Value, now: number): void {
    const { flight } = this
    if (flight?.id !== id) return
    this.flight = undefined
    if (!this.#is('success-keeps-throttle')) this.throttleUntil = 0
    const isDropped = this.#is('late-load-dropped') && now >= flight.at + this.options.softTimeoutMs
    if ((!flight.isVoid || this.#is('void-answer-kept')) && !isDropped) this.#keep(value, now)
    const late = flight.callers.filter(({ isLate }) => isLate && !this.#is('late-callers-get-void-answer'))
    for (const caller of flight.callers)
      if (!late.includes(caller)) this.outside.answer(caller, { kind: 'loaded', value })
    if (late.length === 0) return
    this.flight = this.#begin(now)
    this.flight.callers = late.map((caller) => ({ ...caller, isLate: false }))
  }

  #keep(value: Value, now: number): void {
    const { ttlMs, staleMs, negativeTtlMs } = this.options
    const isNegative = value === undefined
    const freshUntil = now + (isNegative && !this.#is('negative-lives-like-values') ? negativeTtlMs : ttlMs)
    // That there was nothing is not worth serving once it may be wrong.
    const staleUntil = isNegative && !this.#is('negative-has-grace') ? freshUntil : freshUntil + staleMs
    this.entry = { value, loadedAt: now, freshUntil, staleUntil, isVoid: 'no' }
  }

  /** The source has failed, or the request was given up. Nothing is said of what is there: it stays what it was. */
  failed(id: number, now: number): void {
    const { flight, entry } = this
    if (flight?.id !== id) return
    this.flight = undefined
    const { throttleMs } = this.options
    const from = this.#is('throttle-from-expiry') && entry ? entry.freshUntil : now
    this.throttleUntil = from + throttleMs
    if (entry && this.#is('failure-shortens-life')) entry.freshUntil = Math.min(entry.freshUntil, now)
    if (entry && this.#is('failure-renews-life')) entry.freshUntil = Math.max(entry.freshUntil, now + throttleMs)
    const stale = this.#stale(now)
    for (const caller of flight.callers)
      this.outside.answer(caller, stale ? { kind: 'stale', value: stale.value } : { kind: 'failed' })
  }

  invalidate(isHard: boolean): void {
    if (this.flight) this.flight.isVoid = true
    if (!this.entry) return
    const isSofter = !isHard && this.entry.isVoid === 'hard' && !this.#is('soft-after-hard')
    if (!isSofter) this.entry.isVoid = isHard ? 'hard' : 'soft'
  }
}
