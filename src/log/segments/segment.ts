/**
 * One segment: a stretch of the log, in RAM, in a file, or both. A segment is *active* (the last
 * one, where records are added, always in RAM), then *sealed* by a jump to the next one, and may
 * later be *rewritten* by compaction. Offsets in a segment that was never rewritten are the same in
 * the file and in positions; in a rewritten one the index translates.
 */
import type { LogFile } from '../../ports/files.ts'
import type { SegmentIndex } from './segment-index.ts'
import type { SegmentHeader } from './segment-format.ts'
import type { Position } from '../../operation/position.ts'
import {
  encodeSegmentHeader,
  RECORD_HEADER_BYTES,
  sealRecord,
  SEGMENT_HEADER_BYTES,
  TWO_POW_32,
  viewOf,
} from './segment-format.ts'

export interface SegmentInfo {
  readonly number: number
  /** What it takes up: of the file, or of RAM. */
  readonly bytes: number
  readonly sealed: boolean
  readonly discardedBytes: number
  readonly rewrittenAt: Position
}

export class Segment {
  readonly number: number
  readonly base: Position
  readonly salt: number
  /** See `SegmentHeader`. */
  readonly format: number
  rewrittenAt: Position
  /** Absent in a log that keeps nothing. */
  file: LogFile | undefined
  /** The whole segment, while it is resident. */
  bytes: Uint8Array | undefined
  view: DataView | undefined
  /** Physical end of the records. */
  end: number = SEGMENT_HEADER_BYTES
  /**
   * Bytes from here on were written or checked by this process; before it, each record is checked
   * when it is read.
   */
  trustedFrom = 0
  /** Physical end of what has been handed to the file. */
  flushed: number = SEGMENT_HEADER_BYTES
  /** Space that the file has for sure. */
  reserved = 0
  /** How much of it was asked to be put on stable storage before it was needed. */
  syncedAhead = 0
  /** Header and name are on stable storage. */
  registered = true
  /** They are on their way there. */
  registering: Promise<void> | undefined
  /**
   * Its file has a name that opening removes, and gets its own with the registration: the segment is
   * of a long group.
   */
  isUnnamed = false
  /** Bytes are on their way to a file whose medium takes its time. */
  writing: Promise<void> | undefined
  sealed = false
  /** Its bytes are being read in steps and have to stay. */
  isPinned = false
  discardedBytes = 0
  /** Present in a rewritten segment once somebody read from it. */
  index: SegmentIndex | undefined
  /** For the choice of what stays resident. */
  lastUse = 0
  coldReads = 0

  constructor(header: SegmentHeader) {
    this.number = header.number
    this.base = header.number * TWO_POW_32
    this.salt = header.salt
    this.format = header.format
    this.rewrittenAt = header.rewrittenAt
  }

  /** Gives the segment its bytes. */
  hold(bytes: Uint8Array, view: DataView = viewOf(bytes)): void {
    this.bytes = bytes
    this.view = view
  }

  /** The segment leaves RAM. Returns the bytes that it had. */
  release(): Uint8Array | undefined {
    const { bytes } = this
    this.bytes = undefined
    this.view = undefined
    this.trustedFrom = Number.POSITIVE_INFINITY
    return bytes
  }

  /** The name of its file. */
  get name(): string {
    return this.isUnnamed ? unnamedSegment(this.number) : segmentName(this.number)
  }

  /** Nothing lives in it: a header and the jump to the next segment. */
  get isStub(): boolean {
    return this.rewrittenAt !== 0 && this.end <= SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES
  }

  info(): SegmentInfo {
    return {
      number: this.number,
      bytes: this.end,
      sealed: this.sealed,
      discardedBytes: this.discardedBytes,
      rewrittenAt: this.rewrittenAt,
    }
  }
}

/** Computes the checksums of the records that have not been handed to the file, up to `end`. */
export function sealRecords({ salt, flushed }: Segment, view: DataView, end: number): void {
  for (let at = flushed; at < end;) {
    sealRecord(view, at, salt ^ at)
    at += RECORD_HEADER_BYTES + (view.getUint32(at + 4) & 0xffffff)
  }
}

/** An empty segment in RAM, its header in place. */
export function emptySegment(header: SegmentHeader, bytes: Uint8Array): Segment {
  const segment = new Segment(header)
  segment.hold(bytes)
  encodeSegmentHeader(header, bytes, viewOf(bytes))
  return segment
}

export function segmentName(number: number): string {
  return `segment-${String(number).padStart(10, '0')}`
}

/** The name of a file that is not part of the log yet. Opening removes what it finds under such a name. */
export function unnamedSegment(number: number): string {
  return `${segmentName(number)}.new`
}

/** The number of a segment file, or `undefined` for other names. */
export function segmentNumber(name: string): number | undefined {
  const match = /^segment-(\d{10})$/.exec(name)
  return match === null ? undefined : Number(match[1])
}
