/**
 * Which keys have their value in memory, and whom to let go: SIEVE (Zhang, Yang, Yue, Vigfusson,
 * Rashmi 2024, "SIEVE is Simpler than LRU"). A hit sets one bit; the hand walks from the oldest
 * entry to the newest, clears bits and evicts the first entry without one. Scan-resistant, and a
 * read moves nothing.
 *
 * One state byte per slot tells a reader all it needs in one load: `HOT_VISITED` is "here, fresh,
 * and already marked". Beside it, only `peek` of a value with a life is short; everything else
 * takes the slow path. Values and links are columns, as in
 * `key-table.ts`.
 */
import { grown, type Slot } from '../keys/key-table.ts'
import type { ReadClock } from './read-clock.ts'

/** The value is not here, or behind the log. */
export const COLD = 0
/** Here and fresh; not read since the hand came by. */
export const HOT = 1
/** Here, fresh and read. The only state that the fast path knows. */
export const HOT_VISITED = 2
/** Here and fresh, and it has a life: each read asks the clock. */
export const HOT_MORTAL = 3
/**
 * Here and fresh, but each read looks twice: the value holds bytes or dates, and is copied, or it is
 * a live document, which somebody may have changed.
 */
export const HOT_LOOSE = 4

/** Here, fresh and read, it has a life, and nobody can change it: `peek` asks its own clock. */
export const HOT_MORTAL_VISITED = 5

const NONE = -1

export interface ResidencyLimits {
  readonly entriesMax: number
  readonly bytesMax: number
}

export class Residency {
  states: Uint8Array = new Uint8Array(64)
  values: unknown[] = []
  /** Only where values are weighed. */
  #bytes = new Float64Array(0)
  /** Towards the newer entry, and towards the older one. Only where entries may have to go. */
  #newer = new Int32Array(0)
  #older = new Int32Array(0)
  #listed = new Uint8Array(64)
  #markedReads = new Uint8Array(64)
  #newest: Slot = NONE
  #oldest: Slot = NONE
  #hand: Slot = NONE
  #count = 0
  #totalBytes = 0
  evictions = 0
  /** What `peek` of values with a life asks. */
  readonly clock: ReadClock
  readonly #limits: ResidencyLimits
  readonly #onEvict: (slot: Slot) => void

  constructor(limits: ResidencyLimits, clock: ReadClock, onEvict: (slot: Slot) => void) {
    this.clock = clock
    this.#limits = limits
    this.#onEvict = onEvict
    this.#reserveLinks(this.states.length)
  }

  get count(): number {
    return this.#count
  }

  /**
   * What all entries weigh; `undefined` where that does not matter, since values are not weighed
   * then.
   */
  get bytes(): number | undefined {
    return this.isWeighed ? this.#totalBytes : undefined
  }

  get limits(): ResidencyLimits {
    return this.#limits
  }

  /** Makes room for slots below `capacity`. */
  reserve(capacity: number): void {
    if (capacity <= this.states.length) return
    this.states = grown(this.states, new Uint8Array(capacity))
    this.#listed = grown(this.#listed, new Uint8Array(capacity))
    this.#markedReads = grown(this.#markedReads, new Uint8Array(capacity))
    this.#reserveLinks(capacity)
  }

  #reserveLinks(capacity: number): void {
    if (!this.#isBounded) return
    if (this.isWeighed) this.#bytes = grown(this.#bytes, new Float64Array(capacity))
    this.#newer = grown(this.#newer, new Int32Array(capacity).fill(NONE))
    this.#older = grown(this.#older, new Int32Array(capacity).fill(NONE))
  }

  /** Marks a value as behind the log; its place in the cache stays. */
  outdate(slot: Slot): void {
    this.states[slot] = COLD
  }

  /**
   * Puts the value of a key that has a place here in the place of the one before, if it is one that
   * nobody can change and that its encoding gives back as it is. A read then need not decode it
   * (`npm run bench -- write-memory`, read back).
   */
  refresh(slot: Slot, value: unknown): void {
    if (this.#listed[slot] !== 1 || this.isWeighed || !isScalar(value)) return
    this.values[slot] = value
    this.states[slot] = HOT
  }

  isListed(slot: Slot): boolean {
    return this.#listed[slot] === 1
  }

  /** Whether it matters what values weigh. */
  get isWeighed(): boolean {
    return this.#limits.bytesMax !== Number.POSITIVE_INFINITY
  }

  get #isBounded(): boolean {
    return this.isWeighed || this.#limits.entriesMax !== Number.POSITIVE_INFINITY
  }

