/**
 * Keys that are not looked at again at once. To look at a key costs as much as it has operations.
 * Where most of them have to stay, because a peer lags or they are retained, and the key is written
 * all the time, each run would walk over the same ones again. So a key rests after it has been
 * looked at, for a time in proportion to the walk: however long its history is, a hot key takes a
 * bounded part of the processor.
 */
import type { Slot } from '../keys/key-table.ts'

/** A walk takes some 2 µs for each operation: so that is a tenth of the time. */
const REST_MS_PER_OPERATION = 0.02
/** Shorter walks cost nothing worth saving. */
const WALK_MIN = 1024

interface Rest {
  readonly untilMs: number
  /** Operations that were not stable when it was looked at. */
  readonly unstableCount: number
}

export class Rests {
  readonly #rests = new Map<Slot, Rest>()

  /** A key has been looked at. Times are those of the monotonic clock. */
  note(slot: Slot, walk: { readonly operations: number; readonly unstableCount: number }, nowMs: number): void {
    if (walk.operations < WALK_MIN) this.#rests.delete(slot)
    else {
      const untilMs = nowMs + walk.operations * REST_MS_PER_OPERATION
      this.#rests.set(slot, { untilMs, unstableCount: walk.unstableCount })
    }
  }

  /** All slots have become other keys'. */
  clear(): void {
    this.#rests.clear()
  }

  /** The rest of a key that is not to be looked at yet. */
  of(slot: Slot, nowMs: number): Rest | undefined {
    if (this.#rests.size === 0) return undefined
    const rest = this.#rests.get(slot)
    if (rest === undefined || rest.untilMs > nowMs) return rest
    this.#rests.delete(slot)
    return undefined
  }
}
