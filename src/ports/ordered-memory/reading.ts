/**
 * What one reader of the ordered log in memory has been handed. Each batch comes in a turn of its
 * own, and only when the one before it has been dealt with. Before each the reader's place is
 * compared with the log.
 */
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { Bookmark, OrderedLogReader, OrderedRecord } from '../ordered-log.ts'
import { BATCH_BYTES_MAX } from './batch-bounds.ts'
import type { Troubles } from './log-troubles.ts'
import type { Continuation, Partition } from './partition.ts'
import { type LineClock, RequestLine } from './request-line.ts'

export interface ReadingWorld {
  readonly clock: LineClock
  readonly partition: () => Partition
  readonly troubles: () => Troubles
  readonly travelMs: () => number
  readonly chance: () => number
  /** Changes with each connection; `undefined` while there is none. */
  readonly connection: () => object | undefined
  /** Why this is not the log any more that the link was opened on. */
  readonly replaced: () => WarpError | undefined
  readonly redelivered: (count: number) => void
}

const AGAIN_RECORDS_MAX = 8

export class Reading {
  readonly #world: ReadingWorld
  readonly #reader: OrderedLogReader
  /** The last record that was handed over, and where the next batch begins: further back perhaps. */
  #last: Bookmark | undefined
  #cursor: number
  /** Where the reader began: what lies before was never handed to it. */
  readonly #floor: number
  #isBusy = false
  /** A record came since the reader's place was compared last. */
  #isDue = true
  #hasEnded = false

  constructor(world: ReadingWorld, after: Bookmark | undefined, reader: OrderedLogReader) {
    this.#world = world
    this.#reader = reader
    this.#last = after
    this.#cursor = this.#floor = after?.offset ?? 0
    this.#begin()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Whether the log goes on where the reader stands. */
  continuation(): Continuation {
    const error = this.#world.replaced()
    return error === undefined ? this.#world.partition().continuationOf(this.#last) : { kind: 'broken', error }
  }

  /** A record has come, wherever its place is: the log may have been rolled back. */
  wake(): void {
    this.#isDue = true
    this.#begin()
  }

  /** There is a connection again: whatever it leads to is looked at. */
  connected(): void {
    this.#begin()
  }

  end(): void {
    this.#hasEnded = true
  }

  #begin(): void {
    const connection = this.#world.connection()
    if (this.#isBusy || this.#hasEnded || connection === undefined) return
    this.#isBusy = true
    new RequestLine(this.#world.clock).carry(this.#world.travelMs(), () => void this.#arrive(connection))
  }

  async #arrive(connection: object): Promise<void> {
    // What was under way when a connection was lost is sent again by the next one.
    if (connection === this.#world.connection()) await this.#handOver()
    this.#isBusy = false
    const isNew = connection !== this.#world.connection()
    if (isNew || this.#isDue || this.#world.partition().isBehind(this.#cursor)) this.#begin()
  }

  async #handOver(): Promise<void> {
    if (this.#hasEnded) return
    this.#isDue = false
    const continuation = this.continuation()
    if (continuation.kind !== 'there') {
      this.#tell(continuation)
      return
    }
    const { batchRecords, slowMs } = this.#world.troubles()
    const batch = this.#world.partition().batch(this.#cursor, { records: batchRecords, bytes: BATCH_BYTES_MAX })
    const last = batch.at(-1)
    if (last === undefined) return
    this.#advance(last)
    await this.#reader.records(batch)
    if (slowMs > 0) await new Promise<void>((resolve) => this.#world.clock.schedule(slowMs, resolve))
  }

  #tell(continuation: Exclude<Continuation, { kind: 'there' }>): void {
    this.#hasEnded = true
    if (continuation.kind === 'trimmed') this.#reader.trimmed(continuation.firstOffset)
    else this.#reader.broken(continuation.error)
  }

  #advance({ offset, id }: OrderedRecord): void {
    this.#cursor = offset
    // Only behind what was new: else the same records come for ever.
    if (offset <= (this.#last?.offset ?? 0)) return
    this.#last = { offset, id }
    const { redelivered } = this.#world.troubles()
    if (redelivered === 0 || this.#world.chance() >= redelivered) return
    const count = 1 + Math.floor(this.#world.chance() * AGAIN_RECORDS_MAX)
    this.#cursor = Math.max(this.#floor, this.#world.partition().before(offset, count))
    this.#world.redelivered(count)
  }
}
