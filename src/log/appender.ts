/**
 * Adds records to the end of the log. A caller encodes the body of a record straight into the
 * active segment, behind the space for the record's header. `commit` then fills in the header and
 * moves the end of the log. A write in RAM costs no more than that: no copy, no object and no
 * checksum (the flusher computes the checksum).
 *
 * A group is a set of records that are all there after a crash, or none of them (`group`). Every
 * record of a group but the last carries a bit that says that the group goes on. A group is one
 * synchronous call, so no flush happens inside it. To take a group back, the appender moves the end
 * of the log back to where the group began. A long group (`groups/long-group.ts`) is written by an
 * appender of its own, into segments that the log does not lead to before the group ends (`join`).
 *
 * One comparison guards the fast path: `#limit` is the end of the space known to exist, and 0 when
 * the log is closed or poisoned. Every rare case (a new segment, more space, refusals) is behind
 * that comparison. Space is taken ahead (`segments/segment-supply.ts`), so the appender notices a
 * full disk before the record exists, and the next commit tries again.
 */
import type { Env } from '../ports/env.ts'
import type { LogEvent } from './log-event.ts'
import type { Position } from '../operation/position.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import {
  endGroupAt,
  INTERNAL_KIND_MIN,
  KIND_GROUP_GOES_ON,
  KIND_JUMP,
  MARK_BYTES,
  RECORD_BODY_BYTES_MAX,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentOf,
  viewOf,
  writeMarkRecord,
  writeRecordHeader,
} from './segments/segment-format.ts'
import { SegmentSupply, type SupplyState, TAIL_BYTES } from './segments/segment-supply.ts'
import type { Segment } from './segments/segment.ts'

const NO_BYTES = new Uint8Array(0)
/** Committed bytes that wait for nobody are flushed when so many have gathered. */
const FLUSH_BYTES = 262_144

export interface AppenderOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly segmentBytes: number
  readonly home: number
  readonly boot: number
  /**
   * Called when a record was committed and no flush is planned, and again when many bytes wait for
   * a flush (`large`).
   */
  readonly onBacklog: (large: boolean) => void
  readonly observe: (event: LogEvent) => void
  /** The number of the first segment that `start` opens. Default 1. */
  readonly firstNumber?: number
  /**
   * It writes a long group: everything belongs to it, into segments that are no part of the log yet.
   * No marks come into them.
   */
  readonly isUnnamed?: boolean
}

/** The last record of a group. */
export interface LastOfGroup {
  readonly view: DataView
  /** Where it begins there. */
  readonly at: number
}

/** A group whose records stand in segments of their own, behind those of the log. */
export interface JoinedGroup {
  readonly start: Position
  readonly firstSegment: number
  readonly segments: readonly Segment[]
  readonly lastRecord: LastOfGroup | undefined
}

/** The state at the start of a group. `#takeBack` restores it. */
interface GroupStart {
  readonly segment: Segment
  readonly end: number
  readonly reserved: number
  readonly discardedBytes: number
  readonly backlogAt: number
  /** The last record of the group around it. */
  readonly last: DataView | undefined
  readonly lastAt: number
  readonly supply: SupplyState
}

/** No draft is open. */
const NOT_BEGUN = -1

export class Appender {
  #writer: ByteWriter = new ByteWriter(0)
  /** Where the open draft was begun. */
  #begunAt: Position = NOT_BEGUN
  readonly #segments: SegmentSet
  readonly #options: AppenderOptions
  readonly #supply: SegmentSupply
  #active: Segment | undefined
  #bytes: Uint8Array = NO_BYTES
  #view: DataView = new DataView(this.#bytes.buffer)
  #base: Position = 0
  #end = 0
  /** A commit that ends behind this offset takes the slow path (`#commitSlowly`). */
  #limit = 0
  /** A commit that ends behind this calls `onBacklog`. */
  #backlogAt: number = Number.POSITIVE_INFINITY
  /** `KIND_GROUP_GOES_ON` while a group is open, and otherwise 0. */
  #groupBit = 0
  /** The last record of the open group, in the bytes of its segment. */
  #last: DataView | undefined
  #lastAt = 0

  constructor(options: AppenderOptions) {
    this.#options = options
    this.#segments = options.segments
    this.#supply = new SegmentSupply(options)
    if (options.isUnnamed === true) this.#groupBit = KIND_GROUP_GOES_ON
  }

  /** Where the next record will go. */
  get end(): Position {
    return this.#base + this.#end
  }

