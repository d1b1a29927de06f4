/**
 * First names of operations: the dots under which they were issued before they were issued again
 * (see `membership/leftovers.ts`), as intervals of sequences. What a replica issues again follows
 * each other mostly, so a set of them is small however many operations it names.
 *
 *     names = count:varint (replica:8 intervals:varint (gap:varint length:varint)*)*
 *
 * `gap`: how far behind the end of the interval before, or behind 0, one begins.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ByteReader } from '../byte-reader.ts'
import type { IdBytes } from '../ended-ids.ts'

export class FirstNames {
  /** By replica `[from, through, from, through, ...]`, ascending, with gaps between them. */
  readonly #ends = new Map<ReplicaId, number[]>()

  #size = 0

  /** How many intervals. */
  get size(): number {
    return this.#size
  }

  get isEmpty(): boolean {
    return this.#ends.size === 0
  }

  has(replica: ReplicaId, sequence: number): boolean {
    const ends = this.#ends.get(replica)
    if (ends === undefined) return false
    const at = firstThrough(ends, sequence)
    return at < ends.length && ends[at]! <= sequence
  }

  /** Returns whether it was not there before. */
  add(replica: ReplicaId, sequence: number): boolean {
    if (this.has(replica, sequence)) return false
    this.#addAll(replica, sequence, sequence)
    return true
  }

  /** Takes in the names of another set. */
  join(other: FirstNames): void {
    for (const [replica, ends] of other.#ends)
      for (let i = 0; i < ends.length; i += 2) this.#addAll(replica, ends[i]!, ends[i + 1]!)
  }

  /** Becomes equal to the other. */
  assign(other: FirstNames): void {
    const copy = other.copy()
    this.#ends.clear()
    this.#size = 0
    this.join(copy)
  }

  /** Names by that replica are none any more. */
  forget(replica: ReplicaId): void {
    this.#size -= (this.#ends.get(replica)?.length ?? 0) / 2
    this.#ends.delete(replica)
  }

  copy(): FirstNames {
    const copy = new FirstNames()
    copy.join(this)
    return copy
  }

  write(writer: ByteWriter, table: IdBytes): void {
    writer.varint(this.#ends.size)
    for (const [replica, ends] of [...this.#ends].sort(([a], [b]) => (a < b ? -1 : 1))) {
      writer.raw(table.bytes(replica))
      writer.varint(ends.length / 2)
      for (let i = 0, before = 0; i < ends.length; i += 2) {
        writer.varint(ends[i]! - before)
        writer.varint(ends[i + 1]! - ends[i]!)
        before = ends[i + 1]!
      }
    }
  }

  /** Throws `WARP_E_PROTOCOL`. */
  static read(reader: ByteReader, table: IdBytes): FirstNames {
    const names = new FirstNames()
    for (let left = reader.count(Infinity, REPLICA_ID_BYTES); left > 0; left--) {
      const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
      let before = 0
      for (let intervals = reader.count(Infinity, 2); intervals > 0; intervals--) {
        const from = before + reader.varint()
        before = from + reader.varint()
        if (from === 0 || !Number.isSafeInteger(before)) throw reader.malformed('names that are no sequences')
        names.#addAll(replica, from, before)
      }
    }
    return names
  }

  #addAll(replica: ReplicaId, from: number, through: number): void {
    const ends = this.#ends.get(replica)
    if (ends === undefined) {
      this.#ends.set(replica, [from, through])
      this.#size++
      return
    }
    // Intervals that it touches become one with it.
    const first = firstThrough(ends, from - 1)
    let behind = first
    while (behind < ends.length && ends[behind]! <= through + 1) behind += 2
    const [low, high] =
      behind === first ? [from, through] : [Math.min(from, ends[first]!), Math.max(through, ends[behind - 1]!)]
    ends.splice(first, behind - first, low, high)
    this.#size += 1 - (behind - first) / 2
  }
}

/** Where the first interval begins that does not end before `sequence`. */
function firstThrough(ends: readonly number[], sequence: number): number {
  let low = 0
  let high = ends.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ends[middle * 2 + 1]! >= sequence) high = middle
    else low = middle + 1
  }
  return low * 2
}
