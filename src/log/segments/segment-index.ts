/**
 * Finds the records of a rewritten segment. Compaction keeps the logical offset of a record (its
 * position) and moves its bytes forward. This index maps logical offsets to physical offsets. It is
 * sparse: it has one entry for about 4 KiB, and a reader walks from that entry to the record. A
 * segment of 8 MiB therefore costs at most 16 KiB, however many records survive in it.
 */
import { KIND_JUMP, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './segment-format.ts'

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

/**
 * A place in the bytes of a segment: the same record by its logical offset and by where it stands.
 * Walks from record to record by their lengths, which it trusts; whoever uses a record checks it.
 */
export class Cursor {
  logical: number = SEGMENT_HEADER_BYTES
  physical: number = SEGMENT_HEADER_BYTES
  readonly #view: DataView
  readonly #end: number
  readonly #segment: number

  /** `end` is where the bytes that count end, `segment` the number of theirs. */
  constructor(view: DataView, end: number, segment: number) {
    this.#view = view
    this.#end = end
    this.#segment = segment
  }

  /**
   * Goes on to the record at `target`, or the first one behind it. `false` when the records of this
   * segment end before.
   */
  walkTo(target: number): boolean {
    while (this.logical < target) if (!this.step()) return false
    return this.physical + RECORD_HEADER_BYTES <= this.#end
  }

  /**
   * Steps over the record that it stands on. `false`, and it stays, where the log leads out of the
   * segment or the bytes end.
   */
  step(): boolean {
    const view = this.#view
    const at = this.physical
    if (at + RECORD_HEADER_BYTES > this.#end) return false
    const word = view.getUint32(at + 4)
    if (word === 0) return false
    const length = RECORD_HEADER_BYTES + (word & 0xffffff)
    if (word >>> 24 !== KIND_JUMP) {
      this.logical += length
    } else {
      if (view.getUint32(at + 8) !== this.#segment) return false
      this.logical = view.getUint32(at + 12)
    }
    this.physical = at + length
    return true
  }
}
