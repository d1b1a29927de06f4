/**
 * Whether a copy may be served, and whether what has been loaded may be kept. All rules that decide
 * stand here (docs/data-layer.md); who loads, and when, does not matter to them.
 */
import { copyLoose, isLoose, shared } from '../../crdt/encoding/shared-value.ts'
import type { CopyRules } from '../keys/source/source.ts'
import { LIFE_MS_MAX } from '../limits.ts'
import type { Env } from '../ports/env.ts'
import { randomShare } from '../ports/random-word.ts'
import { CoarseClock } from './coarse-clock.ts'
import { BEHIND, Copies, GONE, LOOSE, VOID, type CopyLimits, type CopySlot } from './copies.ts'
import type { Invalidations } from './invalidations.ts'
import { Usage } from './usage.ts'

/** In the place of a value: there is none that may be served. */
export const MISS: unique symbol = Symbol('miss')

/** What a load, a write or another replica has brought. */
export interface Brought {
  readonly value: unknown
  /** How many invalidations had been seen when it began. */
  readonly begin: number
  readonly rules: CopyRules
  readonly tags: readonly string[]
  /** How long it is to live, ms, if that is said of this value. */
  readonly lifeMs?: number | undefined
  /** It is a copy of one that ends after `lifeMs`: nothing is added to that. */
  readonly endsThen?: boolean
}

export class Keeper {
  readonly copies: Copies
  readonly #invalidations: Invalidations
  readonly #env: Env
  readonly #clock: CoarseClock
  readonly #usage = new Usage()
  /** Keys whose copies are not served now, whatever else: they are on a lease that may have run out. */
  hides: ((key: string) => boolean) | undefined
  /** What operations that have come since make of a copy; `MISS`: that has to be loaded. */
  catchUp: (key: string) => unknown = () => MISS
  /** Told of each copy that has gone. */
  onGone: ((key: string) => void) | undefined
  /** Until when a stale copy is served without another try. */
  readonly #throttled = new Map<CopySlot, number>()

