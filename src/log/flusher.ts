/**
 * Writes committed records from RAM to the file and makes them durable. Callers that ask for a
 * flush while another flush runs share the next flush (group commit). A flush covers the bytes
 * `[flushed, end)` of one or more segments. The flusher computes the checksums of these bytes and
 * writes each segment's part with one call.
 *
 * - `logged`: the operating system has the bytes. `durable`: a sync after that has succeeded too.
 * - The first write after a sync includes a mark that says how far the log was durable. Recovery
 *   uses the mark to tell damaged bytes from bytes that never reached the disk.
 * - A new segment is registered (its header and its name synced) before the jump that leads to it
 *   is written. A segment of a long group gets its name then.
 * - Before anything is acknowledged the files are asked whether the folder is still ours. What was
 *   written into a folder that was moved away or replaced is lost to the next opening.
 * - A failed write or sync poisons the log. The flusher never tries it again, since the kernel
 *   forgets dirty pages after it has reported the failure once (Rebello et al. 2020, "Can
 *   applications recover from fsync failures?").
 */
import type { Env, Timer } from '../ports/env.ts'
import type { Appender } from './appender.ts'
import type { LogEvent } from './log-event.ts'
import type { LogFile } from '../ports/files.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { Position } from '../operation/position.ts'
import type { Segment } from './segments/segment.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { poisoned } from './storage-error.ts'
import { SEGMENT_HEADER_BYTES } from './segments/segment-format.ts'
import { sealRecords, segmentName } from './segments/segment.ts'

export type Level = 'logged' | 'durable'

/**
 * Left behind the end of a closed log, so that it can be opened and closed again on a full disk.
 */
const SPARE_BYTES = 4096
/** Records for which nobody waits are written within this time. */
const BACKLOG_DELAY_MS = 20

interface Group {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export interface FlusherOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly syncIntervalMs: number
  readonly observe: (event: LogEvent) => void
  /** After records were written: whole segments may leave RAM now. */
  readonly onWritten: () => void
  readonly recorder: Recorder | undefined
}

const SETTLED: Promise<void> = Promise.resolve()

export class Flusher {
  readonly #options: FlusherOptions
  readonly #segments: SegmentSet
  readonly #appender: Appender
  readonly #unsynced = new Set<LogFile>()
  readonly #waiting = new Set<Group>()
  #logged: Group | undefined
  #durable: Group | undefined
  #firstDirty: Segment | undefined
  #scheduled = false
  #writing = false
  #again = false
  #syncing = false
  #timer: Timer | undefined
  #markedThrough: Position = 0
  /**
   * The mark that says that the log is open is not yet durable. Until it is, the next opening could
   * see a clean end although there was none.
   */
  #owesMark = false
  /** The end of the log when nothing but a mark had been added since it was durable. */
  #restingAt: Position = 0
  /** Handed to the files so far. */
  #writtenBytes = 0
  syncs = 0
  syncErrors = 0

  constructor(options: FlusherOptions, appender: Appender) {
    this.#options = options
    this.#segments = options.segments
    this.#appender = appender
  }

