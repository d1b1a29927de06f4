/**
 * The records of a state that is being taken over, before they lie in the log as such: what has
 * arrived lies in chunks, and what is issued again lies in memory. Each has an *ordinal*, the first
 * one is 1. `publish` writes the records in that order into a long group, in steps; from then on
 * each has a position as well. More may be added meanwhile.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { RECORD_KIND, type Log, type LongGroup } from '../../log/log.ts'
import { moveSnapshot, type SnapshotBytes } from '../../merge/snapshot-record.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import { ITEM, itemsIn, type Item } from '../snapshot-stream.ts'
import { PagedNumbers } from './paged-numbers.ts'

/** Envelopes that are written here are kept in pieces of about so many bytes. */
const PIECE_BYTES = 262_144

export class StagedRecords {
  readonly #log: Log
  #count = 0
  /** By ordinal, the ordinal of the record of the key before it; 0 if there is none. */
  readonly #previous = new PagedNumbers()
  /**
   * By ordinal, where its bytes lie: in which chunk, or behind the chunks in which piece, and from
   * where to where there.
   */
  readonly #sources = new PagedNumbers()
  readonly #starts = new PagedNumbers()
  readonly #ends = new PagedNumbers()
  /** By ordinal, where the records have come to lie, as far as they have been published. */
  readonly #places = new PagedNumbers()
  /**
   * Snapshots that do not lie where they stand for the records before them: a segment ended there, or
   * the parts of their state lie in between.
   */
  readonly #rolled = new Map<number, Position>()
  /** What is being taken in. */
  readonly #at = { source: 0, start: 0, end: 0 }
  readonly #chunks: Position[] = []
  /** The items of the stream that have been looked at, and those of them that are no part of it. */
  #itemsCount = 0
  readonly #passedOver = new Set<number>()
  /** Envelopes written here, one after the other, and how long each is. */
  readonly #pieces: Uint8Array[] = []
  #piece = new ByteWriter()
  readonly #lengths: number[] = []
  /** Where the parts lie that have been published of a state whose snapshot comes next. */
  #parts: Position[] = []
  /** Where the log ended before the first of them. */
  #partsFrom: Position = 0
  #publishedCount = 0
  #publishedChunks = 0
  #publishedItems = 0
  /** Of the envelopes written here: how many, and where the next one lies. */
  #publishedLengths = 0
  #piecesDone = 0
  #pieceAt = 0

  constructor(log: Log) {
    this.#log = log
  }

  get count(): number {
    return this.#count
  }

