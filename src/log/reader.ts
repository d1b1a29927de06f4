/**
 * Reads records: a single record by its position, or many records in log order. In a resident
 * segment (one that is in RAM as a whole) the reader reads a record in place. From any other
 * segment it reads the bytes of that record only. After many such reads it loads the whole segment;
 * a few of the most recently used segments stay resident.
 *
 * Bytes that this process neither wrote nor checked are checked with every read. Damage is an error
 * that says where it is; the reader never returns a wrong record.
 */
import type { LogFile } from '../ports/files.ts'
import type { Position } from '../operation/position.ts'
import type { Segment } from './segments/segment.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { Cursor, SegmentIndex } from './segments/segment-index.ts'
import {
  checkRecord,
  describePosition,
  INTERNAL_KIND_MIN,
  KIND_JUMP,
  RECORD_HEADER_BYTES,
  RecordView,
  SEGMENT_HEADER_BYTES,
  segmentOf,
  TWO_POW_32,
  viewOf,
} from './segments/segment-format.ts'
import { segmentName } from './segments/segment.ts'

/** How many bytes are read for a record whose length is not known yet. */
const COLD_READ_BYTES = 1024
/**
 * After this many cold reads the reader loads the whole segment: to read its 8 MiB takes as long as
 * to read a thousand single records.
 */
const COLD_READS_MAX = 4096
const OPEN_FILES_MAX = 128

export class Reader {
  readonly #segments: SegmentSet
  readonly #residentMax: number
  readonly #view = new RecordView()
  readonly #place = { base: 0, salt: 0, offset: 0 }
  #clock = 0
  #trimmedAt = 0

  constructor(segments: SegmentSet, residentMax: number) {
    this.#segments = segments
    this.#residentMax = residentMax
  }

  isResident(position: Position): boolean {
    return this.#segments.find(position)?.bytes !== undefined
  }

  record(position: Position): RecordView {
    const segment = this.#segments.find(position)
    if (segment === undefined) throw missing(position)
    if (segment.bytes === undefined) return this.#recordCold(segment, position)
    segment.lastUse = ++this.#clock
    const at = segment.rewrittenAt === 0 ? position >>> 0 : this.#locate(segment, position)
    return this.#load(segment, at, position)
  }

  /** See `Log.scan`. */
  scan(from: Position, visit: (record: RecordView) => boolean): Position {
    const record = new RecordView()
    const { groupFrom } = this.#segments
    if (from >= groupFrom) return from
    let position = from
    for (;;) {
      const segment = this.#segments.find(position) ?? this.#skipGone(position)
      if (segment === undefined) return this.#end()
      if (segmentOf(position) !== segment.number) position = segment.base + SEGMENT_HEADER_BYTES
      const next = this.#scanSegment(segment, position, record, visit)
      if (next !== undefined) return next
      if (segment === this.#segments.active) return this.#end()
      position = segment.base + TWO_POW_32 + SEGMENT_HEADER_BYTES
    }
  }

  /** `undefined` when the segment was read to its end. */
  #scanSegment(
    segment: Segment,
    from: Position,
    record: RecordView,
    visit: (record: RecordView) => boolean,
  ): Position | undefined {
    this.load(segment)
    const { bytes, view } = segment
    if (bytes === undefined || view === undefined) return undefined
    const { groupFrom } = this.#segments
    const place = { base: segment.base, salt: segment.salt, offset: 0 }
    const cursor = new Cursor(view, bytes.length, segment.number)
    if (!this.#seek(segment, cursor, from >>> 0)) return undefined
    while (cursor.physical < segment.end) {
      const at = cursor.physical
      const position = segment.base + cursor.logical
      place.offset = cursor.logical
      if (position >= groupFrom) return groupFrom
      if (at < segment.trustedFrom && checkRecord(view, at, bytes.length, place) === 0) throw damaged(position)
      record.load(bytes, view, at, position)
      if (!cursor.step()) return undefined
      if (record.kind < INTERNAL_KIND_MIN && !visit(record)) return segment.base + cursor.logical
    }
    return undefined
  }

  /** Puts the cursor on the record at `offset`, or the first one behind it. */
  #seek(segment: Segment, cursor: Cursor, offset: number): boolean {
    if (segment.rewrittenAt === 0) {
      cursor.logical = cursor.physical = offset
      return true
    }
    const index = this.#indexOf(segment)
    const entry = index.find(offset)
    cursor.logical = index.logicalAt(entry)
    cursor.physical = index.physicalAt(entry)
    return cursor.walkTo(offset)
  }

