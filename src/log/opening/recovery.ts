/**
 * Opens what is stored, and trusts nothing that it has not checked. The log is read from the newest
 * good checkpoint (or from its beginning) record by record. Where the first record is missing or
 * invalid, at X, the bytes behind X decide:
 *
 * - No valid record behind X: a torn tail. The last write did not arrive in full; it is cut off and
 *   reported.
 * - Valid records behind X, and a mark among them (or the checkpoint) says that the log was durable
 *   beyond X: bytes that had been stored were damaged. `WARP_E_LOG_CORRUPT`; nothing is changed.
 * - Valid records behind X, and every mark says no more than X: the disk stored a later sector and
 *   lost an earlier one that was never synced, as it may when the power fails. Nobody was promised
 *   more than X: cut, and reported with the number of records lost.
 *
 * A group that was not finished is no part of the log: X is where it began. Its members are handed
 * in when its last one has been read (`open-group.ts`).
 *
 * Records are searched at every byte behind X, since a damaged length hides where the next one
 * begins. In a rewritten segment, or before one, nothing may be damaged at all: all of it was
 * synced before it came to be.
 *
 * After an unclean end the part of the log that is not known to be durable is written once more and
 * synced: pages whose flush failed are in the cache but not on the disk, and the kernel takes them
 * for clean.
 *
 * If the end may be missing of what the log has held (something had to be cut, or the machine has
 * gone down), its owner has to know, for what it wrote there may be elsewhere. Every mark says so
 * until the owner accepts it (`Log.acceptEnd`), and what is cut is first written over with such a
 * mark: a process that dies in between, or a disk that is full, leaves it to the next opening.
 */
import type { Env } from '../../ports/env.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { LogEvent } from '../log-event.ts'
import type { LogFile, LogFiles } from '../../ports/files.ts'
import type { Mark } from '../segments/segment-format.ts'
import { Budget, type Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { SegmentSet } from '../segments/segment-set.ts'
import type { Stored, StoredSegment } from './stored-files.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import { OpenGroup, type ReadPlace } from './open-group.ts'
import { newestCheckpoint } from './newest-checkpoint.ts'
import { Segment, segmentName } from '../segments/segment.ts'
import { corrupt, listStored, readWhole } from './stored-files.ts'
import { searchRecords } from './record-search.ts'
import { storageError } from '../storage-error.ts'
import {
  checkRecord,
  describePosition,
  digestName,
  INTERNAL_KIND_MIN,
  isZero,
  KIND_JUMP,
  KIND_MARK,
  MARK_BYTES,
  readMark,
  RecordView,
  sameName,
  sealRecord,
  SEGMENT_HEADER_BYTES,
  segmentOf,
  TWO_POW_32,
  viewOf,
  writeMarkRecord,
} from '../segments/segment-format.ts'
import { Cursor } from '../segments/segment-index.ts'

export interface RecoverOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly observe: (event: LogEvent) => void
  readonly replay: LogReplay
}

/** Receives what was stored while a log is opened. */
export interface LogReplay {
  /**
   * The body of the newest good checkpoint, before any record. Not called if there is none.
   * Borrowed. Long ones are read in steps.
   */
  restore(body: Uint8Array, budget: Budget): Promise<void> | void
  /** Every record after the checkpoint (every one, if there is none), in log order. A flyweight. */
  record(record: RecordView): void
}

/** A segment as it was read, and the logical offset from which on it is replayed. */
interface Replayed {
  readonly segment: Segment
  readonly bytes: Uint8Array
  readonly from: number
}

export interface Recovered {
  readonly checkpoint: Checkpoint | undefined
  /** Number of the newest checkpoint file, good or bad. */
  readonly checkpointNumber: number
  readonly mark: Mark | undefined
  readonly clean: boolean
  readonly cutBytes: number
  readonly cutRecords: number
  readonly replayed: number
}

/** Reads the log into `segments`. `undefined` if there is none. */
export async function recover(options: RecoverOptions): Promise<Recovered | undefined> {
  const { files, formatRead } = options.segments
  const stored = listStored(files, formatRead)
  if (stored.segments.every((one) => one.header === undefined)) {
    for (const name of [...stored.segments.map((one) => one.name), ...stored.temporary]) files.remove(name)
    return undefined
  }
  const recovery = new Recovery(options, stored)
  await recovery.read()
  await recovery.repair(stored.temporary)
  return recovery.result()
}

/** Where reading came to its end, and whether something lies behind. */
interface End extends ReadPlace {
  /** The records behind are to be searched from here. */
  readonly searchFrom: number
}

