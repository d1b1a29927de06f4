/** One partition of the ordered log in memory: records in their order, and the state of those that went. */
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { Bookmark, OrderedRecord } from '../ordered-log.ts'
import { orderBroken } from './order-error.ts'

/** A snapshot as it is kept: its pieces are ours. */
export interface KeptSnapshot {
  readonly bookmark: Bookmark
  readonly pieces: readonly Uint8Array[]
}

/** What follows a bookmark. */
export type Continuation =
  | { readonly kind: 'there' }
  | { readonly kind: 'trimmed'; readonly firstOffset: number }
  | { readonly kind: 'broken'; readonly error: WarpError }

export interface BatchBounds {
  readonly records: number
  readonly bytes: number
}

/** What a record takes beside its bytes. */
const RECORD_OVERHEAD_BYTES = 128

const NONE: Bookmark = { offset: 0, id: '' }
const THERE: Continuation = { kind: 'there' }

export class Partition {
  readonly #log: string
  readonly #index: number
  #records: OrderedRecord[] = []
  #lastOffset = 0
  /** The last record that was let go, by a trim or a purge. */
  #gone: Bookmark = NONE
  #snapshot: KeptSnapshot | undefined
  #bytes = 0

  constructor(log: string, index: number) {
    this.#log = log
    this.#index = index
  }

  get lastOffset(): number {
    return this.#lastOffset
  }

  get bytes(): number {
    return this.#bytes
  }

  get snapshot(): KeptSnapshot | undefined {
    return this.#snapshot
  }

  get records(): readonly OrderedRecord[] {
    return this.#records
  }

  /** `skipped`: offsets left out before it. */
  append(record: Omit<OrderedRecord, 'offset'>, skipped: number): number {
    this.#lastOffset += 1 + skipped
    this.#records.push({ offset: this.#lastOffset, ...record })
    this.#bytes += weightOf(record)
    return this.#lastOffset
  }

  /** Whether the bookmark can be of this log: nobody knows that of what was trimmed. */
  has({ offset, id }: Bookmark): boolean {
    return offset < this.#gone.offset || this.#idAt(offset) === id
  }

  /** Whether everything behind the bookmark is there, and the bookmark is of this log. */
  continuationOf(after: Bookmark | undefined): Continuation {
    const { offset, id } = after ?? NONE
    if (offset > this.#lastOffset)
      return this.#broken(`there is no record ${offset}, the last one is ${this.#lastOffset}`)
    if (offset < this.#gone.offset) return this.#behindWhatIsGone()
    if (this.has({ offset, id })) return THERE
    return this.#broken(`the record at ${offset} is not the one that was there`)
  }

  /** Who has all that was purged misses nothing, and may save a snapshot for the others. */
  #behindWhatIsGone(): Continuation {
    const gone = this.#gone.offset
    if (gone <= (this.#snapshot?.bookmark.offset ?? 0)) return { kind: 'trimmed', firstOffset: gone + 1 }
    return this.#broken(`records up to ${gone} were purged, and no snapshot holds them`)
  }

  isBehind(offset: number): boolean {
    return (this.#records.at(-1)?.offset ?? 0) > offset
  }

  /** The records behind `offset`, as many as the bounds allow, one at least. */
  batch(offset: number, bounds: BatchBounds): readonly OrderedRecord[] {
    const from = this.#indexBehind(offset)
    let bytes = 0
    let to = from
    while (to < this.#records.length && to - from < bounds.records) {
      bytes += this.#records[to]!.bytes.length
      if (bytes > bounds.bytes && to > from) break
      to++
    }
    return this.#records.slice(from, to)
  }

  /** The offset from which a reader at `offset` is handed `count` records again. */
  before(offset: number, count: number): number {
    const from = this.#indexBehind(offset) - count
    return from <= 0 ? this.#gone.offset : this.#records[from - 1]!.offset
  }

  /** Of two the one that reaches further stays. */
  save(snapshot: KeptSnapshot): void {
    if (snapshot.bookmark.offset >= (this.#snapshot?.bookmark.offset ?? 0)) this.#snapshot = snapshot
  }

  /** Returns how many records went. */
  letGo(before: number): number {
    const count = this.#indexBehind(before - 1)
    const gone = this.#records.splice(0, count)
    const last = gone.at(-1)
    if (last !== undefined) this.#gone = { offset: last.offset, id: last.id }
    for (const record of gone) this.#bytes -= weightOf(record)
    return count
  }

  get goneOffset(): number {
    return this.#gone.offset
  }

  rollBack(offset: number): void {
    for (const record of this.#records.splice(this.#indexBehind(offset))) this.#bytes -= weightOf(record)
    this.#lastOffset = offset
  }

  #idAt(offset: number): string | undefined {
    if (offset === this.#gone.offset) return this.#gone.id
    const record = this.#records[this.#indexBehind(offset - 1)]
    return record?.offset === offset ? record.id : undefined
  }

  /** Where the first record behind `offset` is, by halving. */
  #indexBehind(offset: number): number {
    let [low, high] = [0, this.#records.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#records[middle]!.offset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #broken(reason: string): Continuation {
    return { kind: 'broken', error: orderBroken(this.#log, this.#index, reason) }
  }
}

export function weightOf({ id, bytes }: Pick<OrderedRecord, 'id' | 'bytes'>): number {
  return bytes.length + id.length + RECORD_OVERHEAD_BYTES
}
