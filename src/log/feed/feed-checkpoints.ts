/**
 * How far those who follow the log have come, kept in the log itself: a record that holds what
 * somebody has made of everything before `through`. The newest record of a name counts; compaction
 * keeps it, and older ones are garbage. Because the record stands behind what it is about, a log
 * that lost its end never holds a checkpoint of operations that it does not have.
 *
 *     checkpoint = name:text through:f64 form:u8 (version:text [ mark:text ] state)?
 *
 * Form 2 has a mark, form 1 has none. Form 0, which earlier builds wrote, has no state, and says that
 * those before it do not count any more. What a mark means is for who wrote it to know.
 */
import { ByteReader } from '../../operation/byte-reader.ts'
import type { Position } from '../../operation/position.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log.ts'

const FORM_MARKED = 2

/** Where the newest checkpoint of a name lies. */
export interface PlacedCheckpoint {
  readonly name: string
  readonly position: Position
}

export interface NewCheckpoint {
  readonly name: string
  readonly version: string
  /** What its writer puts beside it; empty if nothing. */
  readonly mark: string
  readonly state: Uint8Array
}

export interface FeedCheckpoint {
  /** Everything before has been seen. */
  readonly through: Position
  readonly version: string
  /** What its writer has put beside it; empty if nothing. */
  readonly mark: string
  /** A copy. */
  readonly state: Uint8Array
}

export class FeedCheckpoints {
  readonly #positions = new Map<string, Position>()
  /** The same positions. */
  readonly #live = new Set<Position>()

  /** Takes note of a checkpoint that is in the log. To be called in log order. */
  note(checkpoint: PlacedCheckpoint): void {
    this.#replace(checkpoint)
  }

  /** Takes note of a record of the log. */
  record({ bytes, start, end, position }: Pick<RecordView, 'bytes' | 'start' | 'end' | 'position'>): void {
    this.note({ name: new ByteReader(bytes, start, end).text(), position })
  }

  list(): PlacedCheckpoint[] {
    return [...this.#positions].map(([name, position]) => ({ name, position }))
  }

  isLive(position: Position): boolean {
    return this.#live.has(position)
  }

  /** Throws `WARP_E_LOG_CORRUPT`. */
  find(log: Log, name: string): FeedCheckpoint | undefined {
    const position = this.#positions.get(name)
    if (position === undefined) return undefined
    const record = log.record(position)
    const reader = new ByteReader(record.bytes, record.start, record.end)
    reader.text()
    const through = reader.f64()
    const form = reader.u8()
    if (form === 0) return undefined
    const version = reader.text()
    const mark = form === FORM_MARKED ? reader.text() : ''
    return { through, version, mark, state: record.bytes.slice(reader.at, record.end) }
  }

  /**
   * Writes that `name` has seen everything that is in the log now, and what it made of it. Throws
   * what `Log.commit` throws, and then the checkpoint before still
   * counts.
   */
  write(log: Log, of: Omit<NewCheckpoint, 'state'>, state: Uint8Array): Position {
    return this.writeAll(log, [{ ...of, state }])
  }

  /**
   * The same of several names, all of them or none. In a group of records it comes last: what throws
   * behind it would take the records back, and not this note of them.
   */
  writeAll(log: Log, checkpoints: readonly NewCheckpoint[]): Position {
    const through = log.end
    const placed = checkpoints.map((checkpoint) => writeOne(log, checkpoint, through))
    for (const { name } of placed) {
      const former = this.#positions.get(name)
      if (former !== undefined) log.discard(former)
    }
    for (const checkpoint of placed) this.#replace(checkpoint)
    return through
  }

  #replace({ name, position }: PlacedCheckpoint): void {
    const former = this.#positions.get(name)
    if (former !== undefined) this.#live.delete(former)
    this.#positions.set(name, position)
    this.#live.add(position)
  }
}

function writeOne(log: Log, { name, version, mark, state }: NewCheckpoint, through: Position): PlacedCheckpoint {
  const writer = log.begin()
  writer.text(name)
  writer.f64(through)
  writer.u8(FORM_MARKED)
  writer.text(version)
  writer.text(mark)
  writer.raw(state, 0, state.length)
  return { name, position: log.commit(RECORD_KIND.checkpoint, 0) }
}
