/**
 * How often a key was read within a window, about: two counters, of this window and of the one before,
 * of which the part counts that the sliding window still covers. Kept for keys with an adaptive life
 * alone.
 */
interface Counted {
  startMs: number
  current: number
  before: number
}

export class Usage {
  readonly #counted = new Map<number, Counted>()

  note(slot: number, windowMs: number, nowMs: number): void {
    this.#at(slot, windowMs, nowMs).current++
  }

  count(slot: number, windowMs: number, nowMs: number): number {
    if (!this.#counted.has(slot)) return 0
    const { startMs, current, before } = this.#at(slot, windowMs, nowMs)
    return current + before * (1 - (nowMs - startMs) / windowMs)
  }

  forget(slot: number): void {
    this.#counted.delete(slot)
  }

  #at(slot: number, windowMs: number, nowMs: number): Counted {
    let counted = this.#counted.get(slot)
    if (counted === undefined) this.#counted.set(slot, (counted = { startMs: nowMs, current: 0, before: 0 }))
    const windows = Math.floor((nowMs - counted.startMs) / windowMs)
    if (windows === 0) return counted
    counted.before = windows === 1 ? counted.current : 0
    counted.current = 0
    counted.startMs += windows * windowMs
    return counted
  }
}