interface Behind {
  /** Valid records of any kind. */
  found: number
  /** Those that were handed in. */
  records: number
  bytes: number
  durableThrough: Position
}

class Recovery {
  readonly #options: RecoverOptions
  readonly #segments: SegmentSet
  readonly #files: LogFiles
  /** Without a gap, up to the last. */
  readonly #run: StoredSegment[]
  /**
   * In front of a gap: removed segments whose name has come back. Behind the last: made ahead and
   * never used.
   */
  readonly #unused: StoredSegment[]
  /** The newest first. */
  readonly #checkpointNumbers: readonly number[]
  readonly #record = new RecordView()
  #checkpoint: Checkpoint | undefined
  #mark: Mark | undefined
  #markEnd: Position = 0
  #durableThrough: Position = 0
  #replayed = 0
  readonly #group = new OpenGroup()
  #cutBytes = 0
  #cutRecords = 0
  #clean = false
  #end: End | undefined

  constructor(options: RecoverOptions, { segments: found, checkpoints }: Stored) {
    this.#options = options
    this.#segments = options.segments
    this.#files = options.segments.files
    this.#checkpointNumbers = checkpoints
    const last = found.findLastIndex((one) => one.header !== undefined)
    let first = last
    while (first > 0 && found[first - 1]?.number === (found[first] as StoredSegment).number - 1) first--
    this.#run = found.slice(first, last + 1)
    this.#unused = [...found.slice(0, first), ...found.slice(last + 1)]
    for (const { header, size, name } of this.#run) {
      if (header === undefined) throw corrupt(`${name} is empty and later ones are not`, { file: name, offset: 0 })
      const segment = new Segment(header)
      segment.end = size
      segment.flushed = size
      segment.reserved = size
      segment.sealed = true
      segment.trustedFrom = Number.POSITIVE_INFINITY
      this.#segments.add(segment)
    }
  }

  /** Replays the log and judges its end. Changes nothing on the disk. */
  async read(): Promise<void> {
    const { observe } = this.#options
    this.#checkpoint = newestCheckpoint({ segments: this.#segments, numbers: this.#checkpointNumbers, observe })
    const budget = new Budget(this.#options.env)
    if (this.#checkpoint !== undefined) await this.#options.replay.restore(this.#checkpoint.body, budget)
    this.#durableThrough = this.#checkpoint?.through ?? 0
    const end = await this.#replay(this.#checkpoint?.from ?? 0, budget)
    this.#judge(end)
    this.#checkFirst()
    this.#end = end
  }

  async #replay(from: Position, budget: Budget): Promise<End> {
    const { list, first } = this.#segments
    const startNumber = Math.max(first, segmentOf(from))
    let offset = startNumber * TWO_POW_32 > from ? SEGMENT_HEADER_BYTES : from >>> 0
    for (let i = startNumber - first; ; i++) {
      const segment = list[i]
      if (segment === undefined) {
        throw corrupt(`${segmentName(first + i)} is missing: the segment before it leads to it`, {
          file: segmentName(first + i),
        })
      }
      const bytes = readWhole(this.#files, segmentName(segment.number))
      const end = await budget.finish(this.#replaySegment({ segment, bytes, from: offset }, budget))
      if (end !== undefined) return end
      offset = SEGMENT_HEADER_BYTES
    }
  }

  /**
   * Replays from a logical offset. Returns where the log ends, `undefined` if it leads to the next
   * segment.
   */
  *#replaySegment({ segment, bytes, from }: Replayed, meter: Meter): Generator<void, End | undefined> {
    const view = viewOf(bytes)
    const cursor = new Cursor(view, bytes.length, segment.number)
    // A rewritten segment is read from its beginning: the records in front of the checkpoint are
    // passed over below.
    if (segment.rewrittenAt === 0) cursor.logical = cursor.physical = from
    const checkedFrom = cursor.physical
    const isComplete = segment.rewrittenAt !== 0
    const record = this.#record
    if (isComplete) yield* this.#finishGroup(record, meter)
    const place = { base: segment.base, salt: segment.salt, offset: 0 }
    for (;;) {
      place.offset = cursor.logical
      const length = checkRecord(view, cursor.physical, bytes.length, place)
      if (length === 0) return this.#endOf({ segment, bytes, offset: cursor.logical, checkedFrom }, cursor.physical)
      record.load(bytes, view, cursor.physical, segment.base + cursor.logical)
      cursor.physical += length
      if (record.kind === KIND_JUMP) {
        if (segmentOf(record.previous) !== segment.number) return undefined
        cursor.logical = record.previous >>> 0
        continue
      }
      cursor.logical += length
      if (record.kind >= INTERNAL_KIND_MIN) this.#takeMark(record)
      else if (record.position < from + segment.base) continue
      else if (isComplete || this.#isAlone(record)) this.#hand(record)
      else yield* this.#takeMember({ segment, bytes, offset: record.position >>> 0, checkedFrom }, meter)
      meter.spend(1, length)
      if (meter.isSpent) yield
    }
  }

  /** The log ends at `place`, or where a group begins whose end is missing. */
  #endOf(place: ReadPlace, physical: number): End {
    const { segment, offset } = place
    if (segment.rewrittenAt !== 0) throw this.#damaged(segment, physical, 'in a segment that was complete')
    const { start } = this.#group
    return start === undefined ? { ...place, searchFrom: offset + 1 } : { ...start, searchFrom: start.offset }
  }

  /** Whether a record is no member of a group. */
  #isAlone(record: RecordView): boolean {
    return !record.isGroupGoingOn && this.#group.start === undefined
  }

  *#takeMember(place: ReadPlace, meter: Meter): Generator<void, void> {
    const record = this.#record
    const isLast = !record.isGroupGoingOn
    this.#group.add(record, place)
    if (isLast) yield* this.#finishGroup(record, meter)
  }

