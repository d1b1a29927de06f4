/**
 * The bytes of a segment file: a header and records, big endian (docs/wire-format.md, "Log
 * segments", has vectors).
 *
 *     segment = header record* zero*
 *     header  = 'WARP-SEG' format:u32 number:u32 salt:u32 0:u32 rewrittenAt:position 0:28 crc:u32      64 bytes
 *     record  = crc:u32 kind:u8 bodyBytes:u24 previous:position body      kind: 16 is added if the record's group goes on behind it
 *     position= segment:u32 offset:u32
 *     mark    = durableThrough:position firstSegment:u32 flags:u32 home:u32 boot:u32    body of kind 9; flag 1: closed cleanly, 2: the end is uncertain
 *     jump    = a record of kind 8 without a body, whose `previous` is where the log goes on
 *
 * The header's checksum is the plain CRC-32C of its bytes 8 to 59. A record's starts at
 * `salt ^ offset` and covers everything behind it, so a record is valid in its own file at its own
 * offset only: stale sectors, swapped blocks and files that were renamed by hand are seen. `offset`
 * is the logical offset, which a rewritten segment keeps: where records were dropped a jump says at
 * which offset the next one stands, and positions stay valid for ever.
 */
import type { Position } from '../../operation/position.ts'
import { crc32c, crc32cUpdate } from './crc32c.ts'

export const TWO_POW_32 = 4294967296

/** The number of the segment that a position lies in. */
export function segmentOf(position: Position): number {
  return Math.floor(position / TWO_POW_32)
}

export const RECORD_KIND = { operation: 1, snapshot: 2, forget: 3, meta: 4, chunk: 5, checkpoint: 6, kept: 7 } as const
/** Kinds from here on are the log's own and are never handed out. */
export const INTERNAL_KIND_MIN = 8
export const KIND_JUMP = 8
export const KIND_MARK = 9
/**
 * The highest kind. Even with the group bit a kind stays below 32, so text in the place of a record
 * is not taken for a record.
 */
const KIND_MAX = 15
/**
 * Added to the kind of every record of a group but the last: the group goes on behind this record.
 * A group that does not come to its last record was never finished, and opening cuts all of it. See
 * `Log.group`.
 */
export const KIND_GROUP_GOES_ON = 16

export const SEGMENT_HEADER_BYTES = 64
export const RECORD_HEADER_BYTES = 16
export const MARK_BODY_BYTES = 24
export const MARK_BYTES: number = RECORD_HEADER_BYTES + MARK_BODY_BYTES
export const RECORD_BODY_BYTES_MAX = 0xffffff
/** The oldest format of a log that this build reads. */
export const FORMAT_OLDEST = 2

const SEGMENT_MAGIC: Uint8Array = new TextEncoder().encode('WARP-SEG')

/** A record in place, a flyweight: the log points it at another record with the next call. */
export class RecordView {
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(this.bytes.buffer)
  /** Where the body begins in `bytes`. */
  start = 0
  end = 0
  kind = 0
  position: Position = 0
  /** The `previous` that was passed to `commit`. */
  previous: Position = 0
  /** The position of the next record, unless a jump stands there. */
  next: Position = 0
  /**
   * The next record of the log belongs to the same group. Compaction forgets it: what it keeps is
   * complete.
   */
  isGroupGoingOn = false

  /** Points at the record whose header is at `at`. Trusts the bytes. */
  load(bytes: Uint8Array, view: DataView, at: number, position: Position): void {
    const word = view.getUint32(at + 4)
    const length = word & 0xffffff
    this.bytes = bytes
    this.view = view
    this.start = at + RECORD_HEADER_BYTES
    this.end = at + RECORD_HEADER_BYTES + length
    this.kind = (word >>> 24) & KIND_MAX
    this.isGroupGoingOn = word >>> 24 > KIND_MAX
    this.position = position
    this.previous = view.getUint32(at + 8) * TWO_POW_32 + view.getUint32(at + 12)
    this.next = position + RECORD_HEADER_BYTES + length
  }
}

export interface SegmentHeader {
  readonly number: number
  readonly salt: number
  /** The log's end when this file was written by compaction; 0 if it never was. */
  readonly rewrittenAt: Position
  /** No record in the segment is of a later format than this. */
  readonly format: number
}

export type SegmentHeaderResult =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  /** All zero, or torn while it was written, with nothing behind. */
  | { readonly kind: 'blank' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'damaged' }

export function encodeSegmentHeader(header: SegmentHeader, target: Uint8Array, view: DataView): void {
  target.fill(0, 0, SEGMENT_HEADER_BYTES)
  target.set(SEGMENT_MAGIC)
  view.setUint32(8, header.format)
  view.setUint32(12, header.number)
  view.setUint32(16, header.salt)
  writePosition(view, 24, header.rewrittenAt)
  view.setUint32(60, crc32c(target, 8, 60))
}

