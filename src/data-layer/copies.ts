/**
 * Copies in memory: what loads have brought. No operations: a copy may go at any time, and comes back
 * by a load. A table of columns, a slot for each copy; whom to let go says SIEVE (Zhang, Yang, Yue,
 * Vigfusson, Rashmi 2024, "SIEVE is Simpler than LRU"): a hit sets one bit, the hand walks from the
 * oldest copy to the newest, clears bits and lets the first copy without one go.
 */
import { isNumberFrom } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { grown } from '../keys/key-table.ts'
import type { CopyRules } from '../keys/source/source.ts'

export type CopySlot = number

export interface CopyLimits {
  readonly entriesMax: number
  readonly bytesMax: number
  /** What a copy weighs, bytes. */
  readonly weigh: (key: string, value: unknown) => number
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
const VISITED = 4
/** Whoever reads it gets a copy of its own: it holds bytes or dates. */
export const LOOSE = 8
/** Operations have come since, and the value does not show them yet. */
export const BEHIND = 16

const NONE = -1
const CAPACITY_MIN = 64

export class Copies {
  values: unknown[] = []
  rules: CopyRules[] = []
  tags: (readonly string[] | undefined)[] = []
  flags: Uint8Array = new Uint8Array(CAPACITY_MIN)
  begins: Float64Array = new Float64Array(CAPACITY_MIN)
  endsAtMs: Float64Array = new Float64Array(CAPACITY_MIN)
  livesMs: Float64Array = new Float64Array(CAPACITY_MIN)
  #keys: string[] = []
  #weights = new Float64Array(CAPACITY_MIN)
  #newer = new Int32Array(CAPACITY_MIN).fill(NONE)
  #older = new Int32Array(CAPACITY_MIN).fill(NONE)
  readonly #slots = new Map<string, CopySlot>()
  #free: CopySlot[] = []
  #used = 0
  #newest: CopySlot = NONE
  #oldest: CopySlot = NONE
  #hand: CopySlot = NONE
  #bytes = 0
  evictionsCount = 0
  readonly #limits: CopyLimits
  readonly #onGone: (slot: CopySlot, key: string) => void
  readonly #isWorthless: (slot: CopySlot) => boolean

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
    this.#onGone = onGone
    this.#isWorthless = isWorthless
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

  /** In the order in which they came. Copies may come and go meanwhile. */
  keys(): IterableIterator<string> {
    return this.#slots.keys()
  }

  /** The copy has been read. */
  visit(slot: CopySlot): void {
    this.flags[slot]! |= VISITED
  }

  /** Puts a copy in the place of the one before. One that alone is too heavy is not kept. */
  install(key: string, loaded: Loaded, isLoose: boolean): void {
    const weight = this.#limits.bytesMax === Infinity ? 0 : this.#weightOf(key, loaded.value)
    const known = this.#slots.get(key)
    if (weight > this.#limits.bytesMax) {
      if (known !== undefined) this.remove(known)
      return
    }
    const slot = known ?? this.#add(key)
    this.values[slot] = loaded.value
    this.rules[slot] = loaded.rules
    this.tags[slot] = loaded.tags
    this.begins[slot] = loaded.begin
    this.endsAtMs[slot] = loaded.endsAtMs
    this.livesMs[slot] = loaded.lifeMs
    this.flags[slot] = (this.flags[slot]! & VISITED) | (isLoose ? LOOSE : 0)
    this.#bytes += weight - this.#weights[slot]!
    this.#weights[slot] = weight
    this.#makeRoom(slot)
  }

  remove(slot: CopySlot): void {
    const key = this.#keys[slot] as string
    this.#unlink(slot)
    this.#slots.delete(key)
    this.#bytes -= this.#weights[slot]!
    this.#weights[slot] = 0
    this.values[slot] = undefined
    this.tags[slot] = undefined
    this.flags[slot] = 0
    this.#keys[slot] = ''
    this.#free.push(slot)
    this.#onGone(slot, key)
  }

  clear(): void {
    for (const slot of [...this.#slots.values()]) this.remove(slot)
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
    this.#older[slot] = this.#newest
    this.#newer[slot] = NONE
    if (this.#newest === NONE) this.#oldest = slot
    else this.#newer[this.#newest] = slot
    this.#newest = slot
    return slot
  }

  #unlink(slot: CopySlot): void {
    const [newer, older] = [this.#newer[slot]!, this.#older[slot]!]
    if (this.#hand === slot) this.#hand = newer
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
  }

  #makeRoom(kept: CopySlot): void {
    const { entriesMax, bytesMax } = this.#limits
    while (this.#slots.size > entriesMax || this.#bytes > bytesMax) {
      const slot = this.#next(kept)
      if (slot === NONE) return
      this.evictionsCount++
      this.remove(slot)
    }
  }

  /** Whom to let go: the hand goes on from where it stood. Twice round at most. */
  #next(kept: CopySlot): CopySlot {
    let slot = this.#hand === NONE ? this.#oldest : this.#hand
    for (let left = 2 * this.#slots.size; left > 0; left--) {
      if (slot === NONE) slot = this.#oldest
      if (slot !== kept && ((this.flags[slot]! & VISITED) === 0 || this.#isWorthless(slot))) {
        this.#hand = slot
        return slot
      }
      this.flags[slot]! &= ~VISITED
      slot = this.#newer[slot]!
    }
    return NONE
  }

  #grow(): void {
    const capacity = this.flags.length * 2
    this.flags = grown(this.flags, new Uint8Array(capacity))
    this.begins = grown(this.begins, new Float64Array(capacity))
    this.endsAtMs = grown(this.endsAtMs, new Float64Array(capacity))
    this.livesMs = grown(this.livesMs, new Float64Array(capacity))
    this.#weights = grown(this.#weights, new Float64Array(capacity))
    this.#newer = grown(this.#newer, new Int32Array(capacity))
    this.#older = grown(this.#older, new Int32Array(capacity))
  }
}
