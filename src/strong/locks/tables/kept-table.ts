/**
 * A table of a partition that is the same on every replica, and is kept in the log beside the place:
 * in a fixed number of buckets, each of which is written anew when an entry of it has changed. For
 * names of checkpoints stay for ever, and names of entries come and go.
 *
 *     bucket = [1, mark, [[name, value]*]*]
 *
 * The mark is a number that only grows; the greatest of all buckets counts.
 */
import { fnv1a, mixed } from '../../../operation/text.ts'
import { decode, encode } from '../../../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectText, fromChunks, toChunks } from '../../../../crdt/encoding/stored-state.ts'
import type { NewCheckpoint } from '../../../log/feed/feed-checkpoints.ts'

export interface KeptTableOptions<Value> {
  /** What the names of its checkpoints begin with. */
  readonly name: string
  readonly bucketsCount: number
  readonly encodeValue: (value: Value) => Encodable
  /** Throws `WARP_E_PROTOCOL`. */
  readonly decodeValue: (encoded: Encodable | undefined) => Value
  /** What an entry counts in `weight`. */
  readonly weigh: (value: Value) => number
}

const VERSION = 1

export class KeptTable<Value> {
  readonly #options: KeptTableOptions<Value>
  readonly #buckets: readonly Map<string, Value>[]
  #mark = 0
  #weight = 0
  /** What entries were when the table was written last. Values are replaced, never changed. */
  readonly #before = new Map<string, Value | undefined>()
  #markBefore = 0

  constructor(options: KeptTableOptions<Value>) {
    this.#options = options
    this.#buckets = Array.from({ length: options.bucketsCount }, () => new Map<string, Value>())
  }

  get mark(): number {
    return this.#mark
  }

  /** The entries, weighed. */
  get weight(): number {
    return this.#weight
  }

  get(name: string): Value | undefined {
    return this.#bucketOf(name).get(name)
  }

  /** `undefined` takes the entry out. */
  set(name: string, value: Value | undefined): void {
    const bucket = this.#bucketOf(name)
    const former = bucket.get(name)
    if (!this.#before.has(name)) this.#before.set(name, former)
    this.#put(bucket, name, value)
  }

  raise(mark: number): void {
    this.#mark = Math.max(this.#mark, mark)
  }

  *entries(): Generator<readonly [string, Value], void> {
    for (const bucket of this.#buckets) yield* bucket
  }

  /** Reads what the log has. Throws `WARP_E_PROTOCOL`. */
  load(find: (name: string) => Uint8Array | undefined): void {
    for (let index = 0; index < this.#buckets.length; index++) {
      const bytes = find(this.#nameOf(index))
      if (bytes !== undefined) this.#read(decode(bytes))
    }
    this.kept()
  }

  /** The buckets whose entries have changed since they were written. */
  changed(): NewCheckpoint[] {
    const indexes = new Set([...this.#before.keys()].map((name) => this.#indexOf(name)))
    // A mark has to stand somewhere, also in a table without entries.
    if (indexes.size === 0 && this.#mark !== this.#markBefore) indexes.add(0)
    return [...indexes].map((index) => ({
      ...{ name: this.#nameOf(index), version: '1', mark: '' },
      state: encode(this.#encoded(this.#buckets[index] as Map<string, Value>)),
    }))
  }

  /** What has changed is in the log by now. */
  kept(): void {
    this.#before.clear()
    this.#markBefore = this.#mark
  }

  /** Takes back what is not in the log. */
  undo(): void {
    for (const [name, value] of this.#before) this.#put(this.#bucketOf(name), name, value)
    this.#before.clear()
    this.#mark = this.#markBefore
  }

  /** All of it, for a snapshot of the partition. */
  encode(): Encodable {
    return this.#encoded(this.entries())
  }

  /** Another table takes the place of this one. Throws `WARP_E_PROTOCOL`, and then it is as it was. */
  replace(encoded: Encodable | undefined): void {
    try {
      for (const [name] of [...this.entries()]) this.set(name, undefined)
      this.#read(encoded, (name, value) => this.set(name, value))
    } catch (error) {
      this.undo()
      throw error
    }
  }

  #encoded(entries: Iterable<readonly [string, Value]>): Encodable {
    const { encodeValue } = this.#options
    return [VERSION, this.#mark, toChunks([...entries].map(([name, value]) => [name, encodeValue(value)]))]
  }

  #read(
    encoded: Encodable | undefined,
    put = (name: string, value: Value): void => this.#put(this.#bucketOf(name), name, value),
  ): void {
    const [, mark, chunks = []] = expectArray(encoded)
    for (const entry of fromChunks(chunks)) {
      const [name, value] = expectArray(entry)
      put(expectText(name), this.#options.decodeValue(value))
    }
    this.raise(expectCount(mark))
  }

  #put(bucket: Map<string, Value>, name: string, value: Value | undefined): void {
    const { weigh } = this.#options
    const former = bucket.get(name)
    if (former !== undefined) this.#weight -= weigh(former)
    if (value === undefined) bucket.delete(name)
    else {
      bucket.set(name, value)
      this.#weight += weigh(value)
    }
  }

  #bucketOf(name: string): Map<string, Value> {
    return this.#buckets[this.#indexOf(name)] as Map<string, Value>
  }

  /**
   * The keys of a partition have the last digits of FNV-1a in common: without the mixing they would all
   * be in one bucket.
   */
  #indexOf(name: string): number {
    return mixed(fnv1a(name)) % this.#buckets.length
  }

  #nameOf(index: number): string {
    return `${this.#options.name}/${index}`
  }
}
