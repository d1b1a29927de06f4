/**
 * The upkeep of a log beside its work: it rewrites segments, drops segments at the front that hold
 * no live record, and writes checkpoints. These jobs run in turn, never two at a time.
 */
import type { Env } from '../ports/env.ts'
import type { LogFiles } from '../ports/files.ts'
import type { Position } from '../operation/position.ts'
import type { Appender } from './appender.ts'
import type { Flusher } from './flusher.ts'
import type { Reader } from './reader.ts'
import type { RecordView } from './segments/segment-format.ts'
import type { Segment } from './segments/segment.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { writeCheckpointFile } from './opening/checkpoint.ts'
import { rewriteSegment } from './rewrite.ts'
import { MARK_BYTES } from './segments/segment-format.ts'
import { segmentName } from './segments/segment.ts'

export interface UpkeepOptions {
  readonly segments: SegmentSet
  readonly env: Env
  readonly appender: Appender
  readonly flusher: Flusher
  readonly reader: Reader
  /** Number of the newest checkpoint file. */
  readonly checkpointNumber: number
}

export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #segments: SegmentSet
  #checkpointNumber: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#segments = options.segments
    this.#checkpointNumber = options.checkpointNumber
  }

  /** Resolves when nothing is under way. Never rejects. */
  get rest(): Promise<unknown> {
    return this.#last
  }

  /** See `Log.rewrite`. */
  rewrite(
    segment: number,
    isLive: (record: RecordView) => boolean,
    signal?: AbortSignal,
  ): Promise<{ bytesBefore: number; bytesAfter: number }> {
    const { env, appender, flusher, reader } = this.#options
    const segments = this.#segments
    return this.#next(async () => {
      const found = segments.byNumber(segment)
      if (found === undefined || !found.sealed) {
        throw new WarpError(
          'WARP_E_CONFIG',
          `segment ${segment} cannot be rewritten: it is ${found ? 'active' : 'gone'}`,
        )
      }
      const rewrittenAt = appender.end
      await flusher.settled('durable')
      reader.load(found)
      const bytesBefore = found.end
      const check = (): void => this.check(signal)
      check()
      await rewriteSegment({ segments, env, segment: found, rewrittenAt, isLive, check })
      const bytesAfter = found.end
      await this.#dropStubs()
      return { bytesBefore, bytesAfter }
    })
  }

  /** See `Log.writeCheckpoint`. */
  writeCheckpoint(encoded: Uint8Array | Promise<Uint8Array>): Promise<void> {
    const { env, appender, flusher } = this.#options
    const segments = this.#segments
    this.check(undefined)
    const from = this.#checkpointFrom()
    const through = appender.end
    const format = segments.formatHeld
    return this.#next(async () => {
      const body = await encoded
      await flusher.settled('durable')
      const check = (): void => this.check(undefined)
      check()
      const { list, files } = segments
      const discarded = new Map(list.map((segment) => [segment.number, Math.min(segment.discardedBytes, 0xffffffff)]))
      const salt = segments.find(from)?.salt ?? 0
      const head = { number: ++this.#checkpointNumber, from, through, salt, discarded, format }
      await writeCheckpointFile({ files, env, head, body, check })
    })
  }

  /** Writes a mark and returns its position. Opening from the checkpoint starts at this mark. */
  #checkpointFrom(): Position {
    const { appender } = this.#options
    appender.forceMark()
    return appender.end - MARK_BYTES
  }

  /**
   * Removes the segments at the front that hold no live record. Before that, a durable mark says
   * that the log begins behind them.
   */
  async #dropStubs(): Promise<void> {
    const { list, files, persistent } = this.#segments
    const live = list.findIndex((segment) => !segment.isStub)
    if (live <= 0) return
    if (persistent) {
      this.#segments.floor = (list[live] as Segment).number
      await this.#options.flusher.mark()
    }
    for (const segment of list.slice(0, live)) {
      this.#segments.removeFirst()
      segment.file?.close()
      if (persistent) removeFile(files, segmentName(segment.number))
    }
  }

  /** Throws if the log has been closed or the work is to be given up. */
  check(signal: AbortSignal | undefined): void {
    if (this.#segments.closed) throw new WarpError('WARP_E_CLOSED', 'the log has been closed')
    if (signal?.aborted === true) {
      throw new WarpError('WARP_E_ABORTED', 'rewriting a segment was given up', { cause: signal.reason })
    }
  }

  #next<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** A file that cannot be removed now is removed at the next opening: the log begins behind it. */
function removeFile(files: LogFiles, name: string): void {
  try {
    files.remove(name)
  } catch {
    return
  }
}