  /**
   * Looks at the records in a chunk that lies in the log. `visit` asks for an ordinal (`next`) but for
   * parts of a snapshot, which have none, or says that this one is no part of the state. All chunks
   * come before anything else.
   */
  *addChunk(chunk: Position, bytes: Uint8Array, visit: (item: Item) => boolean, meter: Meter): Generator<void, void> {
    const source = this.#chunks.push(chunk) - 1
    for (const item of recordsIn(bytes)) {
      const { start, end } = item
      Object.assign(this.#at, { source, start, end })
      if (!visit(item)) this.#passedOver.add(this.#itemsCount)
      this.#itemsCount++
      meter.spend(1, end - start)
      if (meter.isSpent) yield
    }
  }

  /** An envelope that is written here; `next` gives it its ordinal. */
  write(write: (writer: ByteWriter) => void): void {
    if (this.#piece.at >= PIECE_BYTES) this.#endPiece()
    const from = this.#piece.at
    write(this.#piece)
    this.#lengths.push(this.#piece.at - from)
    const source = this.#chunks.length + this.#pieces.length
    Object.assign(this.#at, { source, start: from, end: this.#piece.at })
  }

  #endPiece(): void {
    if (this.#piece.at === 0) return
    this.#pieces.push(this.#piece.bytes.subarray(0, this.#piece.at))
    this.#piece = new ByteWriter(PIECE_BYTES)
  }

  /** The ordinal of the record that has just been added, behind `previous` in its key's chain. */
  next(previous: number): number {
    const ordinal = ++this.#count
    this.#previous.set(ordinal, previous)
    const { source, start, end } = this.#at
    this.#sources.set(ordinal, source)
    this.#starts.set(ordinal, start)
    this.#ends.set(ordinal, end)
    return ordinal
  }

  previousOf(ordinal: number): number {
    return this.#previous.get(ordinal)
  }

  /** Valid until something is written. */
  recordOf(ordinal: number): SnapshotBytes {
    const [source, from, to] = [this.#sources.get(ordinal), this.#starts.get(ordinal), this.#ends.get(ordinal)]
    const chunk = this.#chunks[source]
    if (chunk !== undefined) {
      const { bytes, start } = this.#log.record(chunk)
      return { bytes, start: start + from, end: start + to }
    }
    const bytes = this.#pieces[source - this.#chunks.length] ?? this.#piece.bytes
    return { bytes, start: from, end: to }
  }

  /**
   * Writes what has been added and is not in the group yet. Ends early when the group has been
   * overtaken. Throws what `LongGroup.commit` throws.
   */
  *publish(group: LongGroup, meter: Meter): Generator<void, void> {
    while (this.#publishedChunks < this.#chunks.length) {
      const record = this.#log.record(this.#chunks[this.#publishedChunks]!)
      const bytes = record.bytes.slice(record.start, record.end)
      for (const { type, start, end } of recordsIn(bytes)) {
        if (this.#passedOver.has(this.#publishedItems++)) continue
        if (type === ITEM.part) this.#publishPart(group, { bytes, start, end })
        else if (type === ITEM.snapshot) this.#publishSnapshot(group, ++this.#publishedCount, { bytes, start, end })
        else this.#publishOperation(group, ++this.#publishedCount, { bytes, start, end })
        if (isStepOver(group, meter, end - start)) yield
        if (group.isOvertaken) return
      }
      this.#publishedChunks++
    }
    yield* this.#publishWritten(group, meter)
  }

  *#publishWritten(group: LongGroup, meter: Meter): Generator<void, void> {
    this.#endPiece()
    while (this.#publishedLengths < this.#lengths.length) {
      const length = this.#lengths[this.#publishedLengths++]!
      if (this.#pieceAt === this.#pieces[this.#piecesDone]!.length) {
        this.#piecesDone++
        this.#pieceAt = 0
      }
      const start = this.#pieceAt
      this.#pieceAt += length
      const bytes = this.#pieces[this.#piecesDone]!
      this.#publishOperation(group, ++this.#publishedCount, { bytes, start, end: start + length })
      if (isStepOver(group, meter, length)) yield
      if (group.isOvertaken) return
    }
  }

  #publishPart(group: LongGroup, { bytes, start, end }: SnapshotBytes): void {
    if (this.#parts.length === 0) this.#partsFrom = group.end
    group.begin().raw(bytes, start, end)
    this.#parts.push(group.commit(RECORD_KIND.snapshot, 0))
  }

  /** It stands for the records before its parts. */
  #publishSnapshot(group: LongGroup, ordinal: number, snapshot: SnapshotBytes): void {
    const parts = this.#parts
    const through = parts.length === 0 ? group.end : this.#partsFrom
    this.#parts = []
    moveSnapshot(group.begin(), snapshot, { through, parts })
    const position = group.commit(RECORD_KIND.snapshot, 0)
    this.#places.set(ordinal, through)
    if (position !== through) this.#rolled.set(ordinal, position)
  }

  #publishOperation(group: LongGroup, ordinal: number, { bytes, start, end }: SnapshotBytes): void {
    group.begin().raw(bytes, start, end)
    const before = this.#places.get(this.#previous.get(ordinal))
    this.#places.set(ordinal, group.commit(RECORD_KIND.operation, before))
  }

  /** Where the record stands: a snapshot behind the records that it stands for. It has been published. */
  placeOf(ordinal: number): Position {
    return this.#places.get(ordinal)
  }

  /** Where the record lies. It has been published. */
  positionOf(ordinal: number): Position {
    return this.#rolled.get(ordinal) ?? this.#places.get(ordinal)
  }

  /** The record that lies or stands there. */
  ordinalAt(position: Position): number {
    let low = 0
    let high = this.#publishedCount
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#places.get(middle) <= position) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** The step has done its part: hands what it has written to the files. */
function isStepOver(group: LongGroup, meter: Meter, bytes: number): boolean {
  meter.spend(1, bytes)
  if (!meter.isSpent) return false
  group.store()
  return true
}

/** Items that are records of the state. */
const RECORDS: ReadonlySet<number> = new Set([ITEM.snapshot, ITEM.operation, ITEM.part])

function recordsIn(bytes: Uint8Array): Item[] {
  return itemsIn(bytes).items.filter(({ type }) => RECORDS.has(type))
}
