/**
 * How often keys are asked for, about: a count-min sketch of four rows (Cormode and Muthukrishnan 2005), whose
 * counters end at 15 and are halved after ten times as many additions as there are keys, so that it forgets.
 */
import { fnv1a } from '../../operation/text.ts'

const ROWS = 4
const COUNT_MAX = 15
const WIDTH_MIN = 64
const ADDITIONS_PER_KEY = 10
const SEEDS = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f] as const

export class FrequencySketch {
  /** A byte for each counter, row behind row. */
  #counts = new Uint8Array(ROWS * WIDTH_MIN)
  #width = WIDTH_MIN
  #keysCount = 0
  #additions = 0

  /** For so many keys. When it grows, it begins anew. */
  reach(keysCount: number): void {
    this.#keysCount = Math.max(this.#keysCount, keysCount)
    if (this.#keysCount <= this.#width) return
    while (this.#width < this.#keysCount) this.#width *= 2
    this.#counts = new Uint8Array(ROWS * this.#width)
    this.#additions = 0
  }

  add(hash: number): void {
    const counts = this.#counts
    let isRisen = false
    for (let row = 0; row < ROWS; row++) {
      const at = this.#at(hash, row)
      if (counts[at]! >= COUNT_MAX) continue
      counts[at]!++
      isRisen = true
    }
    if (isRisen && ++this.#additions >= ADDITIONS_PER_KEY * this.#width) this.#halve()
  }

  estimate(hash: number): number {
    let least = COUNT_MAX
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[this.#at(hash, row)]!)
    return least
  }

  #at(hash: number, row: number): number {
    let mixed = Math.imul(hash, SEEDS[row]!)
    mixed ^= mixed >>> 15
    return row * this.#width + (mixed & (this.#width - 1))
  }

  #halve(): void {
    const counts = this.#counts
    for (let at = 0; at < counts.length; at++) counts[at]! >>>= 1
    this.#additions >>>= 1
  }
}

/** FNV-1a of the key's characters, mixed. */
export function hashOf(key: string): number {
  const hash = fnv1a(key)
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) | 0
}