  settled(level: Level): Promise<void> {
    const { segments } = this.#options
    if (!segments.persistent) return SETTLED
    const { end } = this.#appender
    if ((level === 'logged' ? segments.loggedThrough : segments.durableThrough) >= end) return SETTLED
    if (segments.failure !== undefined) return Promise.reject(segments.failure)
    if (this.#owesMark && level === 'logged') return this.settled('durable')
    const group = level === 'logged' ? (this.#logged ??= this.#group()) : (this.#durable ??= this.#group())
    if (level === 'logged' || !this.#syncing) this.#schedule()
    return group.promise
  }

  /** Called by the appender when records wait for which no caller has asked for a flush. */
  backlog(large: boolean): void {
    if (large) this.#schedule()
    else this.#timer ??= this.#options.env.schedule(BACKLOG_DELAY_MS, () => this.#tick())
  }

  /**
   * Begins work on an opened log: first makes a mark durable that says that the log is open. On a
   * full disk the mark is written later, with the first records.
   */
  async open(): Promise<void> {
    this.#firstDirty = this.#segments.active
    try {
      this.#appender.forceMark()
      this.#marked()
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_STORAGE_FULL')) throw error
      this.#owesMark = true
      return
    }
    await this.settled('durable')
    this.#appender.watchBacklog()
  }

  /**
   * Says in the log, durably, how far it is durable and which segment is the first. Throws
   * `WARP_E_STORAGE_FULL`.
   */
  async mark(): Promise<void> {
    this.#appender.forceMark()
    this.#marked()
    await this.settled('durable')
  }

  /** Stores everything and says that the log was closed in order. */
  async close(): Promise<void> {
    await this.settled('durable')
    this.stop()
    await this.#appender.prepared?.registering
    this.#appender.dropPrepared()
    if (!this.#appender.appendCloseMark()) return
    const { active } = this.#segments
    const spare = active.end + SPARE_BYTES
    await this.settled('logged')
    this.stop()
    if (active.reserved > spare) active.file?.truncate(spare)
    await this.settled('durable')
    this.stop()
  }

  #marked(): void {
    this.#markedThrough = this.#segments.durableThrough
  }

  /** Ends the timers. What is under way ends by itself. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #group(): Group {
    let resolve: () => void = () => undefined
    let reject: (reason: unknown) => void = resolve
    const promise = new Promise<void>((onResolve, onReject) => {
      resolve = onResolve
      reject = onReject
    })
    // A failure is reported to the observer; who waits sees it too, and nobody has to wait.
    promise.catch(() => undefined)
    const group = { promise, resolve, reject }
    this.#waiting.add(group)
    return group
  }

  #settle(group: Group | undefined): void {
    if (group === undefined) return
    this.#waiting.delete(group)
    group.resolve()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.env.defer(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #tick(): void {
    this.#timer = undefined
    const { loggedThrough, durableThrough, closed } = this.#segments
    if (closed) return
    if (loggedThrough < this.#appender.end || this.#markedThrough < durableThrough) this.#flush()
    else if (durableThrough < loggedThrough && !this.#syncing) this.#sync(loggedThrough, undefined)
  }

  #flush(): void {
    if (this.#segments.failure !== undefined) return
    if (this.#writing) {
      this.#again = true
      return
    }
    if (this.#segments.groupFrom !== Number.POSITIVE_INFINITY) throw flushInGroup()
    const idle = this.#segments.durableThrough === this.#appender.end
    if (this.#markedThrough < this.#segments.durableThrough && this.#appender.appendMark()) this.#marked()
    if (idle) this.#restingAt = this.#appender.end
    const logged = this.#logged
    this.#logged = undefined
    const durable = this.#syncing ? undefined : this.#durable
    if (durable !== undefined) this.#durable = undefined
    const target = this.#appender.end
    this.#writing = true
    const measured = this.#measureFlush()
    const written = (): void => {
      measured?.()
      this.#written(target, logged, durable)
    }
    try {
      const pending = this.#write()
      if (pending === undefined) written()
      else pending.then(written).catch((error: unknown) => this.#fail(error, 'writing the log'))
    } catch (error) {
      this.#fail(error, 'writing the log')
    }
  }

  /** Returns what to call when the flush is over, if anybody measures. */
  #measureFlush(): (() => void) | undefined {
    const { recorder } = this.#options
    if (recorder === undefined) return undefined
    const [startMs, bytesBefore] = [recorder.now(), this.#writtenBytes]
    return () => {
      recorder.since(INSTRUMENTS.flushDuration, startMs)
      recorder.record(INSTRUMENTS.flushBytes, this.#writtenBytes - bytesBefore)
    }
  }

  #written(target: Position, logged: Group | undefined, durable: Group | undefined): void {
    this.#writing = false
    this.#segments.files.assertHeld?.()
    this.#segments.noteLogged(target)
    this.#settle(logged)
    if (durable !== undefined) this.#sync(target, durable)
    else if (target !== this.#restingAt)
      this.#timer ??= this.#options.env.schedule(this.#options.syncIntervalMs, () => this.#tick())
    this.#prepare()
    this.#appender.watchBacklog()
    this.#options.onWritten()
    if (this.#again) {
      this.#again = false
      this.#schedule()
    }
  }

  /** Takes space ahead, and puts a segment that was made ahead on stable storage. */
  #prepare(): void {
    this.#appender.prepare()
    const { prepared } = this.#appender
    if (prepared?.file === undefined || prepared.reserved <= prepared.syncedAhead) return
    if (prepared.registering !== undefined && !prepared.registered) return
    prepared.syncedAhead = prepared.reserved
    const pending = prepared.registered ? (prepared.registering = prepared.file.sync()) : this.register(prepared)
    pending.catch((error: unknown) => this.#fail(error, 'creating a segment'))
  }

  /**
   * Hands everything unwritten to the files. A promise only if a file gives one or a segment is
   * new.
   */
  #write(): Promise<void> | undefined {
    const { list, active } = this.#segments
    let index = Math.max(0, (this.#firstDirty ?? active).number - this.#segments.first)
    for (; index < list.length; index++) {
      const segment = list[index] as Segment
      const next = list[index + 1]
      const pending = this.#prerequisites(segment, next) ?? this.#writeSegment(segment)
      this.#firstDirty = segment
      if (pending !== undefined) return pending.then(() => this.#write())
    }
    return undefined
  }

  #writeSegment(segment: Segment): Promise<void> | undefined {
    if (segment.file !== undefined) this.#writtenBytes += segment.end - segment.flushed
    return writeSegment(segment, this.#unsynced)
  }

  #prerequisites(segment: Segment, next: Segment | undefined): Promise<void> | undefined {
    if (!segment.registered) return this.register(segment)
    if (next !== undefined && !next.registered) return this.register(next)
    const { writing } = segment
    return writing?.then(() => {
      if (segment.writing === writing) segment.writing = undefined
    })
  }

  /** Puts header and name of a new segment on stable storage. */
  register(segment: Segment): Promise<void> {
    segment.registering ??= this.#register(segment)
    return segment.registering
  }

  async #register(segment: Segment): Promise<void> {
    const { file, bytes } = segment
    if (file === undefined || bytes === undefined) return
    await file.write(0, bytes.subarray(0, SEGMENT_HEADER_BYTES))
    await file.sync()
    const { files } = this.#segments
    if (segment.isUnnamed) files.rename(segment.name, segmentName(segment.number))
    segment.isUnnamed = false
    await files.syncNames()
    segment.flushed = Math.max(segment.flushed, SEGMENT_HEADER_BYTES)
    segment.registered = true
  }

  #sync(target: Position, group: Group | undefined): void {
    this.#syncing = true
    const files = [...this.#unsynced]
    this.#unsynced.clear()
    const { recorder } = this.#options
    const startMs = recorder?.now() ?? 0
    const done = (): void => {
      this.#segments.files.assertHeld?.()
      recorder?.since(INSTRUMENTS.syncDuration, startMs)
      this.#synced(target, group)
    }
    const failed = (error: unknown): void => {
      this.syncErrors++
      this.#fail(error, 'syncing the log')
    }
    this.syncs++
    try {
      const only = files.length === 1 ? files[0] : undefined
      const pending = only === undefined ? Promise.all(files.map((file) => file.sync())) : only.sync()
      pending.then(done, failed).catch((error: unknown) => this.#fail(error, 'noting what is durable'))
    } catch (error) {
      failed(error)
    }
  }

  #synced(target: Position, group: Group | undefined): void {
    this.#syncing = false
    if (this.#segments.failure !== undefined) return
    this.#segments.noteDurable(target)
    this.#owesMark = false
    this.#settle(group)
    if (this.#durable !== undefined) this.#schedule()
    else if (target !== this.#restingAt)
      this.#timer ??= this.#options.env.schedule(this.#options.syncIntervalMs, () => this.#tick())
  }

  #fail(cause: unknown, doing: string): void {
    if (this.#segments.failure !== undefined) return
    const failure = poisoned(cause, doing)
    this.#segments.failure = failure
    this.#appender.refreshLimit()
    this.stop()
    for (const group of this.#waiting) group.reject(failure)
    this.#waiting.clear()
    this.#options.observe({ kind: 'poisoned', error: failure })
  }
}

function flushInGroup(): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    'a flush began inside a group of records; `Env.defer` and `Env.schedule` must not call back before they return',
  )
}

function flushedTooFar({ number, flushed, end }: Segment): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    `a fault in warp-engine: segment ${number} is stored up to ${flushed} and ends at ${end}; open the log again, and report this`,
    { details: { segment: number, flushed, end } },
  )
}

/** Checksums and writes what the segment has gained. */
function writeSegment(segment: Segment, unsynced: Set<LogFile>): Promise<void> | undefined {
  const { file, bytes, view, end } = segment
  if (file === undefined || bytes === undefined || view === undefined || segment.flushed === end) return undefined
  if (segment.flushed > end) throw flushedTooFar(segment)
  sealRecords(segment, view, end)
  const from = segment.flushed
  segment.flushed = end
  unsynced.add(file)
  const pending = file.write(from, bytes.subarray(from, end))
  if (!segment.sealed || segment.reserved <= end) return pending ?? undefined
  if (pending !== undefined) return pending.then(() => shorten(segment, file))
  shorten(segment, file)
  return undefined
}

/** Gives back the space that a sealed segment did not use. */
function shorten(segment: Segment, file: LogFile): void {
  file.truncate(segment.end)
  segment.reserved = segment.end
}