/**
 * Takes the whole file. The first 64 bytes keep their meaning in every format, so that a file of
 * another one is told from a damaged one. Whether the format is read is for the caller to judge.
 */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeaderResult {
  const intact = bytes.length >= SEGMENT_HEADER_BYTES && viewOf(bytes).getUint32(60) === crc32c(bytes, 8, 60)
  const letters = Array.from(SEGMENT_MAGIC, (letter, i) => bytes[i] === letter)
  if (!intact) {
    const torn = letters.every((same, i) => same || (bytes[i] ?? 0) === 0)
    if (!torn) return { kind: letters.filter(Boolean).length >= 4 ? 'damaged' : 'foreign' }
    return { kind: isZero(bytes, SEGMENT_HEADER_BYTES, bytes.length) ? 'blank' : 'damaged' }
  }
  if (!letters.every(Boolean)) return { kind: 'damaged' }
  const view = viewOf(bytes)
  const format = view.getUint32(8)
  if (format < 1) return { kind: 'damaged' }
  const header = { number: view.getUint32(12), salt: view.getUint32(16), rewrittenAt: readPosition(view, 24), format }
  return { kind: 'header', header }
}

export interface RecordHeader {
  readonly kind: number
  readonly bodyBytes: number
  readonly previous: Position
}

/** Writes everything of a record's header but the checksum. */
export function writeRecordHeader(view: DataView, at: number, header: RecordHeader): void {
  view.setUint32(at + 4, (header.kind << 24) | header.bodyBytes)
  writePosition(view, at + 8, header.previous)
}

/** Makes the record at `at` the last one of its group. Its checksum is then to be written again. */
export function endGroupAt(view: DataView, at: number): void {
  view.setUint8(at + 4, view.getUint8(at + 4) & KIND_MAX)
}

/** Writes the checksum of the record at `at`. */
export function sealRecord(view: DataView, at: number, seed: number): void {
  const end = at + RECORD_HEADER_BYTES + (view.getUint32(at + 4) & 0xffffff)
  view.setInt32(at, crc32cUpdate(seed, view, at + 4, end))
}

/**
 * The length of the record at `at` if it is whole, plausible and carries the right checksum; 0 if
 * not. `limit` is the end of the bytes that count.
 */
export function checkRecord(view: DataView, at: number, limit: number, place: RecordPlace): number {
  if (at + RECORD_HEADER_BYTES > limit) return 0
  const word = view.getUint32(at + 4)
  const kind = (word >>> 24) & KIND_MAX
  if (kind === 0 || word >>> 24 >= KIND_GROUP_GOES_ON + INTERNAL_KIND_MIN) return 0
  const length = RECORD_HEADER_BYTES + (word & 0xffffff)
  if (at + length > limit) return 0
  const link = view.getUint32(at + 8) * TWO_POW_32 + view.getUint32(at + 12)
  if (kind === KIND_JUMP ? link <= place.base + place.offset : link >= place.base + place.offset) return 0
  if (view.getInt32(at) !== crc32cUpdate(place.salt ^ place.offset, view, at + 4, at + length)) return 0
  return length
}

/** Which record is expected: of which segment, at which logical offset. */
export interface RecordPlace {
  readonly base: Position
  readonly salt: number
  readonly offset: number
}

const MARK_CLEAN = 1
const MARK_END_UNCERTAIN = 2

export interface Mark {
  /** Everything before this was on stable storage when the mark was written. */
  readonly durableThrough: Position
  readonly firstSegment: number
  readonly clean: boolean
  /**
   * The last records of the log may be missing, and the owner of the log has not accepted that yet
   * (`acceptEnd`).
   */
  readonly isEndUncertain: boolean
  /**
   * Digests of the names of the place and of the boot of the machine; 0 where they are not known.
   */
  readonly home: number
  readonly boot: number
}

/** A name as it stands in a mark. */
export function digestName(name: string | undefined): number {
  return name === undefined ? 0 : crc32c(new TextEncoder().encode(name)) || 1
}

/** Whether two digests are of the same name; `undefined` if one of them is not known. */
export function sameName(stored: number | undefined, present: number): boolean | undefined {
  return stored === undefined || stored === 0 || present === 0 ? undefined : stored === present
}

/** Writes the record of a mark, all but the checksum. */
export function writeMarkRecord(view: DataView, start: number, mark: Mark): void {
  writeRecordHeader(view, start, { kind: KIND_MARK, bodyBytes: MARK_BODY_BYTES, previous: 0 })
  const at = start + RECORD_HEADER_BYTES
  writePosition(view, at, mark.durableThrough)
  view.setUint32(at + 8, mark.firstSegment)
  view.setUint32(at + 12, (mark.clean ? MARK_CLEAN : 0) | (mark.isEndUncertain ? MARK_END_UNCERTAIN : 0))
  view.setUint32(at + 16, mark.home)
  view.setUint32(at + 20, mark.boot)
}

export function readMark(view: DataView, at: number): Mark {
  const flags = view.getUint32(at + 12)
  return {
    durableThrough: readPosition(view, at),
    firstSegment: view.getUint32(at + 8),
    clean: (flags & MARK_CLEAN) !== 0,
    isEndUncertain: (flags & MARK_END_UNCERTAIN) !== 0,
    home: view.getUint32(at + 16),
    boot: view.getUint32(at + 20),
  }
}

export function writePosition(view: DataView, at: number, position: Position): void {
  view.setUint32(at, segmentOf(position))
  view.setUint32(at + 4, position >>> 0)
}

export function readPosition(view: DataView, at: number): Position {
  return view.getUint32(at) * TWO_POW_32 + view.getUint32(at + 4)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}

/** For messages: `segment 3, offset 4096`. */
export function describePosition(position: Position): string {
  return `segment ${segmentOf(position)}, offset ${position >>> 0}`
}
