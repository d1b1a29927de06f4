/** Lists of slots, from the oldest to the newest. A slot is in one list at a time, so all lists share their links. */
import { grown } from '../../keys/key-table.ts'

export const NONE = -1
/** Columns begin with so many slots. */
export const SLOTS_MIN = 64

/** How long columns are to become that a slot lies beyond; there are never more than `slotsMax`. */
export function capacityFor(slot: number, length: number, slotsMax: number): number {
  return Math.max(slot + 1, Math.min(length * 2, slotsMax))
}

export class SlotLinks {
  newer: Int32Array = new Int32Array(SLOTS_MIN)
  older: Int32Array = new Int32Array(SLOTS_MIN)
  readonly #slotsMax: number

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax
  }

  /** Makes room for a slot. */
  reach(slot: number): void {
    if (slot < this.newer.length) return
    const capacity = capacityFor(slot, this.newer.length, this.#slotsMax)
    this.newer = grown(this.newer, new Int32Array(capacity))
    this.older = grown(this.older, new Int32Array(capacity))
  }
}

export class SlotList {
  readonly #links: SlotLinks
  newest: number = NONE
  oldest: number = NONE
  size = 0

  constructor(links: SlotLinks) {
    this.#links = links
  }

  /** Towards the newest; `NONE` behind it. */
  after(slot: number): number {
    return this.#links.newer[slot]!
  }

  push(slot: number): void {
    const { newer, older } = this.#links
    older[slot] = this.newest
    newer[slot] = NONE
    if (this.newest === NONE) this.oldest = slot
    else newer[this.newest] = slot
    this.newest = slot
    this.size++
  }

  unlink(slot: number): void {
    const { newer, older } = this.#links
    const [next, before] = [newer[slot]!, older[slot]!]
    if (next === NONE) this.newest = before
    else older[next] = before
    if (before === NONE) this.oldest = next
    else newer[before] = next
    this.size--
  }

  /** To the newest end. */
  renew(slot: number): void {
    if (slot === this.newest) return
    this.unlink(slot)
    this.push(slot)
  }
}
