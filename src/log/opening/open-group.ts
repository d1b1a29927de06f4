/**
 * The members of a group that opening has read so far. They are handed on when the last one is
 * there; a group whose end is missing was never finished, and the log ends where it began.
 *
 * A rewritten segment is durable, so whatever began in front of it is complete, though compaction
 * may have dropped the members that would say so.
 */
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { RecordView } from '../segments/segment-format.ts'
import type { Segment } from '../segments/segment.ts'
import { RECORD_HEADER_BYTES } from '../segments/segment-format.ts'

/** A place in the bytes of a segment as they were read, and from where on these were checked. */
export interface ReadPlace {
  readonly segment: Segment
  readonly bytes: Uint8Array
  readonly offset: number
  readonly checkedFrom: number
}

export class OpenGroup {
  #start: ReadPlace | undefined
  readonly #bytes: Uint8Array[] = []
  readonly #views: DataView[] = []
  readonly #at: number[] = []
  readonly #positions: Position[] = []

  /** Where the group begins whose end has not been read yet. */
  get start(): ReadPlace | undefined {
    return this.#start
  }

  /** Keeps a member. */
  add(record: RecordView, place: ReadPlace): void {
    this.#start ??= place
    this.#bytes.push(record.bytes)
    this.#views.push(record.view)
    this.#at.push(record.start - RECORD_HEADER_BYTES)
    this.#positions.push(record.position)
  }

  /** The group is complete: hands its members on in order, in steps. */
  *finish(record: RecordView, visit: (record: RecordView) => void, meter: Meter): Generator<void, void> {
    for (const [i, position] of this.#positions.entries()) {
      record.load(this.#bytes[i] as Uint8Array, this.#views[i] as DataView, this.#at[i] as number, position)
      visit(record)
      meter.spend(1, record.end - record.start)
      if (meter.isSpent) yield
    }
    this.#start = undefined
    this.#bytes.length = this.#views.length = this.#at.length = this.#positions.length = 0
  }
}
