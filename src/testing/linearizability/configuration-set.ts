/**
 * The configurations that a search has been in: which calls it had linearized, and the state then. Lowe's observation is that the same set of
 * calls in another order, if it leads to the same state, leads nowhere new; without this memory the search is factorial.
 *
 * Open addressing over one `Int32Array`, a row of `words` words for the calls and one for the state, so that an entry costs 4 bytes per 32
 * calls, no object, and comparing is exact. Half full at most.
 *
 * 1. Gavin Lowe, "Testing for linearizability", Concurrency and Computation: Practice and Experience 29(4), 2017.
 */
const ROWS_AT_FIRST = 64

export class ConfigurationSet {
  readonly #words: number
  readonly #rowWords: number
  #rows: Int32Array
  #mask: number
  #count = 0

  /** `words` words of 32 bits for the calls. */
  constructor(words: number) {
    this.#words = words
    this.#rowWords = words + 1
    this.#rows = new Int32Array(ROWS_AT_FIRST * this.#rowWords)
    this.#mask = ROWS_AT_FIRST - 1
  }

  /** Adds the configuration. `false` if it is there already. `state` is not negative. */
  add(calls: Int32Array, state: number): boolean {
    if (!insert(this.#rows, this.#mask, calls, 0, this.#words, state + 1)) return false
    this.#count++
    if (this.#count * 2 > this.#mask) this.#grow()
    return true
  }

  #grow(): void {
    const mask = this.#mask * 2 + 1
    const rows = new Int32Array((mask + 1) * this.#rowWords)
    for (let at = 0; at < this.#rows.length; at += this.#rowWords) {
      const state = this.#rows[at + this.#words]!
      if (state !== 0) insert(rows, mask, this.#rows, at, this.#words, state)
    }
    this.#rows = rows
    this.#mask = mask
  }
}

/** `state` is one more than the state's number, so that 0 marks an empty row. */
// eslint-disable-next-line max-params -- the innermost loop of the checker; an object per call costs a fifth of its speed
function insert(rows: Int32Array, mask: number, from: Int32Array, at: number, words: number, state: number): boolean {
  let hash = Math.imul(state, 0x9e3779b1)
  for (let i = 0; i < words; i++) hash = Math.imul(hash ^ from[at + i]! ^ (hash >>> 15), 0x85ebca6b)
  hash ^= hash >>> 13
  for (let row = hash & mask; ; row = (row + 1) & mask) {
    const start = row * (words + 1)
    const stored = rows[start + words]!
    if (stored === 0) {
      for (let i = 0; i < words; i++) rows[start + i] = from[at + i]!
      rows[start + words] = state
      return true
    }
    if (stored === state && isSame(rows, start, from, at, words)) return false
  }
}

// eslint-disable-next-line max-params -- as above
function isSame(rows: Int32Array, start: number, from: Int32Array, at: number, words: number): boolean {
  for (let i = 0; i < words; i++) if (rows[start + i] !== from[at + i]) return false
  return true
}
