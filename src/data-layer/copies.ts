/**
 * Copies in memory: what loads have brought. No operations: a copy may go at any time, and comes back
 * by a load. A table of columns, a slot for each copy; whom to let go says a policy (`policies/`), SIEVE unless
 * the user chooses another.
 */
import { isNumberFrom } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { grown } from '../keys/key-table.ts'
import type { CopyRules } from '../keys/source/source.ts'
import { RulesColumn } from './columns/rules-column.ts'
import type { CopyPolicy, PolicyFacts } from './policies/policy.ts'

export type CopySlot = number

export interface CopyLimits {
  readonly entriesMax: number
  readonly bytesMax: number
  /** What a copy weighs, bytes. */
  readonly weigh: (key: string, value: unknown) => number
  /** Whom to let go. */
  readonly policy: (facts: PolicyFacts) => CopyPolicy
}

/** What is known of a value that has been loaded. */
export interface Loaded {
  readonly value: unknown
  /** How many invalidations had been seen here when the load began. */
  readonly begin: number
  /** When its life ends, ms of the monotonic clock; `Infinity`: never. */
  readonly endsAtMs: number
  /** How long it lives, ms. */
  readonly lifeMs: number
  readonly rules: CopyRules
  /** Every group that it belongs to. */
  readonly tags: readonly string[] | undefined
}

/** An invalidation has made it void. */
export const VOID = 1
/** It is not to be served as a stale one either. */
export const GONE = 2
/** Whoever reads it gets a copy of its own: it holds bytes or dates. */
export const LOOSE = 8
/** Operations have come since, and the value does not show them yet. */
export const BEHIND = 16

const CAPACITY_MIN = 64

export class Copies {
  values: unknown[] = []
  tags: (readonly string[] | undefined)[] = []
  flags: Uint8Array = new Uint8Array(CAPACITY_MIN)
  begins: Float64Array = new Float64Array(CAPACITY_MIN)
  endsAtMs: Float64Array = new Float64Array(CAPACITY_MIN)
  /** There is none before the first copy whose rules ask for it. */
  #livesMs: Float64Array | undefined
  #keys: string[] = []
  readonly #rules = new RulesColumn(CAPACITY_MIN)
  /** Only where weight is bounded. */
  readonly #weights: { of: Float64Array } | undefined
  readonly #slots = new Map<string, CopySlot>()
  #free: CopySlot[] = []
  #used = 0
  #bytes = 0
  evictionsCount = 0
  readonly #limits: CopyLimits
  readonly #onGone: (slot: CopySlot, key: string) => void
  readonly #policy: CopyPolicy

  /**
   * `onGone` is told of each copy that goes, for whatever reason; `isWorthless` says whether one could
   * not be served any more.
   */
  constructor(
    limits: CopyLimits,
    {
      onGone,
      isWorthless,
    }: { onGone: (slot: CopySlot, key: string) => void; isWorthless: (slot: CopySlot) => boolean },
  ) {
    this.#limits = limits
    if (limits.bytesMax !== Infinity) this.#weights = { of: new Float64Array(CAPACITY_MIN) }
    this.#onGone = onGone
    this.#policy = limits.policy({ isWorthless, entriesMax: limits.entriesMax })
  }

  get count(): number {
    return this.#slots.size
  }

  /** What all copies weigh; 0 where nobody asks. */
  get bytes(): number {
    return this.#bytes
  }

  get limits(): CopyLimits {
    return this.#limits
  }

  find(key: string): CopySlot | undefined {
    return this.#slots.get(key)
  }

  keyAt(slot: CopySlot): string {
    return this.#keys[slot] as string
  }

  /** The slots of all copies are below it. A slot without a copy has an empty key. */
  get slotsUsed(): number {
    return this.#used
  }

  /** In the order in which they came. Copies may come and go meanwhile. */
  keys(): IterableIterator<string> {
    return this.#slots.keys()
  }

  rulesOf(slot: CopySlot): CopyRules {
    return this.#rules.at(slot)
  }

  /** How long the copy was to live when it was kept, ms; `undefined` where its rules do not ask. */
  lifeMsOf(slot: CopySlot): number | undefined {
    return this.#livesMs?.[slot] || undefined
  }

  /** The copy has been read. */
  visit(slot: CopySlot): void {
    this.#policy.hit(slot)
  }

