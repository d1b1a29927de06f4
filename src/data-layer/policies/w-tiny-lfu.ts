/**
 * W-TinyLFU (Einziger, Friedman, Manes 2017, "TinyLFU: A Highly Efficient Cache Admission Policy"): how often
 * a key is asked for is estimated by a small sketch that remembers keys whose copies are gone, too. A copy
 * comes into a *window*; who leaves the window is kept only if it is asked for more often than whom it would
 * push out. The rest are *on probation* until they are read again, and then *protected*.
 * A window that adapts its size (Einziger, Eytan, Friedman, Manes 2018) was tried: in `bench -- hit-ratio-copies` it
 * hit less on every kind of requests. What follows a moving hot set is LIRS (`lirs.ts`).
 *
 * Costs 8 bytes of the sketch and 21 of columns for each copy, and four counters for each hit. What it does better than SIEVE:
 * loops and scans that are larger than memory.
 */
import { grown } from '../../keys/key-table.ts'
import type { CopyPolicy, PolicyFacts } from './policy.ts'
import { FrequencySketch, hashOf } from './frequency-sketch.ts'
import { capacityFor, NONE, SLOTS_MIN, SlotLinks, SlotList } from './slot-list.ts'

/** Of all copies, those in the window. */
const WINDOW_SHARE = 0.01
/** Of the others, those that may be protected. */
const PROTECTED_SHARE = 0.8

const WINDOW = 0
const PROBATION = 1
const PROTECTED = 2

export class WTinyLfu implements CopyPolicy {
  readonly #slotsMax: number
  readonly #links: SlotLinks
  readonly #window: SlotList
  readonly #probation: SlotList
  readonly #protected: SlotList
  readonly #lists: readonly SlotList[]
  readonly #sketch = new FrequencySketch()
  #hashes = new Int32Array(SLOTS_MIN)
  #places = new Uint8Array(SLOTS_MIN)
  /** Has left the window last, and has not been compared with anybody. */
  #candidate: number = NONE

  constructor({ entriesMax }: PolicyFacts) {
    this.#slotsMax = entriesMax + 1
    this.#links = new SlotLinks(this.#slotsMax)
    this.#window = new SlotList(this.#links)
    this.#probation = new SlotList(this.#links)
    this.#protected = new SlotList(this.#links)
    this.#lists = [this.#window, this.#probation, this.#protected]
  }

  added(slot: number, key: string): void {
    this.#links.reach(slot)
    if (slot >= this.#hashes.length) this.#grow(slot)
    const hash = hashOf(key)
    this.#hashes[slot] = hash
    this.#sketch.reach(this.#size + 1)
    this.#sketch.add(hash)
    this.#put(slot, WINDOW)
    while (this.#window.size > Math.max(1, this.#size * WINDOW_SHARE)) {
      this.#candidate = this.#window.oldest
      this.#move(this.#candidate, PROBATION)
    }
  }

  hit(slot: number): void {
    this.#sketch.add(this.#hashes[slot]!)
    if (this.#places[slot] !== PROBATION) {
      this.#listOf(slot).renew(slot)
      return
    }
    this.#move(slot, PROTECTED)
    if (this.#candidate === slot) this.#candidate = NONE
    if (this.#protected.size > (this.#size - this.#window.size) * PROTECTED_SHARE)
      this.#move(this.#protected.oldest, PROBATION)
  }

  removed(slot: number): void {
    if (this.#candidate === slot) this.#candidate = NONE
    this.#listOf(slot).unlink(slot)
  }

  victim(kept: number): number | undefined {
    const victim = this.#eldest(kept)
    const candidate = this.#candidate
    if (candidate === NONE || candidate === kept || candidate === victim) return victim === NONE ? undefined : victim
    if (victim === NONE) return candidate
    if (this.#frequencyOf(candidate) <= this.#frequencyOf(victim)) return candidate
    this.#candidate = NONE
    return victim
  }

  get #size(): number {
    return this.#window.size + this.#probation.size + this.#protected.size
  }

  /** Who would go if nobody were compared. */
  #eldest(kept: number): number {
    for (const list of [this.#probation, this.#protected, this.#window]) {
      const slot = list.oldest === kept ? list.after(kept) : list.oldest
      if (slot !== NONE) return slot
    }
    return NONE
  }

  #frequencyOf(slot: number): number {
    return this.#sketch.estimate(this.#hashes[slot]!)
  }

  #listOf(slot: number): SlotList {
    return this.#lists[this.#places[slot]!]!
  }

  #put(slot: number, place: number): void {
    this.#places[slot] = place
    this.#lists[place]!.push(slot)
  }

  #move(slot: number, place: number): void {
    this.#listOf(slot).unlink(slot)
    this.#put(slot, place)
  }

  #grow(slot: number): void {
    const capacity = capacityFor(slot, this.#hashes.length, this.#slotsMax)
    this.#hashes = grown(this.#hashes, new Int32Array(capacity))
    this.#places = grown(this.#places, new Uint8Array(capacity))
  }
}