  constructor(limits: CopyLimits, invalidations: Invalidations, env: Env) {
    this.#invalidations = invalidations
    this.#env = env
    this.#clock = new CoarseClock(env)
    this.copies = new Copies(limits, {
      onGone: (slot, key) => {
        if (this.#throttled.size > 0) this.#throttled.delete(slot)
        this.#usage.forget(slot)
        this.onGone?.(key)
      },
      isWorthless: (slot) => !this.#isStillValid(slot),
    })
  }

  /** The value of a copy whose life is not over and that nothing has made void; otherwise `MISS`. */
  fresh(slot: CopySlot): unknown {
    const { copies } = this
    const flags = copies.flags[slot]!
    if ((flags & (VOID | GONE)) !== 0 || this.hides?.(copies.keyAt(slot)) === true) return MISS
    if (copies.begins[slot]! < this.#invalidations.lastWideAt && !this.#isStillValid(slot)) return MISS
    const endsAtMs = copies.endsAtMs[slot]!
    if (endsAtMs !== Infinity && !this.#isAlive(slot, endsAtMs)) return MISS
    if ((flags & BEHIND) !== 0 && !this.#isCaughtUp(slot)) return MISS
    copies.visit(slot)
    const value = copies.values[slot]
    return (copies.flags[slot]! & LOOSE) === 0 ? value : copyLoose(value)
  }

  /** What a read would be given, which this is not: it counts as no use of the copy. `MISS`: it would load. */
  shown(slot: CopySlot): unknown {
    const { copies } = this
    if (!this.#isStillValid(slot) || this.hides?.(copies.keyAt(slot)) === true) return MISS
    if (copies.endsAtMs[slot]! <= this.#env.monotonic()) return MISS
    if ((copies.flags[slot]! & BEHIND) !== 0 && !this.#isCaughtUp(slot)) return MISS
    return copies.values[slot]
  }

  /** Whether a read would not be given it, as far as can be seen at once. */
  isOver(slot: CopySlot): boolean {
    return (this.copies.flags[slot]! & (VOID | GONE)) !== 0 || this.copies.endsAtMs[slot]! <= this.#env.monotonic()
  }

  /** Whether nobody could be given it any more, not even as a stale copy. */
  isDead(slot: CopySlot): boolean {
    const { staleMs, servesVoid } = this.copies.rulesOf(slot)
    if (!this.#isStillValid(slot) && ((this.copies.flags[slot]! & GONE) !== 0 || !servesVoid)) return true
    return this.copies.endsAtMs[slot]! + staleMs <= this.#env.monotonic()
  }

  /** An operation of the key has entered. */
  behind(key: string): void {
    const slot = this.copies.find(key)
    if (slot !== undefined) this.copies.flags[slot]! |= BEHIND
  }

  #isCaughtUp(slot: CopySlot): boolean {
    const { copies } = this
    const value = this.catchUp(copies.keyAt(slot))
    if (value === MISS || value === undefined) return false
    copies.values[slot] = shared(value)
    copies.flags[slot] = (copies.flags[slot]! & ~(BEHIND | LOOSE)) | (isLoose(value) ? LOOSE : 0)
    return true
  }

  /** Whether a copy that is fresh has lived for so long that a new one is to be loaded behind the reader. */
  isRefreshDue(slot: CopySlot): boolean {
    const { copies } = this
    const { refreshAhead } = copies.rulesOf(slot)
    if (refreshAhead === 1 || copies.endsAtMs[slot] === Infinity) return false
    const dueMs = copies.endsAtMs[slot]! - (copies.lifeMsOf(slot) ?? 0) * (1 - refreshAhead)
    return this.#clock.now() >= dueMs && !this.isThrottled(slot)
  }

  /** The value of a copy that may be served where the source fails or is slow; otherwise `MISS`. */
  stale(slot: CopySlot): unknown {
    const { copies } = this
    const { staleMs, servesVoid } = copies.rulesOf(slot)
    this.#isStillValid(slot)
    const flags = copies.flags[slot]!
    if ((flags & GONE) !== 0 || ((flags & VOID) !== 0 && !servesVoid)) return MISS
    if (this.hides?.(copies.keyAt(slot)) === true) return MISS
    if (copies.endsAtMs[slot]! + staleMs <= this.#env.monotonic()) return MISS
    if ((flags & BEHIND) !== 0 && !this.#isCaughtUp(slot)) return MISS
    const value = copies.values[slot]
    return (copies.flags[slot]! & LOOSE) === 0 ? value : copyLoose(value)
  }

  /** What is in memory of a key, however old: for a loader that asks whether it has changed. */
  former(key: string): unknown {
    const slot = this.copies.find(key)
    if (slot === undefined) return undefined
    this.#isStillValid(slot)
    const isShown = (this.copies.flags[slot]! & GONE) === 0 && this.hides?.(key) !== true
    return isShown ? copyLoose(this.copies.values[slot]) : undefined
  }

  isThrottled(slot: CopySlot): boolean {
    const untilMs = this.#throttled.get(slot)
    return untilMs !== undefined && this.#env.monotonic() < untilMs
  }

  /** A load has failed: the next try waits. Counted from now, and not from the end of the life. */
  throttle(key: string, { throttleMs }: CopyRules): void {
    const slot = this.copies.find(key)
    if (slot !== undefined && throttleMs > 0) this.#throttled.set(slot, this.#env.monotonic() + throttleMs)
  }

  /**
   * Keeps what has been brought, unless something that is about it has come since it began. Returns
   * whether nothing had: then it may be given to whoever has asked since, too.
   */
  keep(key: string, brought: Brought): boolean {
    const { value, begin, rules, tags } = brought
    if (this.#invalidations.verdict(key, tags, begin) !== 'valid') return false
    const slot = this.copies.find(key)
    const lifeMs = value === undefined ? rules.negativeTtlMs : this.#lifeMs(key, slot, brought)
    if (lifeMs === 0) {
      // The source has no value, and that is not to be remembered.
      if (slot !== undefined) this.copies.remove(slot)
      return true
    }
    const hasJitter = lifeMs !== Infinity && brought.endsThen !== true
    const endsAtMs = this.#env.monotonic() + lifeMs + (hasJitter ? this.#jitter(rules) : 0)
    const kept = { value, begin, endsAtMs, lifeMs, rules, tags: tags.length === 0 ? undefined : tags }
    this.copies.install(key, kept, isLoose(value))
    if (slot !== undefined) this.#throttled.delete(slot)
    return true
  }

  /** An invalidation of a key has entered: carried out at once. */
  voids(key: string, isHard: boolean): void {
    const slot = this.copies.find(key)
    if (slot === undefined) return
    if (isHard) this.copies.remove(slot)
    else this.copies.flags[slot]! |= VOID
  }

  drop(key: string): void {
    const slot = this.copies.find(key)
    if (slot !== undefined) this.copies.remove(slot)
  }

  /** Looks through what has come since the copy began. */
  #isStillValid(slot: CopySlot): boolean {
    const { copies } = this
    const { count, lastWideAt } = this.#invalidations
    if (copies.begins[slot]! >= lastWideAt) return (copies.flags[slot]! & (VOID | GONE)) === 0
    const verdict = this.#invalidations.verdict(copies.keyAt(slot), copies.tags[slot], copies.begins[slot]!)
    // Nothing of what has come until now is about it, or it is noted.
    copies.begins[slot] = count
    if (verdict === 'valid') return (copies.flags[slot]! & (VOID | GONE)) === 0
    copies.flags[slot]! |= verdict === 'gone' ? VOID | GONE : VOID
    if (verdict === 'gone') copies.values[slot] = undefined
    return false
  }

  #isAlive(slot: CopySlot, endsAtMs: number): boolean {
    const nowMs = this.#clock.now()
    const { isSliding, adaptive } = this.copies.rulesOf(slot)
    if (adaptive !== undefined) this.#usage.note(slot, adaptive.windowMs, nowMs)
    if (nowMs >= endsAtMs) return false
    if (isSliding) this.copies.endsAtMs[slot] = Math.max(endsAtMs, nowMs + (this.copies.lifeMsOf(slot) ?? 0))
    return true
  }

  #lifeMs(key: string, slot: CopySlot | undefined, { rules, lifeMs }: Brought): number {
    if (lifeMs !== undefined) return lifeMs
    const { adaptive, ttlMs } = rules
    if (adaptive === undefined) return ttlMs === 0 ? Infinity : ttlMs
    const { windowMs } = adaptive
    const readsCount = slot === undefined ? 0 : this.#usage.count(slot, windowMs, this.#env.monotonic())
    const beforeMs = slot === undefined ? undefined : this.copies.lifeMsOf(slot)
    const next = adaptive.lifeMs({ key, beforeMs, readsCount })
    return Number.isNaN(next) ? 1 : Math.min(LIFE_MS_MAX, Math.max(1, next))
  }

  #jitter({ jitterMs }: CopyRules): number {
    return jitterMs === 0 ? 0 : randomShare(this.#env) * jitterMs
  }
}
