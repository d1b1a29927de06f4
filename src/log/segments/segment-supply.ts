/**
 * Makes segments and takes disk space for them. Space is taken ahead in chunks, so that a full disk
 * is noticed before a record exists. The next segment gets its space chunk by chunk while the
 * active segment fills, and has all of it when the active segment is three quarters full. The space
 * is therefore on stable storage before it is needed, and the syncs that writers wait for have only
 * records to write.
 */
import type { Env } from '../../ports/env.ts'
import type { LogFile } from '../../ports/files.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'
import { storageError } from '../storage-error.ts'
import { emptySegment, segmentName } from './segment.ts'
import { MARK_BYTES, SEGMENT_HEADER_BYTES } from './segment-format.ts'

/**
 * Kept free behind the last record of a segment: for the mark of a clean close and the jump to the
 * next segment.
 */
export const TAIL_BYTES = 64
/** What a new segment needs before the first record. */
const EMPTY_BYTES = SEGMENT_HEADER_BYTES + MARK_BYTES + TAIL_BYTES
const RAM_SEGMENT_BYTES_MIN = 65_536
const RESERVE_BYTES_MIN = 262_144
const RESERVE_BYTES_MAX = 1_048_576

export interface SupplyOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly segmentBytes: number
  /** The number of the first segment. Default 1. */
  readonly firstNumber?: number
  /** The segments are no part of the log yet (`groups/long-group.ts`). Default `false`. */
  readonly isUnnamed?: boolean
}

/** What a group that is taken back has to give back. */
export interface SupplyState {
  readonly chunkBytes: number
  /** The segment that was made ahead, and what it had then. */
  readonly next: { readonly segment: Segment; readonly bytes: Uint8Array; readonly reserved: number } | undefined
}

export class SegmentSupply {
  readonly #options: SupplyOptions
  readonly #segments: SegmentSet
  /**
   * Segments behind the active one, in order: the one made ahead, and those that a group could not
   * give back.
   */
  readonly #ahead: Segment[] = []
  #chunkBytes = RESERVE_BYTES_MIN
  /**
   * Space could not be taken ahead; the next record that needs some finds out whether that has
   * changed.
   */
  #isFull = false
  /** The last time that space was asked for there was none. */
  #isOutOfSpace = false

  constructor(options: SupplyOptions) {
    this.#options = options
    this.#segments = options.segments
  }

  /** The segment made ahead, so that it can be put on stable storage before it is needed. */
  get next(): Segment | undefined {
    return this.#ahead[0]
  }

  first(): Segment {
    return this.#create(this.#options.firstNumber ?? 1, this.#capacity(0), EMPTY_BYTES)
  }

  /**
   * The segment behind the active one, for nothing but a jump. Throws `WARP_E_STORAGE_FULL`.
   */
  takeEmpty(): Segment {
    return (
      this.#takeNext(EMPTY_BYTES, EMPTY_BYTES) ??
      this.#create(this.#segments.active.number + 1, EMPTY_BYTES, EMPTY_BYTES)
    )
  }

  /**
   * The segment behind the active one, with space for so many bytes at least. Throws
   * `WARP_E_STORAGE_FULL`.
   */
  take(needed: number): Segment {
    const capacity = this.#capacity(needed)
    return this.#takeNext(capacity, needed) ?? this.#create(this.#segments.active.number + 1, capacity, needed)
  }

