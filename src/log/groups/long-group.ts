/**
 * A group of records that is written over many turns of the event loop, while others go on writing
 * to the log. After a crash all of it is there or nothing.
 *
 * Its records stand in segments of their own, further on: as many numbers are left free in front of
 * them as others are likely to need meanwhile. Until the group ends the log does not lead there,
 * nobody reads there, and the files have names that any opening removes. To end the group
 * (`Log.endGroup`) the log jumps over the numbers that were not needed, in segments that hold
 * nothing but the jump, and goes on behind the group. Then the flusher names the files, one by one
 * and in their order, each before the jump that leads to it is stored. The records carry the bit of
 * a group that goes on, all but the last, so a log that ends in the midst of that ends where the
 * group begins. What is stored is a group as any other one: a build that does not know of long
 * groups reads it.
 *
 * All positions of the group are greater than those of what others have written meanwhile, as if it
 * had been written in the turn in which it ended.
 *
 * Others may need more numbers than were left free. The group is *overtaken* then, and has to be
 * begun again with more.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Position } from '../../operation/position.ts'
import type { Env } from '../../ports/env.ts'
import { Appender, type JoinedGroup, type LastOfGroup } from '../appender.ts'
import { RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../segments/segment-format.ts'
import { sealRecords, type Segment } from '../segments/segment.ts'
import { SegmentSet } from '../segments/segment-set.ts'
import { storageError } from '../storage-error.ts'

export interface LongGroupOptions {
  /** Those of the log. */
  readonly segments: SegmentSet
  readonly env: Env
  readonly segmentBytes: number
  /** How many numbers of segments others can begin meanwhile. */
  readonly freeNumbers: number
  /** It has ended, or was given up. */
  readonly onOver: () => void
}

export class LongGroup implements JoinedGroup {
  /** Where the group begins. */
  readonly start: Position
  readonly #log: SegmentSet
  readonly #own: SegmentSet
  readonly #appender: Appender
  readonly #onOver: () => void
  /** How many of the segments have been stored but for their last record. */
  #storedCount = 0
  #isOver = false

  /** Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE`, `WARP_E_CLOSED`. */
  constructor({ segments, env, segmentBytes, freeNumbers, onOver }: LongGroupOptions) {
    const { files, formatRead, memory, formatWritten, active } = segments
    this.#log = segments
    this.#onOver = onOver
    if (segments.closed) throw new WarpError('WARP_E_CLOSED', 'the log has been closed')
    this.#own = new SegmentSet(files, formatRead, memory)
    this.#own.formatWritten = formatWritten
    this.#appender = new Appender({
      ...{ segments: this.#own, env, segmentBytes, home: 0, boot: 0, isUnnamed: true },
      firstNumber: active.number + 1 + freeNumbers,
      onBacklog: () => undefined,
      observe: () => undefined,
    })
    this.#appender.start()
    this.start = this.#appender.end
  }

  get segments(): readonly Segment[] {
    return this.#own.list
  }

  get firstSegment(): number {
    return this.#own.first
  }

  /** Where its next record will go. */
  get end(): Position {
    return this.#appender.end
  }

  get lastRecord(): LastOfGroup | undefined {
    return this.#appender.lastOfGroup
  }

  /** Others have needed the numbers in front of it, or are about to: it cannot become part of the log. */
  get isOvertaken(): boolean {
    return this.#log.active.number + 1 >= this.firstSegment
  }

  /** As `Log.begin`. */
  begin(): ByteWriter {
    return this.#appender.begin()
  }

  /** As `Log.commit`; the position counts once the group has ended. */
  commit(kind: number, previous: Position, writer?: ByteWriter): Position {
    if (this.#own.formatWritten !== this.#log.formatWritten) {
      this.#own.formatWritten = this.#log.formatWritten
      this.#appender.refreshLimit()
    }
    return this.#appender.commit(kind, previous, writer)
  }

  /**
   * Hands what has been committed to the files, so that little is left to do when the group ends:
   * all but the last record, which may turn out to be the last one of the group, and the jumps,
   * which may not be stored before the segment behind them has its name. Throws `WARP_E_STORAGE`.
   */
  store(): void {
    const { list, persistent } = this.#own
    const last = this.lastRecord
    if (!persistent || this.#isOver || last === undefined) return
    for (const segment of list.slice(this.#storedCount)) {
      this.#storeUntil(segment, segment.sealed ? segment.end - RECORD_HEADER_BYTES : last.at)
      if (segment.sealed) this.#storedCount++
    }
  }

  #storeUntil(segment: Segment, end: number): void {
    const { file, bytes, view } = segment
    if (file === undefined || bytes === undefined || view === undefined) return
    segment.flushed = Math.max(segment.flushed, SEGMENT_HEADER_BYTES)
    const from = segment.flushed
    if (from >= end) return
    sealRecords(segment, view, end)
    segment.flushed = end
    try {
      const pending = file.write(from, bytes.subarray(from, end))
      if (pending === undefined) return
      // A failure shows when the log waits for it; the group may have been given up by then.
      segment.writing = segment.writing === undefined ? pending : segment.writing.then(() => pending)
      segment.writing.catch(() => undefined)
      pending.catch(() => undefined)
    } catch (error) {
      throw storageError(error, `writing ${segment.name}`)
    }
  }

  /** The group is part of the log. */
  joined(): void {
    this.#end()
  }

  /** Gives the group up: nothing of it has been. Does nothing when it is over. */
  dispose(): void {
    if (this.#isOver) return
    this.#end()
    for (const segment of this.#own.list) {
      this.#own.memory.give(segment.release())
      this.#remove(segment)
    }
  }

  #end(): void {
    this.#isOver = true
    this.#own.closed = true
    this.#appender.refreshLimit()
    this.#onOver()
  }

  /** What cannot be removed now is at the next opening. */
  #remove({ file, name }: Segment): void {
    if (file === undefined) return
    try {
      file.close()
      this.#own.files.remove(name)
    } catch {
      return
    }
  }
}
