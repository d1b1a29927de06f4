/**
 * The log: an append-only sequence of records in segments. The same code keeps it in RAM or on
 * disk. Everything that the engine stores is a record here. The engine can rebuild everything else
 * that it knows by reading the records in order.
 *
 * A position names a record for ever. Commits and reads are synchronous. Records are stored later,
 * in groups; a caller that needs to know when calls `settled`. This file only composes the parts:
 * `appender` makes records, `flusher` stores them, `reader` finds them, `recovery` opens an
 * existing log, and `upkeep` drops dead records and saves the engine's index so that opening is
 * fast.
 *
 * Cost in RAM: 16 bytes and some 30 ns per record beyond its body. The garbage collector has
 * nothing to look at.
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Env } from '../ports/env.ts'
import type { LogFiles } from '../ports/files.ts'
import type { LogMemory } from '../ports/platform.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { LogEvent } from './log-event.ts'
import type { RecordView } from './segments/segment-format.ts'
import type { Position } from '../operation/position.ts'
import type { Level } from './flusher.ts'
import type { Segment, SegmentInfo } from './segments/segment.ts'
import type { LogDamage } from './verify.ts'
import type { LogReplay, Recovered } from './opening/recovery.ts'
import { Appender } from './appender.ts'
import { Flusher } from './flusher.ts'
import { LongGroup } from './groups/long-group.ts'
import { Reader } from './reader.ts'
import { recover } from './opening/recovery.ts'
import {
  digestName,
  RECORD_BODY_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
  sameName,
  segmentOf,
  TWO_POW_32,
} from './segments/segment-format.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { SegmentMemory } from './segments/segment-memory.ts'
import { SegmentSet } from './segments/segment-set.ts'
import { FORMAT_VERSION } from '../operation/envelope/format.ts'
import { mediumError } from './storage-error.ts'
import { Upkeep } from './upkeep.ts'
import { Reserve } from './files/reserve.ts'
import { verifyLog } from './verify.ts'

export { RECORD_BODY_BYTES_MAX, RECORD_KIND, segmentOf, TWO_POW_32 as POSITIONS_PER_SEGMENT }
export type { LogDamage, LogEvent, LogReplay, LongGroup, RecordView, SegmentInfo }

export interface LogOptions {
  readonly files: LogFiles
  readonly env: Env
  /** Size of a segment; in RAM the largest size, reached by doubling. Default 8 MiB. */
  readonly segmentBytes?: number
  /** How long `logged` records may wait for their sync. Default 1000. */
  readonly syncIntervalMs?: number
  /** How many sealed segments stay in RAM as a whole. Default 4; a log in RAM keeps all. */
  readonly residentSegments?: number
  /**
   * The newest format that this build reads. Default `FORMAT_VERSION`. A test plays a later build
   * with it.
   */
  readonly format?: number
  /** Where segments are in RAM. Default: in ordinary buffers. */
  readonly memory?: LogMemory | undefined
  /** The format that is written until `writeFormat` says otherwise. Default `format`. */
  readonly formatWritten?: number
  readonly observe?: (event: LogEvent) => void
  /** Told of flushes. */
  readonly recorder?: Recorder | undefined
}

export interface LogRecovery {
  readonly created: boolean
  /** The log was closed in order when it was last open. */
  readonly clean: boolean
  /** Whether the machine has not been started anew since; `undefined` if that cannot be known. */
  readonly sameBoot: boolean | undefined
  /** Whether the log is in the same place as before; `undefined` if that cannot be known. */
  readonly sameHome: boolean | undefined
  /**
   * The last records may be missing: opening had to cut bytes off, or the machine went down while
   * the log was open. Every opening reports this until `acceptEnd` is called.
   */
  readonly isEndUncertain: boolean
  readonly cutBytes: number
  readonly cutRecords: number
  readonly replayed: number
  readonly checkpointUsed: boolean
}

export interface LogStats {
  readonly segments: number
  readonly bytes: number
  readonly discardedBytes: number
  readonly residentBytes: number
  readonly syncs: number
  readonly syncErrors: number
}

const DEFAULTS: Required<Omit<LogOptions, 'files' | 'env' | 'formatWritten' | 'recorder' | 'memory'>> = {
  format: FORMAT_VERSION,
  segmentBytes: 8_388_608,
  syncIntervalMs: 1000,
  residentSegments: 4,
  observe: () => undefined,
}

export class Log {
  readonly recovery: LogRecovery
  readonly persistent: boolean
  readonly #env: Env
  readonly #segments: SegmentSet
  readonly #appender: Appender
  readonly #flusher: Flusher
  readonly #reader: Reader
  readonly #upkeep: Upkeep
  readonly #reserve: Reserve
  readonly #segmentBytes: number
  /** Those that have not ended yet. */
  readonly #longGroups = new Set<LongGroup>()
  #closing: Promise<void> | undefined