  /** The segment made ahead, made larger if need be. */
  #takeNext(capacity: number, needed: number): Segment | undefined {
    const [segment] = this.#ahead
    if (segment?.bytes === undefined) return undefined
    if (segment.reserved < needed) this.#extend(segment, Math.min(capacity, needed + this.#chunkBytes), needed)
    if (segment.bytes.length < capacity) {
      const larger = this.#segments.memory.take(capacity)
      larger.set(segment.bytes.subarray(0, SEGMENT_HEADER_BYTES))
      segment.hold(larger)
    }
    this.#ahead.shift()
    return segment
  }

  #capacity(needed: number): number {
    const { list, persistent } = this.#segments
    const { segmentBytes } = this.#options
    const last = list.at(-1)?.bytes?.length ?? 0
    const usual = persistent ? segmentBytes : Math.min(segmentBytes, Math.max(RAM_SEGMENT_BYTES_MIN, last * 2))
    return Math.max(usual, needed)
  }

  #create(number: number, capacity: number, bytes: number, format: number = this.#segments.formatWritten): Segment {
    const salt = new DataView(this.#options.env.random(4).buffer).getUint32(0)
    const segment = emptySegment({ number, salt, rewrittenAt: 0, format }, this.#segments.memory.take(capacity))
    if (!this.#segments.persistent) return segment
    segment.isUnnamed = this.#options.isUnnamed ?? false
    const { name } = segment
    segment.registered = false
    segment.flushed = 0
    try {
      segment.file = this.#segments.files.create(name)
      this.#extend(segment, Math.min(capacity, Math.max(bytes, this.#chunkBytes)), bytes)
    } catch (error) {
      if (segment.file !== undefined) this.#discard(segment)
      throw storageError(error, `creating ${name}`)
    }
    return segment
  }

  /** Makes sure that so many bytes of the segment are there. Throws `WARP_E_STORAGE_FULL`. */
  reserve(segment: Segment, bytes: number): void {
    if (segment.file === undefined || segment.reserved >= bytes) return
    const capacity = segment.bytes?.length ?? 0
    this.#extend(segment, Math.min(capacity, Math.max(bytes, segment.reserved + this.#chunkBytes)), bytes)
    this.#chunkBytes = Math.min(RESERVE_BYTES_MAX, this.#chunkBytes * 2)
  }

  /**
   * Takes space before it is needed: the next chunk, or the next segment. Returns why there was
   * none.
   */
  prepare(active: Segment): WarpError | undefined {
    // A name behind those of a long group, which come one by one, would leave a gap after a crash.
    if (this.#isFull || active.isUnnamed) return undefined
    try {
      const capacity = active.bytes?.length ?? 0
      if (active.reserved < capacity) {
        if (active.reserved - active.end < this.#chunkBytes / 2)
          this.reserve(active, Math.min(capacity, active.end + this.#chunkBytes))
      } else if (active.end > capacity / 4) {
        this.#prepareNext(active, active.end / capacity)
      }
      return undefined
    } catch (error) {
      this.#isFull = true
      return storageError(error, 'reserving space')
    }
  }

  /**
   * Whether there was no space when some was last asked for, and is none now: asks again then, since
   * without writes nobody else would.
   */
  isOutOfSpace(active: Segment): boolean {
    if (!this.#isOutOfSpace) return false
    this.#isFull = false
    this.#isOutOfSpace = this.prepare(active)?.code === 'WARP_E_STORAGE_FULL'
    return this.#isOutOfSpace
  }

  #prepareNext(active: Segment, filled: number): void {
    if (this.#ahead.length === 0) {
      // A later format comes with its first record. An empty segment of it would bar an older build
      // for nothing.
      const { formatHeld } = this.#segments
      this.#ahead.push(this.#create(active.number + 1, this.#capacity(0), EMPTY_BYTES, formatHeld))
    }
    const next = this.#ahead[0] as Segment
    const capacity = next.bytes?.length ?? 0
    const target = Math.min(capacity, Math.ceil(capacity * (filled - 0.25) * 2))
    if (next.reserved >= target) return
    const ahead = Math.min(capacity, next.reserved + this.#chunkBytes)
    this.#extend(next, ahead, ahead)
  }

  /**
   * Takes `ahead` bytes in all. On a disk that is nearly full these may not be there and the
   * `needed` ones still may.
   */
  #extend(segment: Segment, ahead: number, needed: number): void {
    const file = segment.file as LogFile
    try {
      file.reserve(ahead)
      segment.reserved = ahead
      this.#isFull = false
      this.#isOutOfSpace = false
    } catch (cause) {
      const failure = storageError(cause, `reserving space in ${segmentName(segment.number)}`)
      if (failure.code === 'WARP_E_STORAGE_FULL') this.#isOutOfSpace = true
      if (failure.code !== 'WARP_E_STORAGE_FULL' || needed >= ahead) throw failure
      this.#extend(segment, needed, needed)
    }
  }

  /** Removes the segments that were made ahead and never used. */
  drop(): void {
    for (let last = this.#ahead.pop(); last !== undefined; last = this.#ahead.pop()) this.#discard(last)
  }

  save(): SupplyState {
    const [segment] = this.#ahead
    const next = segment?.bytes && { segment, bytes: segment.bytes, reserved: segment.reserved }
    return { chunkBytes: this.#chunkBytes, next }
  }

  /**
   * Takes segments back that were used since `save`, in order, and gives back what they and the
   * next one took.
   */
  restore({ chunkBytes, next }: SupplyState, used: readonly Segment[]): void {
    for (const segment of [...used].reverse()) {
      segment.end = SEGMENT_HEADER_BYTES
      segment.sealed = false
      // Those of a long group are not the log's.
      if (segment.file !== undefined && !segment.isUnnamed) this.#ahead.unshift(segment)
    }
    this.#chunkBytes = chunkBytes
    this.#dropBehind(next?.segment)
    if (next === undefined) return
    next.segment.hold(next.bytes)
    this.giveBack(next.segment, next.reserved)
  }

  /** What cannot be given back stays taken, for later records. */
  giveBack(segment: Segment, reserved: number): void {
    if (segment.reserved <= reserved) return
    try {
      segment.file?.truncate(reserved)
      segment.reserved = reserved
    } catch {
      return
    }
  }

  /**
   * Removes the segments made ahead behind `kept`, the last first; from one that cannot be removed
   * on they stay.
   */
  #dropBehind(kept: Segment | undefined): void {
    try {
      for (let last = this.#ahead.at(-1); last !== undefined && last !== kept; last = this.#ahead.at(-1)) {
        this.#segments.files.remove(segmentName(last.number))
        last.file?.close()
        this.#ahead.pop()
      }
    } catch {
      return
    }
  }

  #discard(segment: Segment): void {
    segment.file?.close()
    this.#segments.files.remove(segment.name)
  }
}
