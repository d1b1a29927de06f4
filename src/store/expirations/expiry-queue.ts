/**
 * Slots by the end of their keys' lives, the earliest first: a binary heap in columns. What a key
 * does after it was put in is not the queue's affair: who takes a slot out looks at its key again.
 */
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { Slot } from '../../keys/key-table.ts'

/** Breaks a tie of two ends with the same stamp, by their slots. */
type Compare = (a: Slot, b: Slot) => number

export class ExpiryQueue {
  readonly #compareSlots: Compare
  readonly #ends: number[] = []
  readonly #stamps: Hlc[] = []
  readonly #slots: Slot[] = []

  constructor(compareSlots: Compare) {
    this.#compareSlots = compareSlots
  }

  get size(): number {
    return this.#slots.length
  }

  /** When the earliest life ends, ms; infinity if there is none. */
  get earliestMs(): number {
    return this.#ends[0] ?? Infinity
  }

  push(slot: Slot, endMs: number, hlc: Hlc): void {
    let at = this.#slots.push(slot) - 1
    this.#ends.push(endMs)
    this.#stamps.push(hlc)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  /** Takes the earliest out; `undefined` if there is none. */
  pop(): Slot | undefined {
    const first = this.#slots[0]
    if (first === undefined) return undefined
    this.#swap(0, this.size - 1)
    this.#slots.pop()
    this.#ends.pop()
    this.#stamps.pop()
    this.#sink()
    return first
  }

  #sink(): void {
    for (let at = 0; ;) {
      const left = at * 2 + 1
      if (left >= this.size) return
      const right = left + 1
      const least = right < this.size && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(least, at)) return
      this.#swap(at, least)
      at = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    if (this.#ends[a] !== this.#ends[b]) return this.#ends[a]! < this.#ends[b]!
    if (this.#stamps[a] !== this.#stamps[b]) return this.#stamps[a]! < this.#stamps[b]!
    return this.#compareSlots(this.#slots[a]!, this.#slots[b]!) < 0
  }

  #swap(a: number, b: number): void {
    swapIn(this.#ends, a, b)
    swapIn(this.#stamps, a, b)
    swapIn(this.#slots, a, b)
  }
}

function swapIn(column: number[], a: number, b: number): void {
  const former = column[a]!
  column[a] = column[b]!
  column[b] = former
}