  #skipGone(position: Position): Segment | undefined {
    return segmentOf(position) < this.#segments.first ? this.#segments.list[0] : undefined
  }

  #end(): Position {
    const { active, groupFrom } = this.#segments
    return Math.min(active.base + active.end, groupFrom)
  }

  #load(segment: Segment, at: number, position: Position): RecordView {
    const record = this.#view
    const { bytes, view } = segment
    if (bytes === undefined || view === undefined || at < SEGMENT_HEADER_BYTES) throw missing(position)
    if (at + RECORD_HEADER_BYTES > segment.end) throw missing(position)
    if (at < segment.trustedFrom) {
      const place = this.#place
      place.base = segment.base
      place.salt = segment.salt
      place.offset = position >>> 0
      if (checkRecord(view, at, segment.end, place) === 0) throw damaged(position)
    }
    record.load(bytes, view, at, position)
    if (record.end > segment.end || record.kind === 0 || record.kind >= INTERNAL_KIND_MIN) throw missing(position)
    return record
  }

  #locate(segment: Segment, position: Position): number {
    const cursor = new Cursor(segment.view as DataView, segment.end, segment.number)
    if (!this.#seek(segment, cursor, position >>> 0) || cursor.logical !== position >>> 0) throw missing(position)
    return cursor.physical
  }

  #recordCold(segment: Segment, position: Position): RecordView {
    segment.lastUse = ++this.#clock
    if (++segment.coldReads >= COLD_READS_MAX || (segment.rewrittenAt !== 0 && segment.index === undefined)) {
      this.load(segment)
      return this.record(position)
    }
    const at = segment.rewrittenAt === 0 ? position >>> 0 : this.#locateCold(segment, position)
    let bytes = this.#fetch(segment, at, COLD_READ_BYTES)
    if (bytes.length < RECORD_HEADER_BYTES) throw missing(position)
    const length = RECORD_HEADER_BYTES + (viewOf(bytes).getUint32(4) & 0xffffff)
    if (at + length > segment.end) throw damaged(position)
    if (length > bytes.length) bytes = this.#fetch(segment, at, length)
    const view = viewOf(bytes)
    const place = { base: segment.base, salt: segment.salt, offset: position >>> 0 }
    if (checkRecord(view, 0, bytes.length, place) === 0) throw damaged(position)
    this.#view.load(bytes, view, 0, position)
    if (this.#view.kind >= INTERNAL_KIND_MIN) throw missing(position)
    return this.#view
  }

  #locateCold(segment: Segment, position: Position): number {
    const index = segment.index as SegmentIndex
    const entry = index.find(position >>> 0)
    const from = index.physicalAt(entry)
    const bytes = this.#fetch(segment, from, index.spanBytes(entry, segment.end) + RECORD_HEADER_BYTES)
    const cursor = new Cursor(viewOf(bytes), bytes.length, segment.number)
    cursor.logical = index.logicalAt(entry)
    cursor.physical = 0
    if (!cursor.walkTo(position >>> 0) || cursor.logical !== position >>> 0) throw missing(position)
    return from + cursor.physical
  }

  #fetch(segment: Segment, at: number, length: number): Uint8Array {
    try {
      segment.file ??= this.#open(segment)
      return segment.file.read(at, Math.min(length, segment.end - at))
    } catch (cause) {
      throw new WarpError('WARP_E_STORAGE', `cannot read ${segmentName(segment.number)}`, { cause })
    }
  }

  /** Opens the file of a segment when it is read. Only a bounded number of files stay open. */
  #open(segment: Segment): LogFile {
    const { list, files } = this.#segments
    const idle = list.filter(
      (one) => one.file !== undefined && one.sealed && one.base + one.end <= this.#segments.durableThrough,
    )
    if (idle.length >= OPEN_FILES_MAX) {
      idle.sort((a, b) => a.lastUse - b.lastUse)
      for (const one of idle.slice(0, OPEN_FILES_MAX / 2)) {
        one.file?.close()
        one.file = undefined
      }
    }
    return files.open(segmentName(segment.number))
  }

  /** Brings a whole segment into RAM; the least recently used sealed ones make room. */
  load(segment: Segment): void {
    segment.lastUse = ++this.#clock
    segment.coldReads = 0
    if (segment.bytes !== undefined) return
    const bytes = this.#fetch(segment, 0, segment.end)
    segment.hold(bytes)
    segment.trustedFrom = Number.POSITIVE_INFINITY
    this.#trim(segment)
  }

  /** After records were stored: a segment that has been sealed may leave RAM. */
  trimSealed(): void {
    const { number } = this.#segments.active
    if (number === this.#trimmedAt) return
    this.#trimmedAt = number
    this.#trim()
  }

  /** Drops resident segments beyond the bound, but never the segment that was asked for. */
  #trim(asked?: Segment): void {
    if (!this.#segments.persistent) return
    const { loggedThrough } = this.#segments
    const resident = this.#segments.list.filter(
      ({ bytes, sealed, isPinned, base, end }) =>
        bytes !== undefined && sealed && !isPinned && base + end <= loggedThrough,
    )
    if (resident.length <= this.#residentMax) return
    resident.sort((a, b) => a.lastUse - b.lastUse)
    for (const segment of resident.slice(0, resident.length - this.#residentMax)) {
      if (segment !== asked) this.#segments.memory.give(segment.release())
    }
  }

  #indexOf(segment: Segment): SegmentIndex {
    return (segment.index ??= buildIndex(segment))
  }
}

function buildIndex(segment: Segment): SegmentIndex {
  const index = new SegmentIndex()
  const view = segment.view as DataView
  const cursor = new Cursor(view, segment.end, segment.number)
  do {
    if (cursor.physical + RECORD_HEADER_BYTES <= segment.end && view.getUint8(cursor.physical + 4) !== KIND_JUMP) {
      index.add(cursor.logical, cursor.physical)
    }
  } while (cursor.step())
  return index
}

function missing(position: Position): WarpError {
  return new WarpError(
    'WARP_E_LOG_CORRUPT',
    `no record at ${describePosition(position)}: compaction dropped it, or the position was never given out`,
    { details: { position } },
  )
}

export function damaged(position: Position): WarpError {
  const segment = segmentOf(position)
  return new WarpError(
    'WARP_E_LOG_CORRUPT',
    `the record at ${describePosition(position)} is damaged (checksum); restore ${segmentName(segment)} from a backup ` +
      'or let another replica supply the data',
    { details: { position, file: segmentName(segment), offset: position >>> 0 } },
  )
}
