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
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { ByteReader } from '../../operation/byte-reader.ts'
import type { Position } from '../../operation/position.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log.ts'

const FORM_MARKED = 2

/** Where the newest checkpoint of a name lies. */
export interface PlacedCheckpoint {
  readonly name: string
  readonly position: Position
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
  note({ name, position }: PlacedCheckpoint): void {
    this.#replace(name, position)
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
   * what `writeState` throws and what `Log.commit` throws, and then the checkpoint before still
   * counts.
   */
  write(
    log: Log,
    { name, version, mark }: { readonly name: string; readonly version: string; readonly mark: string },
    state: Uint8Array,
  ): Position {
    const through = log.end
    const writer = begin(log, name, through)
    writer.u8(FORM_MARKED)
    writer.text(version)
    writer.text(mark)
    writer.raw(state, 0, state.length)
    this.#commit(log, name)
    return through
  }

  #commit(log: Log, name: string): void {
    const former = this.#replace(name, log.commit(RECORD_KIND.checkpoint, 0))
    if (former !== undefined) log.discard(former)
  }

  /** Returns where the one before lies. */
  #replace(name: string, position: Position): Position | undefined {
    const former = this.#positions.get(name)
    if (former !== undefined) this.#live.delete(former)
    this.#positions.set(name, position)
    this.#live.add(position)
    return former
  }
}

function begin(log: Log, name: string, through: Position): ByteWriter {
  const writer = log.begin()
  writer.text(name)
  writer.f64(through)
  return writer
}
