/**
 * SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi 2024, "SIEVE is Simpler than LRU"): a hit sets one bit, the hand
 * walks from the oldest copy to the newest, clears bits and lets the first copy without one go. Copies that
 * could not be served any more go as if they had no bit.
 */
import { grown } from '../../keys/key-table.ts'
import type { CopyPolicy, PolicyFacts } from './policy.ts'
import { capacityFor, NONE, SLOTS_MIN, SlotLinks, SlotList } from './slot-list.ts'

export class Sieve implements CopyPolicy {
  readonly #slotsMax: number
  readonly #links: SlotLinks
  readonly #list: SlotList
  readonly #facts: PolicyFacts
  #visited = new Uint8Array(SLOTS_MIN)
  #hand: number = NONE

  constructor(facts: PolicyFacts) {
    this.#facts = facts
    this.#slotsMax = facts.entriesMax + 1
    this.#links = new SlotLinks(this.#slotsMax)
    this.#list = new SlotList(this.#links)
  }

  added(slot: number): void {
    this.#links.reach(slot)
    if (slot >= this.#visited.length) {
      const capacity = capacityFor(slot, this.#visited.length, this.#slotsMax)
      this.#visited = grown(this.#visited, new Uint8Array(capacity))
    }
    this.#visited[slot] = 0
    this.#list.push(slot)
  }

  hit(slot: number): void {
    this.#visited[slot] = 1
  }

  removed(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#list.after(slot)
    this.#list.unlink(slot)
  }

  /** The hand goes on from where it stood. Twice round at most. */
  victim(kept: number): number | undefined {
    let slot = this.#hand === NONE ? this.#list.oldest : this.#hand
    for (let left = 2 * this.#list.size; left > 0; left--) {
      if (slot === NONE) slot = this.#list.oldest
      if (slot !== kept && (this.#visited[slot] === 0 || this.#facts.isWorthless(slot))) {
        this.#hand = slot
        return slot
      }
      this.#visited[slot] = 0
      slot = this.#list.after(slot)
    }
    return undefined
  }
}
