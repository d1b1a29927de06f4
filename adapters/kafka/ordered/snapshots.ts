/**
 * Snapshots, in a topic of their own with two partitions for each of the log: one for the pieces, and
 * one for notes. A note says that one is begun, then that it is whole, and where its pieces are; of
 * those that are whole the one that reaches furthest counts. Each save lets go of what lies before that
 * one and before all that are not at their end yet.
 */
import { asError, isWarpError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { Bookmark, OrderedSnapshot } from '../../../src/ports/ordered-log.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import { type Connection, connectionError } from '../connection.ts'
import type { KafkaLine, PlaceOfTopic, StoredRecord } from '../line.ts'
import { typeOfError } from '../kafkajs.ts'

export interface SnapshotsOptions {
  readonly connection: Connection
  readonly clock: BrokerClock
  readonly name: string
  readonly topic: string
  readonly partitionsCount: number
  /** Of the log: of one that was there before, nobody wants any. */
  readonly identity: string
  readonly timeoutMs: number
  /** The largest message that the topic takes. */
  readonly messageBytesMax: number
}

interface Note {
  readonly kind: 'begun' | 'whole' | 'given up'
  readonly log: string
  readonly save: string
  /** No piece of it lies before. */
  readonly from: number
  readonly bookmark: Bookmark
  readonly count: number
  readonly bytes: number
}

interface Noted extends Note {
  /** Of the note. */
  readonly offset: number
  readonly timeMs: number
}

const PIECE_BYTES = 512 * 1024
const OVERHEAD_BYTES = 256
const READ_BYTES = 1024 * 1024
/** What is under way for so long, by the broker's clock, was given up. */
const GIVEN_UP_MS = 3_600_000

export class Snapshots {
  readonly #options: SnapshotsOptions

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  async save(partition: number, { bookmark: { offset, id }, pieces }: OrderedSnapshot): Promise<void> {
    const place = this.#pieces(partition)
    const from = await this.#over('saving a snapshot', place, (line) => line.offset(place, 'next'))
    const { clock, identity: log } = this.#options
    // The bookmark alone: a whole record is one, too.
    const begun = { log, save: randomHex(clock, 8), from, bookmark: { offset, id }, count: 0, bytes: 0 }
    await this.#note(partition, { ...begun, kind: 'begun' })
    try {
      const written = await this.#write(place, begun, pieces)
      await this.#note(partition, { ...begun, ...written, kind: 'whole' })
    } catch (error) {
      await this.#note(partition, { ...begun, kind: 'given up' }).catch(() => undefined)
      throw error
    }
    // What cannot be removed now is removed by the next one.
    await this.#removeOthers(partition).catch(() => undefined)
  }

  async load(partition: number): Promise<OrderedSnapshot | undefined> {
    const kept = furthest(await this.#notes(partition))
    return kept === undefined ? undefined : { bookmark: kept.bookmark, pieces: this.#read(partition, kept) }
  }

  async bookmark(partition: number): Promise<Bookmark | undefined> {
    return furthest(await this.#notes(partition))?.bookmark
  }

  async #write(
    place: PlaceOfTopic,
    { save, from: begin }: Pick<Note, 'save' | 'from'>,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<Pick<Note, 'from' | 'count' | 'bytes'>> {
    const most = Math.min(PIECE_BYTES, this.#options.messageBytesMax - OVERHEAD_BYTES)
    let [from, count, bytes] = [begin, 0, 0]
    for await (const piece of pieces)
      for (let at = 0; at < piece.length; at += most) {
        // A copy: the piece is the caller's again before it is sent.
        const value = Buffer.from(piece.subarray(at, at + most))
        const offset = await this.#put('writing a snapshot', place, { key: Buffer.from(save), value })
        if (count === 0) from = offset
        count++
        bytes += value.length
      }
    return { from, count, bytes }
  }

  async *#read(partition: number, { save, from, count, bytes }: Note): AsyncGenerator<Uint8Array> {
    const place = this.#pieces(partition)
    let [at, found, total] = [from, 0, 0]
    while (found < count) {
      const records = await this.#fetch('reading a snapshot', place, at)
      if (records.length === 0) throw this.#gone()
      for (const { offset, key, value } of records) {
        if (offset !== at) throw this.#gone()
        at++
        // Pieces of others may lie between.
        if (key?.toString('latin1') !== save || found === count) continue
        found++
        total += value?.length ?? 0
        yield new Uint8Array(value ?? [])
      }
    }
    if (total !== bytes) throw this.#gone()
  }

  /** Of this log, in their order. */
  async #notes(partition: number): Promise<Noted[]> {
    const place = this.#notesAt(partition)
    const looked = async (line: KafkaLine): Promise<readonly [number, number]> => [
      await line.offset(place, 'first'),
      await line.offset(place, 'next'),
    ]
    const [first, next] = await this.#over('looking for snapshots', place, looked)
    const notes: Noted[] = []
    for (let at = first; at < next;) {
      const records = await this.#fetch('looking for snapshots', place, at)
      if (records.length === 0) throw this.#gone()
      for (const record of records) {
        const note = noteOf(record)
        if (note?.log === this.#options.identity) notes.push({ ...note, offset: record.offset, timeMs: record.timeMs })
      }
      at = records.at(-1)!.offset + 1
    }
    return notes
  }

  async #removeOthers(partition: number): Promise<void> {
    const notes = await this.#notes(partition)
    const kept = furthest(notes)
    const latestMs = notes.at(-1)?.timeMs ?? 0
    const ended = new Set(notes.filter(({ kind }) => kind !== 'begun').map(({ save }) => save))
    const wanted = notes.filter(
      ({ save, kind, timeMs }) =>
        save === kept?.save || (kind === 'begun' && !ended.has(save) && latestMs - timeMs < GIVEN_UP_MS),
    )
    if (kept === undefined) return
    for (const [place, before] of [
      [this.#pieces(partition), Math.min(...wanted.map(({ from }) => from))],
      [this.#notesAt(partition), Math.min(...wanted.map(({ offset }) => offset))],
    ] as const)
      if (before > 0) await this.#over('removing snapshots', place, (line) => line.deleteRecords(place, before))
  }

  #note(partition: number, note: Note): Promise<number> {
    const value = Buffer.from(JSON.stringify(note))
    return this.#put('noting a snapshot', this.#notesAt(partition), { key: Buffer.from(note.save), value })
  }

  #put(doing: string, place: PlaceOfTopic, record: { key: Buffer; value: Buffer }): Promise<number> {
    const { timeoutMs } = this.#options
    return this.#over(doing, place, (line) => line.produce(place, [record], { acks: 'all', timeoutMs }))
  }

  #fetch(doing: string, place: PlaceOfTopic, from: number): Promise<StoredRecord[]> {
    return this.#over(doing, place, (line) => line.fetch({ ...place, from, bytesMax: READ_BYTES, waitMs: 0 }))
  }

  async #over<Answer>(doing: string, place: PlaceOfTopic, ask: (line: KafkaLine) => Promise<Answer>): Promise<Answer> {
    const { connection, name } = this.#options
    const { lines } = connection
    if (lines === undefined) throw connection.error
    try {
      return await ask(lines.asks(place))
    } catch (error) {
      if (isWarpError(error)) throw error
      if (typeOfError(error) === 'OFFSET_OUT_OF_RANGE') throw this.#gone()
      connection.failed(lines, error)
      throw connectionError(`${name}: ${doing} did not succeed: ${asError(error).message}`, error)
    }
  }

  #pieces(partition: number): PlaceOfTopic {
    return { topic: this.#options.topic, partition }
  }

  #notesAt(partition: number): PlaceOfTopic {
    return { topic: this.#options.topic, partition: this.#options.partitionsCount + partition }
  }

  #gone(): WarpError {
    const message = `${this.#options.name}: a snapshot is not whole any more; load again: a newer one has replaced it`
    return new WarpError('WARP_E_TRANSPORT', message)
  }
}

function furthest(notes: readonly Noted[]): Noted | undefined {
  let kept: Noted | undefined
  for (const note of notes)
    if (note.kind === 'whole' && note.bookmark.offset >= (kept?.bookmark.offset ?? 0)) kept = note
  return kept
}

/** `undefined` if it is none. */
function noteOf({ value }: StoredRecord): Note | undefined {
  try {
    const note = JSON.parse(value?.toString() ?? '') as Note
    const { from, count, bytes, bookmark, log, save } = note
    const hasNumbers = [from, count, bytes, bookmark.offset].every(Number.isSafeInteger)
    const hasTexts = [log, save, bookmark.id].every((text) => typeof text === 'string')
    return hasNumbers && hasTexts ? note : undefined
  } catch {
    return undefined
  }
}
