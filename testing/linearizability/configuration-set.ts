/**
 * The configurations that a search has been in: which calls it had given a place, and the state
 * then. Lowe's observation is that the same calls in another order, if they lead to the same state,
 * lead nowhere new; without this memory the search is factorial.
 *
 * Calls of unknown outcome allow for more. Of two configurations with the same calls that returned
 * and the same state, the one that used up fewer may-bes can do whatever the other can: so one that
 * contains the may-bes of a remembered one leads nowhere new either. Without that, histories with
 * many lost answers are exponential in their number.
 *
 * Open addressing over one `Int32Array`, a row per set of returned calls and state: the calls, the
 * state, and where the list of its may-bes begins in a second array. No object per entry, comparing
 * is exact, half full at most.
 *
 * 1. Gavin Lowe, "Testing for linearizability", Concurrency and Computation: Practice and
 *    Experience 29(4), 2017.
 */
const ROWS_AT_FIRST = 64

/** The end of a list of may-bes; places are counted from 1. */
const NOWHERE = 0

export class ConfigurationSet {
  readonly #returnedWords: number
  readonly #lostWords: number
  readonly #rowWords: number
  #rows: Int32Array
  #mask: number
  #count = 0
  /** Sets of may-bes, each followed by the place of the next one of its row. */
  #lost: Int32Array
  #lostCount = 0
  /** Sets of may-bes that have been compared, as a measure of work. */
  comparisonsCount = 0

  /** Words of 32 bits for the calls that returned, and for those of unknown outcome. */
  constructor(returnedWords: number, lostWords: number) {
    this.#returnedWords = returnedWords
    this.#lostWords = lostWords
    this.#rowWords = returnedWords + 2
    this.#rows = new Int32Array(ROWS_AT_FIRST * this.#rowWords)
    this.#mask = ROWS_AT_FIRST - 1
    this.#lost = new Int32Array((lostWords + 1) * ROWS_AT_FIRST)
  }

  /**
   * Adds the configuration; `false` if it leads nowhere new. `calls` has the words of those that
   * returned first.
   */
  add(calls: Int32Array, state: number): boolean {
    const row = this.#rowOf(calls, state + 1)
    const isNew = this.#rows[row + this.#returnedWords] === 0
    if (!isNew && (this.#lostWords === 0 || this.#isCovered(row, calls))) return false
    if (isNew) {
      for (let i = 0; i < this.#returnedWords; i++) this.#rows[row + i] = calls[i]!
      this.#rows[row + this.#returnedWords] = state + 1
      this.#count++
    }
    if (this.#lostWords > 0) this.#keep(row, calls)
    if (this.#count * 2 > this.#mask) this.#grow()
    return true
  }

  /**
   * Where the row is or belongs. `state` is one more than the state's number, since 0 marks an
   * empty row.
   */
  #rowOf(calls: Int32Array, state: number): number {
    let hash = Math.imul(state, 0x9e3779b1)
    for (let i = 0; i < this.#returnedWords; i++) hash = Math.imul(hash ^ calls[i]! ^ (hash >>> 15), 0x85ebca6b)
    hash ^= hash >>> 13
    for (let place = hash & this.#mask; ; place = (place + 1) & this.#mask) {
      const row = place * this.#rowWords
      const stored = this.#rows[row + this.#returnedWords]!
      if (stored === 0 || (stored === state && this.#isSame(row, calls))) return row
    }
  }

  #isSame(row: number, calls: Int32Array): boolean {
    for (let i = 0; i < this.#returnedWords; i++) if (this.#rows[row + i] !== calls[i]) return false
    return true
  }

  /** Whether a remembered set of may-bes is contained in this one. */
  #isCovered(row: number, calls: Int32Array): boolean {
    for (let place = this.#rows[row + this.#returnedWords + 1]!; place !== NOWHERE;) {
      this.comparisonsCount++
      const at = (place - 1) * (this.#lostWords + 1)
      if (this.#isContained(at, calls)) return true
      place = this.#lost[at + this.#lostWords]!
    }
    return false
  }

  #isContained(at: number, calls: Int32Array): boolean {
    for (let i = 0; i < this.#lostWords; i++) {
      if ((this.#lost[at + i]! & ~calls[this.#returnedWords + i]!) !== 0) return false
    }
    return true
  }

  #keep(row: number, calls: Int32Array): void {
    const at = this.#lostCount * (this.#lostWords + 1)
    if (at === this.#lost.length) this.#lost = enlarged(this.#lost)
    for (let i = 0; i < this.#lostWords; i++) this.#lost[at + i] = calls[this.#returnedWords + i]!
    const head = row + this.#returnedWords + 1
    this.#lost[at + this.#lostWords] = this.#rows[head]!
    this.#lostCount++
    this.#rows[head] = this.#lostCount
  }

  #grow(): void {
    const old = this.#rows
    this.#rows = new Int32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += this.#rowWords) {
      const state = old[at + this.#returnedWords]!
      if (state === 0) continue
      const stored = old.subarray(at, at + this.#rowWords)
      this.#rows.set(stored, this.#rowOf(stored, state))
    }
  }
}

function enlarged(words: Int32Array): Int32Array {
  const larger = new Int32Array(words.length * 2)
  larger.set(words)
  return larger
}
