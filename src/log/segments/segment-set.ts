/**
 * The segments of a log, numbered without gaps, and the facts that all parts of the log share.
 * Segment numbers start at 1, so no record has position 0.
 */
import type { LogFiles } from '../../ports/files.ts'
import type { Position } from '../../operation/position.ts'
import type { Segment } from './segment.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { FORMAT_OLDEST, segmentOf } from './segment-format.ts'
import type { SegmentMemory } from './segment-memory.ts'

export class SegmentSet {
  readonly files: LogFiles
  readonly memory: SegmentMemory
  readonly list: Segment[] = []
  /** The newest format that is read. */
  readonly formatRead: number
  /** The format that new segments are written in. */
  formatWritten: number
  /** Number of the first segment; those before it held nothing that lives and are gone. */
  first = 1
  /**
   * What marks say of the first segment. Ahead of `first` while segments at the front are being
   * removed.
   */
  floor = 1
  #loggedThrough: Position = 0
  #durableThrough: Position = 0
  /**
   * Where the open group begins; what stands behind is not true yet. `Infinity` while no group is
   * open.
   */
  groupFrom: Position = Number.POSITIVE_INFINITY
  /** See `Mark`: what marks say of it. */
  isEndUncertain = false
  /** Set once a write or a sync of committed records failed. */
  failure: WarpError | undefined
  closed = false

  constructor(files: LogFiles, format: number, memory: SegmentMemory) {
    this.files = files
    this.memory = memory
    this.formatRead = format
    this.formatWritten = format
  }

  /** See `Log.writeFormat`. */
  writeFormat(format: number): void {
    const { formatRead } = this
    if (!Number.isInteger(format) || format < FORMAT_OLDEST || format > formatRead) {
      const range = `${FORMAT_OLDEST} to ${formatRead}`
      throw new WarpError('WARP_E_CONFIG', `format ${format} cannot be written; this build writes ${range}`, {
        details: { format, oldest: FORMAT_OLDEST, newest: formatRead },
      })
    }
    this.formatWritten = format
  }

  /**
   * The newest format of any segment: checkpoints are written in it, so that they bar no build that
   * reads the segments.
   */
  get formatHeld(): number {
    return Math.max(...this.list.map(({ format }) => format))
  }

  /** Everything before it survives the death of the process. */
  get loggedThrough(): Position {
    return this.#loggedThrough
  }

  /** Everything before it survives a power failure. */
  get durableThrough(): Position {
    return this.#durableThrough
  }

  get end(): Position {
    return this.list.length === 0 ? 0 : this.active.base + this.active.end
  }

  /**
   * Says how far the log is stored. Acknowledgements rest on it, so what cannot be is refused:
   * `WARP_E_PROTOCOL`.
   */
  noteLogged(position: Position): void {
    if (position < this.#loggedThrough || position > this.end || position > this.groupFrom)
      throw this.#broken('logged', position)
    this.#loggedThrough = position
  }

  /** As `noteLogged`. */
  noteDurable(position: Position): void {
    if (position < this.#durableThrough || position > this.#loggedThrough) throw this.#broken('durable', position)
    this.#durableThrough = position
  }

  #broken(level: string, position: Position): WarpError {
    const [logged, durable, end] = [this.#loggedThrough, this.#durableThrough, this.end]
    return new WarpError(
      'WARP_E_PROTOCOL',
      `a fault in warp-engine: the log cannot be ${level} up to ${position}; it is logged up to ${logged}, durable up to ` +
        `${durable}, and ends at ${end}; open it again, and report this`,
      { details: { level, position, logged, durable, end } },
    )
  }

  get persistent(): boolean {
    return this.files.persistent
  }

  get active(): Segment {
    return this.list[this.list.length - 1] as Segment
  }

  find(position: Position): Segment | undefined {
    return this.list[segmentOf(position) - this.first]
  }

  byNumber(number: number): Segment | undefined {
    return this.list[number - this.first]
  }

  add(segment: Segment): void {
    if (this.list.length === 0) this.first = segment.number
    this.list.push(segment)
  }

  /** Takes the segments behind `segment` off the log, and returns them in order. */
  removeBehind(segment: Segment): Segment[] {
    return this.list.splice(segment.number + 1 - this.first)
  }

  removeFirst(): Segment | undefined {
    const segment = this.list.shift()
    if (segment !== undefined) this.first = segment.number + 1
    return segment
  }
}
