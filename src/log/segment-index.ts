/**
 * Where the records of a rewritten segment are. Compaction keeps a record's logical offset (its position) and moves its bytes
 * forward; this maps the one to the other. Sparse: one entry for about 4 KiB, the rest is walked, so that a segment of 8 MiB
 * costs at most 16 KiB however many records survive in it.
 */
import {
  KIND_JUMP,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from './segment-format.ts'

const ENTRY_SPACING_BYTES = 4096

export class SegmentIndex {
  readonly #logical: number[] = []
  readonly #physical: number[] = []

  /** To be called for each record in order. */
  add(logical: number, physical: number): void {
    const last = this.#physical[this.#physical.length - 1]
    if (last !== undefined && physical - last < ENTRY_SPACING_BYTES) return
    this.#logical.push(logical)
    this.#physical.push(physical)
  }

  /** The entry number to start walking from. */
  find(logical: number): number {
    let low = 0
    let high = this.#logical.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#logical[middle]! <= logical) low = middle
      else high = middle - 1
    }
    return low
  }

  logicalAt(entry: number): number {
    return this.#logical[entry] ?? SEGMENT_HEADER_BYTES
  }

  physicalAt(entry: number): number {
    return this.#physical[entry] ?? SEGMENT_HEADER_BYTES
  }

  /** How many bytes have to be read to walk from this entry to the next. */
  spanBytes(entry: number, segmentBytes: number): number {
    return (this.#physical[entry + 1] ?? segmentBytes) - this.physicalAt(entry)
  }
}

/** A place in a segment: the same record by its position and by its bytes. Mutable, to walk without allocation. */
export interface Cursor {
  logical: number
  physical: number
}

/**
 * Walks on until the record at `target` or the first one behind it. Trusts lengths; whoever uses the record checks it.
 * Returns `false` when the bytes end first or the segment does (a jump leads out of it).
 */
export function walkTo(view: DataView, limit: number, number: number, target: number, cursor: Cursor): boolean {
  while (cursor.logical < target) {
    if (!stepOver(view, limit, number, cursor)) return false
  }
  return cursor.physical + RECORD_HEADER_BYTES <= limit
}

/** Moves the cursor over the record that it stands on. `false` at the end, with the cursor left where it was. */
export function stepOver(view: DataView, limit: number, number: number, cursor: Cursor): boolean {
  const at = cursor.physical
  if (at + RECORD_HEADER_BYTES > limit) return false
  const word = view.getUint32(at + 4)
  if (word === 0) return false
  const length = RECORD_HEADER_BYTES + (word & 0xffffff)
  if (word >>> 24 !== KIND_JUMP) {
    cursor.logical += length
  } else {
    if (view.getUint32(at + 8) !== number) return false
    cursor.logical = view.getUint32(at + 12)
  }
  cursor.physical = at + length
  return true
}