  /**
   * Installs a fresh value, letting others go if there is no room. One that alone is too heavy is
   * let go itself.
   */
  install(slot: Slot, value: unknown, entry: { bytes: number; state: number }): void {
    if (entry.bytes > this.#limits.bytesMax) {
      this.evict(slot)
      this.#onEvict(slot)
      return
    }
    this.values[slot] = value
    if (this.isWeighed) this.#weigh(slot, entry.bytes)
    if (this.#listed[slot] === 0) this.#link(slot)
    this.states[slot] = entry.state
    this.#makeRoom(slot)
  }

  /** Lets a value go. */
  evict(slot: Slot): void {
    if (this.#listed[slot] === 0) return
    this.#unlink(slot)
    if (this.isWeighed) this.#weigh(slot, 0)
    this.values[slot] = undefined
    this.states[slot] = COLD
    this.#onEvict(slot)
  }

  /** All slots mean something else from now on, and are below `capacity`. */
  reset(capacity: number): void {
    this.states = new Uint8Array(capacity)
    this.values = []
    this.#bytes = new Float64Array(0)
    this.#newer = new Int32Array(0)
    this.#older = new Int32Array(0)
    this.#listed = new Uint8Array(capacity)
    this.#markedReads = new Uint8Array(capacity)
    this.#newest = this.#oldest = this.#hand = NONE
    this.#count = 0
    this.#totalBytes = 0
    this.#reserveLinks(capacity)
  }

  clear(): void {
    for (let slot = 0; slot < this.#listed.length; slot++) this.evict(slot)
  }

  #weigh(slot: Slot, bytes: number): void {
    this.#totalBytes += bytes - this.#bytes[slot]!
    this.#bytes[slot] = bytes
  }

  #makeRoom(installed: Slot): void {
    while (this.#count > this.#limits.entriesMax || this.#totalBytes > this.#limits.bytesMax) {
      this.evict(this.#victim(installed))
      this.evictions++
    }
  }

  /** Moves the hand to the first entry that has not been read since it last came by. */
  #victim(installed: Slot): Slot {
    let hand = this.#hand === NONE ? this.#oldest : this.#hand
    // A value that has just been installed has had no chance to be read yet: it is passed over.
    while (hand === installed || this.#wasRead(hand)) {
      hand = this.#newer[hand] === NONE ? this.#oldest : this.#newer[hand]!
    }
    this.#hand = this.#newer[hand]!
    return hand
  }

  /** Whether the entry has been read since the hand last came by; clears the mark. */
  #wasRead(slot: Slot): boolean {
    const state = this.states[slot]
    const wasRead = state === HOT_VISITED || state === HOT_MORTAL_VISITED || this.#markedReads[slot] === 1
    if (state === HOT_VISITED) this.states[slot] = HOT
    else if (state === HOT_MORTAL_VISITED) this.states[slot] = HOT_MORTAL
    this.#markedReads[slot] = 0
    return wasRead
  }

  /** Marks an entry whose state byte has no room for it as read. */
  markRead(slot: Slot): void {
    this.#markedReads[slot] = 1
  }

  #link(slot: Slot): void {
    this.#listed[slot] = 1
    this.#count++
    if (!this.#isBounded) return
    this.#older[slot] = this.#newest
    this.#newer[slot] = NONE
    if (this.#newest !== NONE) this.#newer[this.#newest] = slot
    this.#newest = slot
    if (this.#oldest === NONE) this.#oldest = slot
  }

  #unlink(slot: Slot): void {
    this.#listed[slot] = 0
    this.#count--
    if (!this.#isBounded) return
    const newer = this.#newer[slot]!
    const older = this.#older[slot]!
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
    if (this.#hand === slot) this.#hand = newer
  }
}

/** -0 comes back as 0. */
function isScalar(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return value !== 0
    default:
      return false
  }
}