  /** Begins a record. Returns a writer that stands where the body of the record goes. */
  begin(): ByteWriter {
    if (this.#begunAt !== NOT_BEGUN) this.#endDraft()
    this.#begunAt = this.#base + this.#end
    this.#writer.borrow(this.#bytes, this.#view, this.#end + RECORD_HEADER_BYTES)
    return this.#writer
  }

  commit(kind: number, previous: Position, writer: ByteWriter = this.#writer): Position {
    const at = this.#end
    const begunAt = this.#begunAt
    this.#begunAt = NOT_BEGUN
    if (begunAt !== this.#base + at || writer !== this.#writer) throw interrupted()
    if (kind < 1 || kind >= INTERNAL_KIND_MIN || previous >= begunAt) throw misuse(kind, previous, begunAt)
    const length = writer.at - writer.start
    const end = at + RECORD_HEADER_BYTES + length
    if (end > this.#limit || writer.bytes !== this.#bytes || length > RECORD_BODY_BYTES_MAX) {
      return this.#commitSlowly(kind, previous, length)
    }
    return this.#finish(kind, previous, length)
  }

  /**
   * Ends a draft that was given up or interrupted. Code that still holds its writer can no longer
   * write into the log.
   */
  #endDraft(): void {
    this.#begunAt = NOT_BEGUN
    this.#writer.borrow(NO_BYTES, viewOf(NO_BYTES), 0)
    this.#writer = new ByteWriter(0)
  }

  #finish(kind: number, previous: Position, length: number): Position {
    const at = this.#end
    const position = this.#base + at
    const view = this.#view
    view.setUint32(at + 4, ((kind | this.#groupBit) << 24) | length)
    view.setUint32(at + 8, previous === 0 ? 0 : segmentOf(previous))
    view.setUint32(at + 12, previous >>> 0)
    if (this.#groupBit !== 0) {
      this.#last = view
      this.#lastAt = at
    }
    this.#advance(at + RECORD_HEADER_BYTES + length)
    return position
  }

  /** See `Log.group`. */
  group<Result>(write: () => Result): Result {
    const start = this.#groupStart()
    const isOutermost = this.#groupBit === 0
    if (isOutermost) {
      this.#groupBit = KIND_GROUP_GOES_ON
      this.#segments.groupFrom = this.end
    }
    let isWhole = false
    try {
      const result = write()
      refuseThenable(result)
      isWhole = true
      return result
    } finally {
      if (!isWhole) this.#takeBack(start)
      if (isOutermost) this.#endGroup()
    }
  }

  /** The last record of the open group. */
  get lastOfGroup(): LastOfGroup | undefined {
    return this.#last === undefined ? undefined : { view: this.#last, at: this.#lastAt }
  }

  /**
   * Leads the log into the segments of a long group, and ends the group with what `write` commits.
   * What throws leaves the log as it was.
   */
  join<Result>(group: JoinedGroup, write: () => Result): Result {
    this.#assertNoGroup()
    if (this.#begunAt !== NOT_BEGUN) this.#endDraft()
    const start = this.#groupStart()
    this.#segments.groupFrom = group.start
    let isWhole = false
    try {
      this.#roll(NO_BYTES)
      while (this.#segments.active.number + 1 < group.firstSegment) this.#lead(this.#supply.takeEmpty())
      this.#groupBit = KIND_GROUP_GOES_ON
      for (const segment of group.segments) {
        if (segment.number === group.firstSegment) this.#lead(segment)
        else this.#follow(segment)
      }
      const last = group.lastRecord
      this.#last = last?.view
      this.#lastAt = last?.at ?? 0
      const result = write()
      refuseThenable(result)
      isWhole = true
      return result
    } finally {
      if (!isWhole) this.#takeBack(start)
      this.#endGroup()
      // No mark stands in the group.
      if (isWhole && this.#segments.persistent) this.appendMark()
    }
  }

  #endGroup(): void {
    if (this.#last !== undefined) endGroupAt(this.#last, this.#lastAt)
    this.#last = undefined
    this.#groupBit = 0
    this.#segments.groupFrom = Number.POSITIVE_INFINITY
  }

  #groupStart(): GroupStart {
    const segment = this.#segments.active
    return {
      segment,
      end: this.#end,
      reserved: segment.reserved,
      discardedBytes: segment.discardedBytes,
      backlogAt: this.#backlogAt,
      last: this.#last,
      lastAt: this.#lastAt,
      supply: this.#supply.save(),
    }
  }

  /**
   * Moves the end back to where the group began. This cannot fail: it asks the medium only to take
   * space back.
   */
  #takeBack(start: GroupStart): void {
    const { segment, end } = start
    const used = this.#segments.removeBehind(segment)
    segment.sealed = false
    segment.end = end
    segment.discardedBytes = start.discardedBytes
    this.#backlogAt = start.backlogAt
    this.#last = start.last
    this.#lastAt = start.lastAt
    this.#supply.giveBack(segment, start.reserved)
    this.#supply.restore(start.supply, used)
    this.use(segment)
  }

  #advance(end: number): void {
    this.#end = end
    if (this.#active !== undefined) this.#active.end = end
    if (end > this.#backlogAt) this.#noteBacklog()
  }

  #commitSlowly(kind: number, previous: Position, length: number): Position {
    const { failure, closed } = this.#segments
    if (closed) throw new WarpError('WARP_E_CLOSED', 'the log has been closed')
    if (failure !== undefined) throw failure
    if (length > RECORD_BODY_BYTES_MAX) {
      throw new WarpError(
        'WARP_E_LIMIT',
        `a record of ${length} bytes exceeds ${RECORD_BODY_BYTES_MAX}; store large values in pieces`,
        { details: { bytes: length, limit: RECORD_BODY_BYTES_MAX } },
      )
    }
    // A segment made ahead may be of the older format too; it stays empty.
    const { formatWritten } = this.#segments
    while (this.#segments.active.format < formatWritten) this.#roll(NO_BYTES)
    const writer = this.#writer
    const body = writer.bytes.subarray(writer.start, writer.at)
    const bodyBuffer = writer.bytes
    if (this.#end + RECORD_HEADER_BYTES + length > this.#bytes.length - TAIL_BYTES) this.#roll(body)
    else {
      this.#reserve(this.#end + RECORD_HEADER_BYTES + length + TAIL_BYTES)
      if (bodyBuffer !== this.#bytes) this.#bytes.set(body, this.#end + RECORD_HEADER_BYTES)
    }
    return this.#finish(kind, previous, length)
  }

  /** Continues in a segment that was read from its file, in a buffer of full size. */
  resume(segment: Segment): void {
    const bytes = this.#segments.memory.take(Math.max(this.#options.segmentBytes, segment.end + TAIL_BYTES))
    bytes.set((segment.bytes as Uint8Array).subarray(0, segment.end))
    segment.hold(bytes)
    this.use(segment)
  }

  /** Continues in `segment`, whose records end at its `end`. */
  use(segment: Segment): void {
    this.#active = segment
    this.#bytes = segment.bytes as Uint8Array
    this.#view = segment.view as DataView
    this.#base = segment.base
    this.#end = segment.end
    this.refreshLimit()
  }

  /** Call this after space was gained, the format changed, or the log was closed or poisoned. */
  refreshLimit(): void {
    const { closed, failure, persistent, formatWritten } = this.#segments
    const isRefused = closed || failure !== undefined
    const isOlder = this.#active !== undefined && this.#active.format < formatWritten
    const space = persistent ? Math.min(this.#active?.reserved ?? 0, this.#bytes.length) : this.#bytes.length
    this.#limit = isRefused || isOlder ? 0 : space - TAIL_BYTES
  }

  /** Opens the first segment of a log. */
  start(): void {
    const segment = this.#supply.first()
    this.#segments.add(segment)
    this.use(segment)
  }

  /** From now on the next commit calls `onBacklog`. */
  watchBacklog(): void {
    if (this.#segments.persistent) this.#backlogAt = 0
  }

  #noteBacklog(): void {
    const large = this.#backlogAt > 0
    this.#backlogAt = large ? Number.POSITIVE_INFINITY : this.#end + FLUSH_BYTES
    this.#options.onBacklog(large)
  }

  /** Writes a mark as the next record. `false` if there is no room for it. */
  appendMark(): boolean {
    this.#assertNoGroup()
    if (this.#end + MARK_BYTES > this.#limit) return false
    this.#mark(false)
    return true
  }

  /** Writes a mark, in a new segment if this one is full. Throws `WARP_E_STORAGE_FULL`. */
  forceMark(): void {
    this.#assertNoGroup()
    if (this.#end + MARK_BYTES + TAIL_BYTES > this.#bytes.length) this.#roll(NO_BYTES)
    else {
      this.#reserve(this.#end + MARK_BYTES + TAIL_BYTES)
      this.#mark(false)
    }
  }

  /**
   * Writes the mark of a clean close, for which room was kept. `false` if an earlier close has used
   * it.
   */
  appendCloseMark(): boolean {
    const space = Math.min(this.#active?.reserved ?? 0, this.#bytes.length)
    if (this.#end + MARK_BYTES + RECORD_HEADER_BYTES > space) return false
    this.#mark(true)
    return true
  }

  /** A mark says how far the log was durable, and that never lies within a group. */
  #assertNoGroup(): void {
    if (this.#groupBit === 0) return
    throw new WarpError(
      'WARP_E_PROTOCOL',
      'a checkpoint, a mark or a flush was asked for inside a group of records; ask for it behind the group',
    )
  }

  #mark(clean: boolean): void {
    if (this.#begunAt !== NOT_BEGUN) this.#endDraft()
    const at = this.#end
    const { durableThrough, floor, isEndUncertain } = this.#segments
    const { home, boot } = this.#options
    const mark = { durableThrough, firstSegment: floor, clean, isEndUncertain, home, boot }
    writeMarkRecord(this.#view, at, mark)
    this.#end = at + MARK_BYTES
    if (this.#active !== undefined) this.#active.end = this.#end
  }

  /** Asks for space before it is needed. A full disk is left to the commit that needs it. */
  prepare(): void {
    const active = this.#active
    if (active === undefined || !this.#segments.persistent || this.#limit === 0) return
    const failure = this.#supply.prepare(active)
    this.refreshLimit()
    if (failure !== undefined) this.#options.observe({ kind: 'storage-full', error: failure })
  }

  /** Whether the disk has no space for what comes next. Asks it again if it had none. */
  isOutOfSpace(): boolean {
    const active = this.#active
    if (active === undefined || !this.#segments.persistent || this.#segments.closed) return false
    const isOut = this.#supply.isOutOfSpace(active)
    this.refreshLimit()
    return isOut
  }

  /** The segment made ahead. */
  get prepared(): Segment | undefined {
    return this.#supply.next
  }

  /** Removes the segments that were made ahead and never used. */
  dropPrepared(): void {
    this.#supply.drop()
  }

  #reserve(bytes: number): void {
    if (this.#active !== undefined) this.#supply.reserve(this.#active, bytes)
    this.refreshLimit()
  }

  /**
   * Seals the active segment and continues in a new one, with `body` standing behind the place of
   * its header.
   */
  #roll(body: Uint8Array): void {
    const hasMark = this.#segments.persistent && this.#options.isUnnamed !== true
    const ahead = SEGMENT_HEADER_BYTES + MARK_BYTES + RECORD_HEADER_BYTES + body.length + TAIL_BYTES
    const segment = this.#supply.take(ahead)
    const bytes = segment.bytes as Uint8Array
    const bodyAt = ahead - TAIL_BYTES - body.length - (hasMark ? 0 : MARK_BYTES)
    bytes.set(body, bodyAt)
    this.#lead(segment)
    if (hasMark) this.#mark(false)
    if (this.#backlogAt !== Number.POSITIVE_INFINITY) this.#backlogAt = 0
  }

  /** Seals the active segment with a jump to the next one, and goes on there. */
  #lead(segment: Segment): void {
    const old = this.#segments.active
    const next = segment.base + SEGMENT_HEADER_BYTES
    writeRecordHeader(this.#view, this.#end, { kind: KIND_JUMP, bodyBytes: 0, previous: next })
    old.end = this.#end + RECORD_HEADER_BYTES
    old.sealed = true
    this.#follow(segment)
  }

  /** Goes on in the next segment, to which a jump leads. */
  #follow(segment: Segment): void {
    this.#segments.add(segment)
    this.use(segment)
  }
}

/**
 * A group ends when its function returns. Records that a promise wrote later could not belong to
 * the group.
 */
function refuseThenable(result: unknown): void {
  if (typeof result !== 'object' || result === null || !('then' in result) || typeof result.then !== 'function') return
  if (result instanceof Promise) result.catch(() => undefined)
  throw new WarpError(
    'WARP_E_CONFIG',
    'the function of a group returned a promise; a group is written synchronously: await first, then write the group',
  )
}

function interrupted(): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    'the log has moved since this record was begun: code of the value that was being written (a getter, say) wrote or ' +
      'compacted; nothing was written; read such values into plain data first',
  )
}

function misuse(kind: number, previous: Position, position: Position): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    `a record of kind ${kind} that points at ${previous} cannot stand at ${position}: kinds are 1 to 7, links point back`,
    { details: { kind, previous, position } },
  )
}