  /** Puts a copy in the place of the one before. One that alone is too heavy is not kept. */
  install(key: string, loaded: Loaded, isLoose: boolean): void {
    const weights = this.#weights
    const weight = weights === undefined ? 0 : this.#weightOf(key, loaded.value)
    const known = this.#slots.get(key)
    if (weight > this.#limits.bytesMax) {
      if (known !== undefined) this.remove(known)
      return
    }
    const slot = known ?? this.#add(key)
    this.values[slot] = loaded.value
    this.#rules.set(slot, loaded.rules)
    this.#tag(slot, loaded.tags)
    this.begins[slot] = loaded.begin
    this.endsAtMs[slot] = loaded.endsAtMs
    this.#noteLife(slot, loaded)
    this.flags[slot] = isLoose ? LOOSE : 0
    if (weights !== undefined) {
      this.#bytes += weight - weights.of[slot]!
      weights.of[slot] = weight
    }
    this.#makeRoom(slot)
  }

  remove(slot: CopySlot): void {
    const key = this.#keys[slot] as string
    this.#policy.removed(slot)
    this.#slots.delete(key)
    if (this.#weights !== undefined) {
      this.#bytes -= this.#weights.of[slot]!
      this.#weights.of[slot] = 0
    }
    this.values[slot] = undefined
    this.#rules.clear(slot)
    this.#tag(slot, undefined)
    this.flags[slot] = 0
    this.#keys[slot] = ''
    this.#free.push(slot)
    this.#onGone(slot, key)
  }

  clear(): void {
    for (const slot of [...this.#slots.values()]) this.remove(slot)
  }

  #noteLife(slot: CopySlot, { rules, lifeMs }: Loaded): void {
    const isAskedFor = rules.isSliding || rules.adaptive !== undefined || rules.refreshAhead !== 1
    if (isAskedFor) this.#livesMs ??= new Float64Array(this.flags.length)
    if (this.#livesMs !== undefined) this.#livesMs[slot] = isAskedFor ? lifeMs : 0
  }

  /** There is no column of tags before the first copy that has any. */
  #tag(slot: CopySlot, tags: readonly string[] | undefined): void {
    if (tags === undefined && this.tags.length <= slot) return
    while (this.tags.length < slot) this.tags.push(undefined)
    this.tags[slot] = tags
  }

  /** Throws `WARP_E_CONFIG` for what would make every bound meaningless. */
  #weightOf(key: string, value: unknown): number {
    const weight: unknown = this.#limits.weigh(key, value)
    if (isNumberFrom(weight, 0, Number.MAX_SAFE_INTEGER)) return weight
    throw new WarpError(
      'WARP_E_CONFIG',
      `copies.weigh gave ${shownValue(weight)} for '${key}'; give bytes, 0 or more`,
      {
        details: { key, option: 'copies.weigh' },
      },
    )
  }

  #add(key: string): CopySlot {
    const slot = this.#free.pop() ?? this.#used++
    if (slot >= this.flags.length) this.#grow()
    this.#keys[slot] = key
    this.#slots.set(key, slot)
    this.#policy.added(slot, key)
    return slot
  }

  #makeRoom(kept: CopySlot): void {
    const { entriesMax, bytesMax } = this.#limits
    while (this.#slots.size > entriesMax || this.#bytes > bytesMax) {
      const slot = this.#policy.victim(kept)
      if (slot === undefined) return
      if (slot === kept || this.#slots.get(this.#keys[slot] ?? '') !== slot) {
        // The bounds hold, whatever a user's policy says.
        this.remove(kept)
        throw noVictim(slot)
      }
      this.evictionsCount++
      this.remove(slot)
    }
  }

  #grow(): void {
    // One more than may stay: the newest is there before another one goes.
    const capacity = Math.max(this.#used, Math.min(this.flags.length * 2, this.#limits.entriesMax + 1))
    this.flags = grown(this.flags, new Uint8Array(capacity))
    this.begins = grown(this.begins, new Float64Array(capacity))
    this.endsAtMs = grown(this.endsAtMs, new Float64Array(capacity))
    if (this.#livesMs !== undefined) this.#livesMs = grown(this.#livesMs, new Float64Array(capacity))
    this.values = widened(this.values, capacity)
    this.#rules.grow(capacity)
    this.#keys = widened(this.#keys, capacity)
    if (this.#weights !== undefined) this.#weights.of = grown(this.#weights.of, new Float64Array(capacity))
  }
}

/** As long as the columns beside it: a list that is pushed to keeps room for half as many again. */
function widened<Item>(from: readonly Item[], capacity: number): Item[] {
  const to = new Array<Item>(Math.floor(capacity))
  for (let at = 0; at < from.length; at++) to[at] = from[at] as Item
  return to
}

function noVictim(given: unknown): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `copies.policy named ${shownValue(given)} as the copy to go; name the slot of a copy that is there, and not the one just kept`,
    { details: { option: 'copies.policy' } },
  )
}
