/** One key, one source, many callers; and a record of what happened, by which every answer is judged. */
import { type Counts, fail } from '../explorer.ts'
import { type Answer, Cache, type Caller, type Options, type Outside, type Value } from './cache.ts'

interface Try {
  readonly id: number
  readonly order: number
  readonly at: number
  /** What the source held when it was asked, once it was. */
  executed: { readonly value: Value; readonly version: number } | undefined
}

/** What was kept, and what has happened to it since. */
interface Kept {
  readonly value: Value
  readonly at: number
  softened: boolean
  hardened: boolean
}

export interface Config extends Options {
  readonly profile: number
}

export class World implements Outside {
  now = 1000
  source: Value = 1
  /** How often the source has changed. */
  version = 1
  tries: Try[] = []
  waiting: Caller[] = []
  readonly cache: Cache
  readonly counts: Counts = { fresh: 0, stale: 0, loaded: 0, failed: 0, 'timed out': 0, tries: 0, negatives: 0 }
  kept: Kept | undefined
  lastFailure = -Infinity
  /** Invalidations, in order, with the version of the source then. */
  readonly invalidations: { readonly order: number; readonly version: number }[] = []
  /** The version that the load which is being answered has seen. */
  #answering = 0
  order = 0
  #callers = 0
  readonly #orders = new Map<number, number>()

  readonly config: Config
  readonly mutant: string
  readonly trace: string[] | undefined

  constructor(config: Config, mutant: string, trace?: string[]) {
    this.config = config
    this.mutant = mutant
    this.trace = trace
    this.cache = new Cache(config, this)
  }

  say(text: string): void {
    this.trace?.push(`${String(this.now).padStart(6)}  ${text}`)
  }

  // -- what callers and time do --

  read(): void {
    const caller = { id: ++this.#callers, at: this.now }
    this.waiting.push(caller)
    this.#orders.set(caller.id, this.order)
    const { tries, fresh } = this.counts
    const isFresh = this.#isFresh()
    this.cache.read(caller)
    if (isFresh && this.counts['fresh'] === fresh) fail('a copy that lives is not served')
    const isWaiting = this.waiting.includes(caller)
    if (isWaiting && this.tries.length === 0) fail(`caller ${caller.id} waits, and nothing was asked of the source`)
    const asked = this.counts['tries'] !== tries
    if (asked && this.now < this.lastFailure + this.config.throttleMs && this.#mayServeStale())
      fail(`the source is asked ${this.now - this.lastFailure} ms after it failed, though there is something to serve`)
  }

  pass(ms: number): void {
    this.now += ms
    this.cache.tick(this.now)
    for (const { id, at } of this.waiting) {
      const waited = this.now - at
      if (waited >= this.config.hardTimeoutMs) fail(`caller ${id} waits for ${waited} ms, beyond the hard timeout`)
      if (waited >= this.config.softTimeoutMs && this.#mayServeStale())
        fail(`caller ${id} waits for ${waited} ms, beyond the soft timeout, though there is something to serve`)
    }
  }

  invalidate(isHard: boolean): void {
    this.order++
    this.invalidations.push({ order: this.order, version: this.version })
    if (this.kept) this.kept[isHard ? 'hardened' : 'softened'] = true
    this.cache.invalidate(isHard)
  }

  // -- what the source does --

  load(id: number): void {
    this.counts['tries']!++
    this.order++
    if (this.tries.length > 0) fail('the source is asked while it is being asked')
    this.tries.push({ id, order: this.order, at: this.now, executed: undefined })
  }

  execute(): void {
    const open = this.tries[0]
    if (open) open.executed ??= { value: this.source, version: this.version }
  }

  respond(): void {
    const done = this.tries[0]
    if (!done?.executed) return
    this.tries = []
    const { value, version } = done.executed
    this.#answering = version
    const isVoid = this.invalidations.some(({ order }) => order > done.order)
    if (!isVoid) this.kept = { value, at: this.now, softened: false, hardened: false }
    if (value === undefined) this.counts['negatives']!++
    this.lastFailure = -Infinity
    this.cache.loaded(done.id, value, this.now)
    const { entry } = this.cache
    if (!isVoid && entry?.loadedAt !== this.now) fail('what a load brings is not kept')
  }

  break(): void {
    const done = this.tries.shift()
    if (!done) return
    this.lastFailure = this.now
    this.cache.failed(done.id, this.now)
  }

  // -- how answers are judged --

  answer(caller: Caller, answer: Answer): void {
    this.counts[answer.kind]!++
    this.waiting = this.waiting.filter(({ id }) => id !== caller.id)
    if (answer.kind === 'fresh') this.#judgeFresh(answer.value)
    else if (answer.kind === 'stale') this.#judgeStale(caller, answer.value)
    else if (answer.kind === 'loaded') this.#judgeLoaded(caller)
    else if (this.now < caller.at + this.config.hardTimeoutMs && this.lastFailure < this.now)
      fail(`caller ${caller.id} is told that the load ${answer.kind}, and no load has`)
  }

  #life(value: Value): number {
    return value === undefined ? this.config.negativeTtlMs : this.config.ttlMs
  }

  #judgeFresh(value: Value): void {
    const { kept } = this
    if (!kept || kept.value !== value) fail(`${value ?? 'nothing'} is served as fresh, and was not kept`)
    if (kept.softened || kept.hardened) fail('a voided copy is served as fresh')
    if (this.now >= kept.at + this.#life(value)) fail(`a copy of ${kept.at} is served as fresh`)
  }

  /** Stale values are for when the source fails, is slow, or has failed just before. */
  #judgeStale({ at }: Caller, value: Value): void {
    const { kept } = this
    if (!kept || kept.value !== value) fail(`${value ?? 'nothing'} is served stale, and was not kept`)
    if (!this.#mayServeStale()) fail(`a copy of ${kept.at} is served stale`)
    const { softTimeoutMs, throttleMs } = this.config
    const hasFailed = this.now === this.lastFailure || this.now < this.lastFailure + throttleMs
    const isSlow = [at, ...this.tries.map((open) => open.at)].some((since) => this.now >= since + softTimeoutMs)
    if (!hasFailed && !isSlow) fail('a stale value is served, and the source has not failed and is not slow')
  }

  #isFresh(): boolean {
    const { kept } = this
    return kept !== undefined && !kept.softened && !kept.hardened && this.now < kept.at + this.#life(kept.value)
  }

  #mayServeStale(): boolean {
    const { kept, config } = this
    if (!kept || kept.hardened || (kept.softened && !config.staleAfterInvalidation)) return false
    const grace = kept.value === undefined ? 0 : config.staleMs
    return this.now < kept.at + this.#life(kept.value) + grace
  }

  /** Who began after an invalidation gets nothing that was loaded before. */
  #judgeLoaded({ id }: Caller): void {
    const before = this.invalidations.filter(({ order }) => order <= this.#orders.get(id)!)
    if ((before.at(-1)?.version ?? 0) > this.#answering)
      fail(`caller ${id} gets what was loaded before an invalidation`)
  }
}