  /** A group is short as a rule; a state that has been taken over is one too. */
  *#finishGroup(record: RecordView, meter: Meter): Generator<void, void> {
    if (this.#group.start !== undefined) yield* this.#group.finish(record, (member) => this.#hand(member), meter)
  }

  #hand(record: RecordView): void {
    this.#replayed++
    this.#options.replay.record(record)
  }

  #takeMark(record: RecordView): void {
    if (record.kind !== KIND_MARK) return
    this.#mark = readMark(record.view, record.start)
    this.#markEnd = record.next
    this.#durableThrough = Math.max(this.#durableThrough, this.#mark.durableThrough)
  }

  /** What the essay above says. */
  #judge(end: End): void {
    const { segment, bytes, offset } = end
    const position = segment.base + offset
    const behind = this.#behind(end)
    const durableThrough = Math.max(this.#durableThrough, behind.durableThrough)
    if (durableThrough > position) {
      throw this.#damaged(
        segment,
        offset,
        `: the log was durable up to ${describePosition(durableThrough)}, and ${behind.records} valid records ` +
          `(${behind.bytes} bytes) lie behind it`,
        { recordsBehind: behind.records, bytesBehind: behind.bytes },
      )
    }
    let last = bytes.length
    while (last > offset && bytes[last - 1] === 0) last--
    const later = this.#segments.list.slice(segment.number + 1 - this.#segments.first)
    this.#cutBytes = last - offset + (behind.found > 0 ? later.reduce((sum, one) => sum + one.end, 0) : 0)
    this.#cutRecords = behind.records
    this.#clean = this.#mark?.clean === true && this.#markEnd === position && this.#cutBytes === 0
    this.#segments.isEndUncertain =
      this.#mark?.isEndUncertain === true || (!this.#clean && (this.#cutBytes > 0 || !this.#isSameBoot))
  }

  /**
   * What the system has taken is not torn by the death of a process, only by that of the machine.
   */
  get #isSameBoot(): boolean {
    return sameName(this.#mark?.boot, digestName(this.#files.bootId)) === true
  }

  #behind({ segment, bytes, offset, searchFrom }: End): Behind {
    const behind: Behind = { found: 0, records: 0, bytes: 0, durableThrough: 0 }
    const search = (where: Segment, content: Uint8Array, from: number): void => {
      searchRecords({ bytes: content, from, base: where.base, salt: where.salt }, (record) => {
        behind.found++
        if (record.kind < INTERNAL_KIND_MIN) behind.records++
        behind.bytes += record.next - record.position
        if (record.kind !== KIND_MARK) return
        behind.durableThrough = Math.max(behind.durableThrough, readMark(record.view, record.start).durableThrough)
      })
    }
    search(segment, bytes, searchFrom)
    for (const later of this.#segments.list.slice(segment.number + 1 - this.#segments.first)) {
      if (later.rewrittenAt !== 0) throw this.#damaged(segment, offset, ', and a later segment was rewritten since')
      search(later, readWhole(this.#files, segmentName(later.number)), SEGMENT_HEADER_BYTES)
    }
    return behind
  }

  /** The marks say which segment is the first one. */
  #checkFirst(): void {
    const { first } = this.#segments
    const known = this.#mark?.firstSegment ?? 1
    if (known < first) {
      throw corrupt(`${segmentName(first - 1)} is missing: the log begins with segment ${known}`, {
        file: segmentName(first - 1),
      })
    }
  }

  #damaged(segment: Segment, offset: number, why: string, details: Readonly<Record<string, number>> = {}): WarpError {
    const file = segmentName(segment.number)
    return corrupt(`${file} is damaged at offset ${offset}${why}`, { file, offset, ...details })
  }

  /** Cuts what the judgement cut, removes what is left over, and makes sure of the rest. */
  async repair(temporary: readonly string[]): Promise<void> {
    const { segment, offset, bytes, checkedFrom } = this.#end as End
    const { list, first } = this.#segments
    try {
      const file = this.#files.open(segmentName(segment.number))
      segment.file = file
      if (this.#cutBytes > 0) await this.#markCut(file)
      if (!isZero(bytes, offset, bytes.length)) file.truncate(offset + MARK_BYTES)
      if (!this.#clean) await this.#store(file)
      await this.#removeBehind(segment)
      const floor = Math.max(first, this.#mark?.firstSegment ?? first)
      const dropped = this.#run.filter((one) => one.number < floor)
      for (const name of [...temporary, ...[...this.#unused, ...dropped].map((one) => one.name)]) this.#remove(name)
      while ((list[0] as Segment).number < floor) this.#segments.removeFirst()
      this.#segments.floor = floor
      segment.reserved = file.size
    } catch (error) {
      throw storageError(error, 'repairing the log after an unclean end')
    }
    segment.sealed = false
    segment.end = offset
    segment.flushed = offset
    segment.hold(bytes) // read only: the appender copies it
    segment.trustedFrom = checkedFrom
    this.#segments.noteLogged(segment.base + offset)
    this.#segments.noteDurable(segment.base + offset)
    for (const one of list) one.discardedBytes = this.#checkpoint?.discarded.get(one.number) ?? 0
    this.#report()
  }

  /** The mark with which the log is opened takes the same place. */
  async #markCut(file: LogFile): Promise<void> {
    const { segment, offset } = this.#end as End
    const { home, bootId } = this.#files
    const view = viewOf(new Uint8Array(MARK_BYTES))
    writeMarkRecord(view, 0, {
      durableThrough: this.#durableThrough,
      firstSegment: this.#mark?.firstSegment ?? this.#segments.first,
      clean: false,
      isEndUncertain: true,
      home: digestName(home),
      boot: digestName(bootId),
    })
    sealRecord(view, 0, segment.salt ^ offset)
    await file.write(offset, new Uint8Array(view.buffer))
  }

  /** Writes again what is not known to be durable, and syncs. */
  async #store(last: LogFile): Promise<void> {
    const { segment, bytes, offset } = this.#end as End
    const { list, first } = this.#segments
    const from = Math.max(first, segmentOf(this.#durableThrough))
    for (const earlier of list.slice(from - first, segment.number - first)) {
      if (earlier.rewrittenAt !== 0) continue
      const file = this.#files.open(segmentName(earlier.number))
      const start = this.#storedIn(earlier)
      await file.write(start, file.read(start, file.size))
      await file.sync()
      file.close()
    }
    const start = Math.min(offset, this.#storedIn(segment))
    await last.write(start, bytes.subarray(start, offset))
    await last.sync()
    await this.#files.syncNames()
  }

  /** Up to where the segment is known to be durable. */
  #storedIn(segment: Segment): number {
    return this.#durableThrough > segment.base ? this.#durableThrough >>> 0 : 0
  }

  /** From the last to the first, each for good before the next: a gap would look like a loss. */
  async #removeBehind(segment: Segment): Promise<void> {
    const { list, first } = this.#segments
    list.length = segment.number - first + 1
    for (const { name } of this.#run.filter((one) => one.number > segment.number).reverse()) {
      this.#remove(name)
      await this.#files.syncNames()
    }
  }

  #remove(name: string): void {
    this.#files.remove(name)
    this.#options.observe({ kind: 'leftover-removed', name })
  }

  #report(): void {
    if (this.#cutBytes === 0) return
    const { segment, offset } = this.#end as End
    const position = segment.base + offset
    this.#options.observe({ kind: 'tail-cut', position, bytes: this.#cutBytes, records: this.#cutRecords })
  }

  result(): Recovered {
    return {
      checkpoint: this.#checkpoint,
      checkpointNumber: this.#checkpointNumbers[0] ?? 0,
      mark: this.#mark,
      clean: this.#clean,
      cutBytes: this.#cutBytes,
      cutRecords: this.#cutRecords,
      replayed: this.#replayed,
    }
  }
}
