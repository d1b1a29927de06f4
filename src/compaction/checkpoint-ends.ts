/**
 * From where the log may be read again: the end of the oldest checkpoint that may still be opened
 * from. A note that a key has been forgotten has to stay while a checkpoint is kept that still
 * knows the key. The log keeps the newest two, the older one in case the newer turns out to be
 * damaged.
 */
import type { Position } from '../operation/position.ts'

const KEPT = 2

export class CheckpointEnds {
  /** Oldest first. Those that failed may be there or not, and count as there. */
  #ends: { readonly end: Position; isWritten: boolean }[] = []

  /** Unless the log is new, there may be checkpoints of which nothing is known. */
  constructor(isNew: boolean) {
    if (!isNew) this.#ends.push({ end: 0, isWritten: false })
  }

  /** Records before this position are in every checkpoint. */
  get oldest(): Position {
    return this.#ends[0]?.end ?? Number.POSITIVE_INFINITY
  }

  /**
   * A checkpoint of everything before `end` is being written. Returns what to call when it has
   * been.
   */
  begin(end: Position): () => void {
    const entry = { end, isWritten: false }
    this.#ends.push(entry)
    return () => {
      entry.isWritten = true
      const written = this.#ends.filter(({ isWritten }) => isWritten)
      const kept = written.at(-KEPT)
      if (kept !== undefined) this.#ends = this.#ends.slice(this.#ends.indexOf(kept))
    }
  }
}
