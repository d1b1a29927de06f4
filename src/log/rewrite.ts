/**
 * Compaction of one sealed segment. The live records are copied to a new file, and the new file
 * then takes the name of the old file. A run of dead records becomes one jump, so the survivors
 * keep their positions. Their bytes and checksums stay as they are, with one exception: no record
 * says any more that its group goes on. The work is done in steps, and other work runs between the
 * steps. Before the rename nothing has changed, and after it nothing is missing, so a crash at any
 * point is safe.
 */
import type { Env } from '../ports/env.ts'
import type { LogFile } from '../ports/files.ts'
import type { RecordView } from './segments/segment-format.ts'
import type { Segment } from './segments/segment.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { damaged } from './reader.ts'
import { Cursor, SegmentIndex } from './segments/segment-index.ts'
import { storageError } from './storage-error.ts'
import { segmentName } from './segments/segment.ts'
import {
  checkRecord,
  encodeSegmentHeader,
  endGroupAt,
  INTERNAL_KIND_MIN,
  KIND_JUMP,
  RECORD_HEADER_BYTES,
  RecordView as Record,
  sealRecord,
  SEGMENT_HEADER_BYTES,
  TWO_POW_32,
  viewOf,
  writeRecordHeader,
} from './segments/segment-format.ts'

/** So many bytes are copied, checked or written between two breaks: a millisecond or so. */
const STEP_BYTES = 524_288
/** Of small records there are as many as take as long: whether one lives takes a look at its key. */
const STEP_RECORDS = 1024

export interface RewriteOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly segment: Segment
  /** The log's end when the rewriting began. */
  readonly rewrittenAt: number
  readonly isLive: (record: RecordView) => boolean
  /** Throws when the work is to be given up. */
  readonly check: () => void
}

interface Rewritten {
  readonly bytes: Uint8Array
  readonly end: number
  readonly index: SegmentIndex
}

/**
 * The segment has to be resident, sealed and durable. Throws `WARP_E_STORAGE_FULL`,
 * `WARP_E_STORAGE`.
 */
export async function rewriteSegment(options: RewriteOptions): Promise<void> {
  const { segment, segments } = options
  segment.isPinned = true
  try {
    const rewritten = await copyLive(options)
    const file = segments.persistent ? await writeFile(options, rewritten) : undefined
    takeOver(options, rewritten, file)
  } finally {
    segment.isPinned = false
  }
  await segments.files.syncNames().catch((error: unknown) => {
    throw storageError(error, `renaming ${segmentName(segment.number)}`)
  })
}

function takeOver({ segment, segments, rewrittenAt }: RewriteOptions, rewritten: Rewritten, file?: LogFile): void {
  const old = segment.file
  segment.file = file
  const former = segment.release()
  segment.hold(rewritten.bytes)
  segment.end = rewritten.end
  segment.flushed = rewritten.end
  segment.reserved = rewritten.end
  segment.trustedFrom = 0
  segment.index = rewritten.index
  segment.rewrittenAt = rewrittenAt
  segment.discardedBytes = 0
  // Last: what throws here leaves a segment that is whole.
  segments.memory.give(former)
  old?.close()
}

async function copyLive(options: RewriteOptions): Promise<Rewritten> {
  const { segment, segments } = options
  const target = segments.memory.take(segment.end)
  try {
    return await copyInto(target, options)
  } finally {
    segments.memory.give(target)
  }
}

async function copyInto(target: Uint8Array, options: RewriteOptions): Promise<Rewritten> {
  const { segment, env } = options
  const source = segment.bytes as Uint8Array
  const view = segment.view as DataView
  const end = segment.end
  const copy = new Copy(target, segment, options.rewrittenAt)
  const record = new Record()
  const cursor = new Cursor(view, end, segment.number)
  let breakAt = STEP_BYTES
  let left = STEP_RECORDS
  while (cursor.physical < end) {
    const at = cursor.physical
    const offset = cursor.logical
    const place = { base: segment.base, salt: segment.salt, offset }
    if (at < segment.trustedFrom && checkRecord(view, at, end, place) === 0) throw damaged(segment.base + offset)
    record.load(source, view, at, segment.base + offset)
    const inside = cursor.step()
    if (record.kind < INTERNAL_KIND_MIN && options.isLive(record)) copy.keep(source, record, offset)
    if (!inside) break
    if (at >= breakAt || --left === 0) {
      breakAt = at + STEP_BYTES
      left = STEP_RECORDS
      await env.yield()
      options.check()
    }
  }
  return copy.finish()
}

/** The new bytes as they grow. */
class Copy {
  readonly #segment: Segment
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #index = new SegmentIndex()
  #logical = SEGMENT_HEADER_BYTES
  #physical = SEGMENT_HEADER_BYTES

  constructor(target: Uint8Array, segment: Segment, rewrittenAt: number) {
    this.#segment = segment
    this.#bytes = target
    this.#view = viewOf(target)
    const { number, salt, format } = segment
    encodeSegmentHeader({ number, salt, rewrittenAt, format }, this.#bytes, this.#view)
  }

  /**
   * Copies a record. What is rewritten is durable, so its groups are complete, and members may be
   * dropped one by one.
   */
  keep(source: Uint8Array, { start, end: to, isGroupGoingOn }: RecordView, logical: number): void {
    const from = start - RECORD_HEADER_BYTES
    if (logical !== this.#logical) this.#jump(this.#segment.base + logical)
    this.#index.add(logical, this.#physical)
    this.#bytes.set(source.subarray(from, to), this.#physical)
    if (isGroupGoingOn) {
      endGroupAt(this.#view, this.#physical)
      sealRecord(this.#view, this.#physical, this.#segment.salt ^ logical)
    }
    this.#physical += to - from
    this.#logical = logical + to - from
  }

  #jump(to: number): void {
    const at = this.#physical
    writeRecordHeader(this.#view, at, { kind: KIND_JUMP, bodyBytes: 0, previous: to })
    sealRecord(this.#view, at, this.#segment.salt ^ this.#logical)
    this.#physical = at + RECORD_HEADER_BYTES
  }

  finish(): Rewritten {
    this.#jump((this.#segment.number + 1) * TWO_POW_32 + SEGMENT_HEADER_BYTES)
    return { bytes: this.#bytes.slice(0, this.#physical), end: this.#physical, index: this.#index }
  }
}

async function writeFile(options: RewriteOptions, rewritten: Rewritten): Promise<LogFile> {
  const { files } = options.segments
  const name = segmentName(options.segment.number)
  const temporary = `${name}.new`
  let file: LogFile | undefined
  try {
    file = files.create(temporary)
    for (let at = 0; at < rewritten.end; at += STEP_BYTES) {
      await file.write(at, rewritten.bytes.subarray(at, Math.min(rewritten.end, at + STEP_BYTES)))
      await options.env.yield()
      options.check()
    }
    await file.sync()
    options.check()
    files.rename(temporary, name)
  } catch (error) {
    if (file !== undefined) discardFile(options.segments, file, temporary)
    if (error instanceof WarpError) throw error
    throw storageError(error, `rewriting ${name}`)
  }
  return file
}

/** The temporary file is removed at the next opening if it cannot be now. */
function discardFile(segments: SegmentSet, file: LogFile, name: string): void {
  try {
    file.close()
    segments.files.remove(name)
  } catch {
    return
  }
}
