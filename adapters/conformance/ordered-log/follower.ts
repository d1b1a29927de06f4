/** A reader that writes down what it is told, and notices what a log must never do. */
import { isWarpError, type WarpError } from '../../../crdt/warp-error.ts'
import type { Bookmark, OrderedLogLink, OrderedLogReader, OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { assert, assertEqual } from '../assert.ts'

export interface FollowerOptions {
  readonly partition?: number
  /** What the reader does with a batch, beside writing it down. */
  readonly records?: OrderedLogReader['records']
}

export class Follower {
  /** Each record once, in the order in which they came first. */
  readonly records: OrderedRecord[] = []
  batchesCount = 0
  /** As the log said it. */
  trimmed: number | undefined
  broken: WarpError | undefined
  readonly #byOffset = new Map<number, OrderedRecord>()
  readonly #ids = new Set<string>()
  readonly #wrongs: string[] = []
  readonly #options: FollowerOptions
  readonly #stop: () => void
  #lastOffset: number
  #isAtIt = false
  #hasEnded = false
  #isFollowing = false

  constructor(link: OrderedLogLink, after: Bookmark | undefined, options: FollowerOptions) {
    this.#options = options
    this.#lastOffset = after?.offset ?? 0
    this.#stop = link.follow(options.partition ?? 0, after, {
      records: (batch) => this.#take(batch),
      trimmed: (firstOffset) => {
        this.#called('trimmed')
        this.trimmed = firstOffset
        this.#hasEnded = true
      },
      broken: (error) => {
        this.#called('broken')
        this.broken = error
        this.#hasEnded = true
      },
    })
    this.#isFollowing = true
  }

  stop(): void {
    this.#hasEnded = true
    this.#stop()
  }

  /** The ids in order, each once, joined; without barriers. */
  get ids(): string {
    return [...this.#ids].join(' ')
  }

  get idsCount(): number {
    return this.#ids.size
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  get last(): Bookmark | undefined {
    return this.records.at(-1)
  }

  /** Nothing was called that must not be. */
  assertFine(): void {
    assertEqual(this.#wrongs.join('; '), '', 'what the log did to a reader')
    assert(
      this.broken === undefined || isWarpError(this.broken, 'WARP_E_ORDER_BROKEN'),
      'broken with WARP_E_ORDER_BROKEN',
    )
  }

  #take(batch: readonly OrderedRecord[]): Promise<void> | void {
    this.#called('records')
    this.batchesCount++
    if (batch.length === 0) this.#wrongs.push('an empty batch')
    this.#checkOrder(batch)
    for (const record of batch) this.#note(record)
    const done = this.#options.records?.(batch)
    if (done === undefined) return
    this.#isAtIt = true
    return done.then(() => void (this.#isAtIt = false))
  }

  /** A record that came before is the same one; others are in order. */
  #note(record: OrderedRecord): void {
    const before = this.#byOffset.get(record.offset)
    if (before !== undefined) {
      if (record.id !== before.id || !isEqual(record.bytes, before.bytes))
        this.#wrongs.push(`record ${record.offset} is another one when it comes again`)
      return
    }
    if (record.offset <= this.#lastOffset) this.#wrongs.push(`record ${record.offset} comes behind ${this.#lastOffset}`)
    this.#lastOffset = Math.max(this.#lastOffset, record.offset)
    this.#byOffset.set(record.offset, record)
    this.records.push(record)
    if (!record.id.startsWith('barrier:')) this.#ids.add(record.id)
  }

  #checkOrder(batch: readonly OrderedRecord[]): void {
    batch.forEach(({ offset }, index) => {
      if (!Number.isSafeInteger(offset) || offset < 1) this.#wrongs.push(`the offset ${offset}`)
      if (index > 0 && offset <= batch[index - 1]!.offset) this.#wrongs.push(`a batch that does not rise at ${offset}`)
    })
  }

  #called(what: string): void {
    if (!this.#isFollowing) this.#wrongs.push(`${what} was called before follow had returned`)
    if (this.#isAtIt) this.#wrongs.push(`${what} was called while the reader was at a batch`)
    if (this.#hasEnded) this.#wrongs.push(`${what} was called after the end`)
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