  /**
   * Opens the log or makes a new one. Takes over `files`: they are closed with the log, or now if
   * opening fails. Throws `WARP_E_LOG_CORRUPT`, `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION` (and has
   * changed nothing), `WARP_E_STORAGE`.
   */
  static async open(options: LogOptions, replay: LogReplay): Promise<Log> {
    const settings = { ...DEFAULTS, ...options }
    const { files, env, observe } = settings
    const memory = new SegmentMemory(settings.segmentBytes, env, settings.memory)
    const segments = new SegmentSet(files, settings.format, memory)
    try {
      if (settings.formatWritten !== undefined) segments.writeFormat(settings.formatWritten)
      const found = files.persistent ? await recover({ segments, env, observe, replay }) : undefined
      const log = new Log(settings, segments, found)
      await log.#start(found !== undefined)
      return log
    } catch (error) {
      for (const segment of segments.list) segment.file?.close()
      await files.close()
      throw mediumError(error, 'opening the log')
    }
  }

  async #start(exists: boolean): Promise<void> {
    const { active } = this.#segments
    if (exists) this.#appender.resume(active)
    else this.#appender.start()
    if (!this.persistent) return
    if (!exists) await this.#flusher.register(this.#segments.active)
    await this.#flusher.open()
  }

  private constructor(
    settings: Required<Omit<LogOptions, 'formatWritten' | 'recorder' | 'memory'>> & Pick<LogOptions, 'recorder'>,
    segments: SegmentSet,
    found: Recovered | undefined,
  ) {
    const { env, observe, segmentBytes, syncIntervalMs, files, recorder } = settings
    const home = digestName(files.home)
    const boot = digestName(files.bootId)
    const onBacklog = (large: boolean): void => this.#flusher.backlog(large)
    const onWritten = (): void => this.#reader.trimSealed()
    this.#env = env
    this.#segments = segments
    this.persistent = segments.persistent
    this.#reader = new Reader(segments, settings.residentSegments)
    this.#appender = new Appender({ segments, env, segmentBytes, home, boot, onBacklog, observe })
    this.#flusher = new Flusher({ segments, env, syncIntervalMs, observe, onWritten, recorder }, this.#appender)
    this.#reserve = new Reserve(files, env)
    this.#segmentBytes = segmentBytes
    this.#upkeep = new Upkeep({
      segments,
      env,
      appender: this.#appender,
      flusher: this.#flusher,
      reader: this.#reader,
      checkpointNumber: found?.checkpointNumber ?? 0,
    })
    this.recovery = recoveryOf(found, segments.isEndUncertain, { home, boot })
  }

  /** The newest format of anything that it holds. */
  get formatHeld(): number {
    return this.#segments.formatHeld
  }

  /** The format that new segments are written in. Checkpoints are written in `formatHeld`. */
  get format(): number {
    return this.#segments.formatWritten
  }

  /**
   * From now on what is committed may be of `format`, and of no later one. A build that reads less
   * refuses the log from the first record on that is committed then: that one stands in a segment
   * of its own. While another member of the cluster reads no more than an older format, stay at
   * that one, and the build can be taken back. Throws `WARP_E_CONFIG` for a format that this build
   * does not read.
   */
  writeFormat(format: number): void {
    this.#segments.writeFormat(format)
    this.#appender.refreshLimit()
  }

  /** What follows from an uncertain end stands in the log: it need not be said again. */
  acceptEnd(): void {
    if (!this.#segments.isEndUncertain) return
    this.#segments.isEndUncertain = false
    // Without room for it, the next mark says so.
    this.#appender.appendMark()
  }

  /**
   * A writer that stands where the body of the next record goes. Between `begin` and `commit`
   * nothing else may be called on the log; to give up, just do not commit. A second `begin` ends
   * the draft of the first.
   */
  begin(): ByteWriter {
    return this.#appender.begin()
  }

  /**
   * Makes the body written since `begin` a record. `kind` is 1 to 7, `previous` an earlier position
   * or 0. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`, `WARP_E_CLOSED`, `WARP_E_LIMIT`,
   * and then nothing has happened; also `WARP_E_PROTOCOL` if nothing was begun or the log has moved
   * since. Give the `writer` that `begin` returned where code of others has run in between (a
   * getter of a value): it shows that the draft is still this one.
   */
  commit(kind: number, previous: Position, writer?: ByteWriter): Position {
    return this.#appender.commit(kind, previous, writer)
  }

  /**
   * Makes the records that `write` commits one group: after a crash all of them are there or none.
   * Returns what `write` returns. If `write` throws, what it has committed is taken back, nothing
   * has happened, and the positions that it got will be given to other records.
   *
   * While the group is open, `record` finds its records and `end` lies behind them; `scan` ends in
   * front of it, nothing of it is flushed, and `loggedThrough` does not pass it. A checkpoint
   * cannot be written inside (`WARP_E_PROTOCOL`). A commit that is refused inside, for lack of
   * space say, and caught by `write` is no part of the group. A group inside a group is a part of
   * it that can be taken back alone. `write` is synchronous: if it returns a promise,
   * `WARP_E_CONFIG`. Costs nothing per record but a bit in its header.
   */
  group<Result>(write: () => Result): Result {
    return this.#appender.group(write)
  }

  /**
   * Begins a group that is written over many turns while others write to the log, see `LongGroup`.
   * End it with `endGroup`, or give it up with `dispose`. `freeNumbers` is how many segments others
   * can begin meanwhile. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE`, `WARP_E_CLOSED`.
   */
  beginGroup(freeNumbers: number): LongGroup {
    const parts = { segments: this.#segments, env: this.#env, segmentBytes: this.#segmentBytes, freeNumbers }
    const group = new LongGroup({ ...parts, onOver: () => void this.#longGroups.delete(group) })
    this.#longGroups.add(group)
    return group
  }

  /**
   * The group becomes part of the log, in this turn; `write` commits its last records to the log, one
   * at least. If anything throws, nothing has happened to the log, and the group is over. Throws
   * what `commit` throws, and `WARP_E_PROTOCOL` for a group that is over or has been overtaken.
   */
  endGroup<Result>(group: LongGroup, write: () => Result): Result {
    if (!this.#longGroups.has(group) || group.isOvertaken) {
      group.dispose()
      throw new WarpError('WARP_E_PROTOCOL', 'a group of records that is over, or was overtaken, cannot be ended')
    }
    try {
      const result = this.#appender.join(group, write)
      group.joined()
      return result
    } finally {
      group.dispose()
    }
  }

  /** Where the next record will go. */
  get end(): Position {
    return this.#appender.end
  }

  /** The end of what `scan` visits: `end`, or where the open group begins. */
  get visibleEnd(): Position {
    return Math.min(this.#appender.end, this.#segments.groupFrom)
  }

  /**
   * The record at `position`, checked. The view is valid until the next call of `record`, `commit`
   * or `rewrite`. Throws `WARP_E_LOG_CORRUPT` for a damaged record and for a position at which none
   * is kept.
   */
  record(position: Position): RecordView {
    return this.#reader.record(position)
  }

  /** Whether `record` will not touch the disk. */
  isResident(position: Position): boolean {
    return this.#reader.isResident(position)
  }

  /**
   * Visits the records from `from` on, in log order, until `visit` returns `false` or the log ends;
   * returns where to continue, behind the last record visited. `from` may name a record that
   * compaction dropped. The view is valid inside `visit`.
   */
  scan(from: Position, visit: (record: RecordView) => boolean): Position {
    return this.#reader.scan(from, visit)
  }

  /**
   * Resolves when everything committed before the call is stored at that level: `logged` survives
   * the death of the process, `durable` a power failure. In RAM at once. Rejects with
   * `WARP_E_STORAGE_POISONED`.
   */
  settled(level: Level): Promise<void> {
    return this.#flusher.settled(level)
  }

  get loggedThrough(): Position {
    return this.persistent ? this.#segments.loggedThrough : this.visibleEnd
  }

  get durableThrough(): Position {
    return this.persistent ? this.#segments.durableThrough : this.visibleEnd
  }

  /** Why nothing more is taken in until the log is opened again; `undefined` if it is. */
  get failure(): WarpError | undefined {
    return this.#segments.failure
  }

  /** Whether there is no space for what comes next. Asks the disk again if there was none. */
  isOutOfSpace(): boolean {
    return this.#appender.isOutOfSpace()
  }

  segments(): readonly SegmentInfo[] {
    return this.#segments.list.map((segment) => segment.info())
  }

  /**
   * Notes that a record is garbage. In a segment that is not in RAM the length of its body is not
   * looked up but taken to be `bytes`.
   */
  discard(position: Position, bytes: number = DISCARD_BYTES_ASSUMED): void {
    const segment = this.#segments.find(position)
    if (segment === undefined) return
    if (segment.bytes === undefined) segment.discardedBytes += bytes + RECORD_HEADER_BYTES
    else {
      const record = this.#reader.record(position)
      segment.discardedBytes += record.end - record.start + RECORD_HEADER_BYTES
    }
  }

  /** Notes that nearly everything in front of `position` is garbage. */
  discardBefore(position: Position): void {
    const last = segmentOf(position)
    for (const segment of this.#segments.list) {
      if (segment.isStub) continue
      if (segment.number < last) segment.discardedBytes = segment.end
      else if (segment.number === last)
        segment.discardedBytes = Math.max(segment.discardedBytes, Math.min(segment.end, position >>> 0))
    }
  }

  /**
   * Drops the records of a sealed segment that `isLive` does not claim. `isLive` must not call
   * `rewrite` or `close`. One at a time: a second call waits for the first.
   */
  rewrite(
    segment: number,
    isLive: (record: RecordView) => boolean,
    signal?: AbortSignal,
  ): Promise<{ bytesBefore: number; bytesAfter: number }> {
    return this.#upkeep.rewrite(segment, isLive, signal)
  }

  /**
   * Whether every segment up to `throughSegment` was rewritten, or dropped, after `position` was
   * the end of the log.
   */
  rewrittenSince(position: Position, throughSegment: number): boolean {
    return this.#segments.list.every((segment) => segment.number > throughSegment || segment.rewrittenAt >= position)
  }

  /**
   * Saves the engine's index as it is now, for a fast opening: `body` must hold what the records
   * before the present end amount to, or promise it, and stays borrowed until the promise settles. Does
   * nothing in RAM. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE`.
   */
  writeCheckpoint(body: Uint8Array | Promise<Uint8Array>): Promise<void> {
    return this.persistent ? this.#upkeep.writeCheckpoint(body) : Promise.resolve()
  }

  /**
   * Keeps space on the disk for compaction: as much as the log holds, and at most a segment's. Never
   * rejects.
   */
  async keepReserve(): Promise<void> {
    const { closed, failure } = this.#segments
    if (!this.persistent || closed || failure !== undefined) return
    await this.#reserve.keep(Math.min(this.#segmentBytes, this.stats().bytes))
  }

  /** Gives up the next half of that space, for compaction on a full disk. Returns whether there was any. */
  giveUpReserve(): boolean {
    return this.persistent && this.#reserve.giveUp()
  }

  /**
   * Checks every stored record and checkpoint again, from the disk; yields what is damaged. In RAM
   * nothing is.
   */
  verify(signal?: AbortSignal): AsyncGenerator<LogDamage, void, undefined> {
    return verifyLog({ segments: this.#segments, env: this.#env, check: () => this.#upkeep.check(signal) })
  }

  stats(): LogStats {
    const { list } = this.#segments
    const sum = (measure: (segment: Segment) => number): number => list.reduce((total, one) => total + measure(one), 0)
    return {
      segments: list.length,
      bytes: sum((segment) => segment.end),
      discardedBytes: sum((segment) => segment.discardedBytes),
      residentBytes: sum((segment) => segment.bytes?.length ?? 0),
      syncs: this.#flusher.syncs,
      syncErrors: this.#flusher.syncErrors,
    }
  }

  /**
   * Stores everything and lets go of the files. Rejects, with the files released, if something
   * could not be stored.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#segments.closed = true
    this.#appender.refreshLimit()
    for (const group of [...this.#longGroups]) group.dispose()
    await this.#upkeep.rest
    try {
      if (this.persistent && this.#segments.failure === undefined) await this.#flusher.close()
    } catch (error) {
      throw mediumError(error, 'closing the log')
    } finally {
      this.#flusher.stop()
      for (const segment of this.#segments.list) segment.file?.close()
      await this.#segments.files.close()
    }
    const { failure, durableThrough } = this.#segments
    if (failure !== undefined && durableThrough < this.end) throw failure
  }
}

const DISCARD_BYTES_ASSUMED = 240

function recoveryOf(
  found: Recovered | undefined,
  isEndUncertain: boolean,
  { home, boot }: { readonly home: number; readonly boot: number },
): LogRecovery {
  if (found === undefined) {
    const nothing = { isEndUncertain, cutBytes: 0, cutRecords: 0, replayed: 0, checkpointUsed: false }
    return { created: true, clean: true, sameHome: undefined, sameBoot: undefined, ...nothing }
  }
  const { clean, mark, cutBytes, cutRecords, replayed, checkpoint } = found
  return {
    created: false,
    clean,
    sameHome: sameName(mark?.home, home),
    sameBoot: sameName(mark?.boot, boot),
    isEndUncertain,
    cutBytes,
    cutRecords,
    replayed,
    checkpointUsed: checkpoint !== undefined,
  }
}
