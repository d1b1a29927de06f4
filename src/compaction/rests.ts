/**
 * Keys that are not looked at again at once. To look at a key costs as much as it has operations.
 * Where most of them have to stay, because a peer lags or they are retained, and the key is written
 * all the time, each run would walk over the same ones again. So a key rests after it has been
 * looked at, for a time in proportion to the walk: however long its history is, a hot key takes a
 * bounded part of the processor. To write a large state costs as well, for few operations or many. What
 * the walk has taken by the clock counts where that is more: states of small parts cost more than their
 * bytes say.
 */
import type { Slot } from '../keys/key-table.ts'

/** So is what it took by the clock, to which others may have added. */
const REST_PER_MS = 10
/** A walk takes some 2 µs for each operation: so that is a tenth of the time. */
const REST_MS_PER_OPERATION = 0.02
/** To fold, encode and store so many bytes of a state takes as long. */
const BYTES_PER_OPERATION = 200
/** Shorter walks cost nothing worth saving. */
const WALK_MIN = 1024

/** What has been done for a key. */
export interface Walk {
  readonly operations: number
  /** How long the state is that has been written. */
  readonly stateBytes: number
  readonly tookMs: number
  /** Operations that were not stable. */
  readonly unstableCount: number
}

interface Rest {
  readonly untilMs: number
  /** Operations that were not stable when it was looked at. */
  readonly unstableCount: number
}

export class Rests {
  readonly #rests = new Map<Slot, Rest>()

  /** A key has been looked at. Times are those of the monotonic clock. */
  note(slot: Slot, { operations, stateBytes, unstableCount, tookMs }: Walk, nowMs: number): void {
    const walked = operations + stateBytes / BYTES_PER_OPERATION
    const restMs = Math.max(walked * REST_MS_PER_OPERATION, tookMs * REST_PER_MS)
    if (walked < WALK_MIN) this.#rests.delete(slot)
    else this.#rests.set(slot, { untilMs: nowMs + restMs, unstableCount })
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
