/**
 * Rewind and replay for folds in canonical order (after Bayou: Terry et al. 1995): which operations
 * a key has, in canonical order, and states to restart from. A late operation costs its distance
 * from the head, not the length of the log.
 *
 * States are kept at exponentially growing distances from the head (at most two to a power of two),
 * so that a log of n operations needs O(log n) of them and an operation d places late replays at
 * most about 2d + 16. They are shared, never copied: strategies with a canonical fold do not change
 * states.
 */
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { Position } from '../../operation/position.ts'

export interface TimelineEntry {
  readonly hlc: Hlc
  readonly position: Position
}

interface Restart {
  /** How many operations the state has taken in. */
  readonly index: number
  readonly state: unknown
  /** Whether the key exists in this state. */
  readonly present: boolean
}

const SPACING_MIN = 16

export class Timeline {
  #hlcs = new Float64Array(64)
  #positions = new Float64Array(64)
  #length = 0
  #restarts: Restart[]

  constructor(base: { readonly state: unknown; readonly present: boolean }) {
    this.#restarts = [{ index: 0, state: base.state, present: base.present }]
  }

  get length(): number {
    return this.#length
  }

  position(index: number): Position {
    return this.#positions[index]!
  }

  /**
   * Adds operations given in canonical order. `isBefore` decides between equal stamps. Returns the
   * lowest index that changed.
   */
  insert(entries: readonly TimelineEntry[], isBefore: (a: Position, b: Position) => boolean): number {
    this.#reserve(entries.length)
    const hlcs = this.#hlcs
    const positions = this.#positions
    let from = this.#length - 1
    let to = this.#length + entries.length - 1
    // Merge from the back: only what lies behind the earliest newcomer moves, and each entry once.
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as TimelineEntry
      while (from >= 0 && this.#isBehind(from, entry, isBefore)) {
        hlcs[to] = hlcs[from]!
        positions[to--] = positions[from--]!
      }
      hlcs[to] = entry.hlc
      positions[to--] = entry.position
    }
    this.#length += entries.length
    return from + 1
  }

  /** About how many operations are replayed if one comes that is stamped so. */
  replayedFrom(hlc: Hlc): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#hlcs[middle]! >= hlc) high = middle
      else low = middle + 1
    }
    const restart = this.#restarts.findLast(({ index }) => index <= low) as Restart
    return this.#length - restart.index
  }

  /** The latest state that has taken in at most `index` operations; later ones are dropped. */
  restart(index: number): Restart {
    while (this.#restarts.length > 1 && (this.#restarts.at(-1) as Restart).index > index) this.#restarts.pop()
    return this.#restarts.at(-1) as Restart
  }

  /** Offers the state behind the first `index` operations as one to restart from. */
  offer(index: number, { state, present }: { readonly state: unknown; readonly present: boolean }): void {
    if (index - (this.#restarts.at(-1) as Restart).index < SPACING_MIN) return
    this.#restarts.push({ index, state, present })
    this.#thin(index)
  }

  #isBehind(index: number, entry: TimelineEntry, isBefore: (a: Position, b: Position) => boolean): boolean {
    const hlc = this.#hlcs[index]!
    return hlc === entry.hlc ? isBefore(entry.position, this.#positions[index]!) : hlc > entry.hlc
  }

  /**
   * Keeps two restarts to each doubling of the distance from the head, and the first one of all.
   */
  #thin(head: number): void {
    const restarts = this.#restarts
    for (let i = restarts.length - 3; i > 0; i--) {
      const outer = bucket(head - (restarts[i] as Restart).index)
      const inner = bucket(head - (restarts[i + 2] as Restart).index)
      if (outer === inner) restarts.splice(i + 1, 1)
    }
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#hlcs.length) return
    const capacity = Math.max(needed, this.#hlcs.length * 2)
    this.#hlcs = widened(this.#hlcs, capacity)
    this.#positions = widened(this.#positions, capacity)
  }
}

function bucket(distance: number): number {
  return 32 - Math.clz32(Math.floor(distance / SPACING_MIN))
}

function widened(column: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity)
  larger.set(column)
  return larger
}
