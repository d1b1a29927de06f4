/**
 * Ids that are over for good, so that vectors do not have to name them for ever: their owners have
 * left, or have died or given them up, and compaction has gone past them (retired-ids.ts).
 *
 *     end = count:varint (replica:8 end:varint)*       the body of an `end` operation
 *
 * Once everybody has a replica's last operation that counts, a member that stays says so with an
 * `end` operation of its own. Who has seen that has seen all of the id, since operations arrive in causal
 * order: the one entry of its writer says as much as the entries of all ids that it ended. When the
 * writer leaves in its turn, another one's operation stands for both.
 *
 * An id is *ended* when such an operation has been applied here. It is *pruned* when all members
 * have announced that operation as stable, which is when it may be folded away: from then on
 * nothing is still to come from anybody in good standing that had not seen it, no vector here names
 * the id any more, and whoever has not seen the end lies below the floor and takes over a state. So
 * members prune at different times. Vectors that come from others are read as if they had pruned
 * what is pruned here and nothing else (`normalised`).
 *
 * What is pruned is remembered, some 30 bytes for each id: late frames are recognised by it, and
 * operations that are not folded say by it what their writers had seen (`isSeen`).
 *
 * Of an id whose owner has not left, more than its end may lie somewhere. Whoever holds that cannot
 * have the `end` operation as well (`exceeds`): it is out, and takes over a state.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { ENDED_IDS_MAX } from '../limits.ts'
import type { ByteReader } from './byte-reader.ts'

interface Ended {
  /** Its last operation. */
  readonly end: number
  /** The operations that say so. One, unless several members wrote one at the same time. */
  readonly by: Dot[]
  isPruned: boolean
}

/** Reads and writes ids: the table of an engine, which holds these ids itself. */
export interface IdBytes {
  read(bytes: Uint8Array, at: number): ReplicaId
  bytes(replica: ReplicaId): Uint8Array
}

/** Of an id that ended, the ends of its ending members' own ids, at most so many in a row. */
const CHAIN_MAX = 4096
/** Operations that end one id: each member writes one at most, and seldom more than one does. */
const BY_MAX = 16

export class EndedIds {
  readonly #ids = new Map<ReplicaId, Ended>()
  /** Those that are not pruned yet. */
  readonly #open = new Set<ReplicaId>()

  get size(): number {
    return this.#ids.size
  }

  /** Whether there is room for more. Beyond the bound ids stay in vectors. */
  get hasRoom(): boolean {
    return this.#ids.size < ENDED_IDS_MAX
  }

  has(replica: ReplicaId): boolean {
    return this.#ids.has(replica)
  }

  /** Whether no vector here names it any more, and all of it is here. */
  isPruned(replica: ReplicaId): boolean {
    return this.#ids.size > 0 && this.#ids.get(replica)?.isPruned === true
  }

  /** Up to where everybody has it, if it is pruned; else 0. */
  prunedEnd(replica: ReplicaId): number {
    return this.isPruned(replica) ? (this.#ids.get(replica)?.end ?? 0) : 0
  }

  /** Whether it is pruned, and the operation is one of those that everybody has. */
  includes(replica: ReplicaId, sequence: number): boolean {
    return sequence <= this.prunedEnd(replica)
  }

  /** Whether it is pruned, and the operation is none of those that everybody has: it is void. */
  isBeyond(replica: ReplicaId, sequence: number): boolean {
    return this.isPruned(replica) && sequence > this.prunedEnd(replica)
  }

  /** Ids that have ended and are not pruned yet, with their ends. */
  *open(): IterableIterator<readonly [ReplicaId, number]> {
    for (const replica of this.#open) yield [replica, this.#ids.get(replica)?.end ?? 0]
  }

  /** Which ids have ended. */
  replicas(): Iterable<ReplicaId> {
    return this.#ids.keys()
  }

  /** `by` says that the id has ended. */
  note(replica: ReplicaId, end: number, by: Dot): void {
    const known = this.#ids.get(replica)
    if (known === undefined) this.#add(replica, { end, by: [by], isPruned: false })
    else if (known.by.length < BY_MAX && !known.by.some((dot) => isSame(dot, by))) known.by.push(by)
  }

  /**
   * Whether somebody who has seen these operations has seen all of the id. `has` is asked of single
   * operations.
   */
  isSeen(replica: ReplicaId, has: (replica: ReplicaId, sequence: number) => boolean): boolean {
    if (!this.#ids.has(replica)) return false
    const todo = [replica]
    for (let left = CHAIN_MAX; left > 0; left--) {
      const next = todo.pop()
      if (next === undefined) return false
      for (const by of this.#ids.get(next)?.by ?? []) {
        if (has(by.replica, by.sequence)) return true
        todo.push(by.replica)
      }
    }
    return false
  }

  /** A vector of somebody else, as if it had pruned what is pruned here, and nothing else. */
  normalised(vector: VersionVector): VersionVector {
    if (this.#ids.size === 0) return vector
    const normal = this.stripped(vector)
    const has = (replica: ReplicaId, sequence: number): boolean => vector.includes(replica, sequence)
    const hidden = [...this.#open].filter((replica) => vector.get(replica) === 0 && this.isSeen(replica, has))
    if (hidden.length === 0) return normal
    const all = normal.copy()
    for (const replica of hidden) all.raise(replica, this.#ids.get(replica)?.end ?? 0)
    return all
  }

  /** The vector without what is pruned; itself if it names nothing of it. */
  stripped(vector: VersionVector): VersionVector {
    if (this.#ids.size === this.#open.size || !this.#names(vector)) return vector
    return VersionVector.from([...vector.entries()].filter(([replica]) => !this.isPruned(replica)))
  }

  /**
   * The vector with the ends of pruned ids in their places, which say the same to whoever asks
   * `isSeen`; itself if it names nothing that is pruned.
   */
  replacedIn(vector: VersionVector): VersionVector {
    if (this.#ids.size === this.#open.size || !this.#names(vector)) return vector
    const replaced = new VersionVector()
    for (const [replica, sequence] of vector.entries()) {
      const dot = this.isPruned(replica) ? this.#endOf(replica) : { replica, sequence }
      replaced.raise(dot.replica, dot.sequence)
    }
    return replaced
  }

  /**
   * The operations that end what is pruned of a vector, and `before`, which did so already;
   * `undefined` if there are none.
   */
  endsIn(vector: VersionVector, before: VersionVector | undefined): VersionVector | undefined {
    if (before === undefined && this.stripped(vector) === vector) return undefined
    const ends = this.replacedIn(before ?? new VersionVector()).copy()
    for (const [replica] of vector.entries()) {
      if (!this.isPruned(replica)) continue
      const by = this.#endOf(replica)
      ends.raise(by.replica, by.sequence)
    }
    return ends
  }

  /** Whether two vectors of the same key say the same, though not the same is pruned in them. */
  isSameIn(a: VersionVector, b: VersionVector): boolean {
    if (a.compare(b) === 'equal') return true
    return this.#ids.size > 0 && this.#says(a, b) && this.#says(b, a)
  }

  /** Ids that may be pruned now that `stable` is, with the operations that end them. */
  due(stable: VersionVector): { readonly replica: ReplicaId; readonly end: number; readonly by: Dot }[] {
    const due = []
    for (const replica of this.#open) {
      const ended = this.#ids.get(replica)
      const by = ended?.by.find((dot) => stable.includes(dot.replica, dot.sequence) || this.isPruned(dot.replica))
      if (ended !== undefined && by !== undefined) due.push({ replica, end: ended.end, by })
    }
    return due
  }

  /**
   * Of ids that are not pruned, only what operations say counts that have been applied: the log still
   * holds others, which were void when a state was taken over.
   */
  keepSaid(applied: VersionVector): void {
    for (const replica of [...this.#open]) {
      const { end, by } = this.#ids.get(replica) as Ended
      const said = by.filter((dot) => applied.includes(dot.replica, dot.sequence) || this.isPruned(dot.replica))
      if (said.length > 0) this.#ids.set(replica, { end, by: said, isPruned: false })
      else {
        this.#ids.delete(replica)
        this.#open.delete(replica)
      }
    }
  }

  prune(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) this.#mark(replica, true)
  }

  /** What could not be noted has not happened. */
  unprune(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) this.#mark(replica, false)
  }

  *pruned(): IterableIterator<ReplicaId> {
    for (const [replica, { isPruned }] of this.#ids) if (isPruned) yield replica
  }

  /** Takes in what a record of the log says. */
  join(other: EndedIds): void {
    for (const [replica, { end, by, isPruned }] of other.#ids) {
      for (const dot of by) this.note(replica, end, dot)
      if (isPruned) this.prune([replica])
    }
  }

  /**
   * Takes over what is ended for somebody whose state is taken over. What is pruned here stays so.
   */
  assign(other: EndedIds): void {
    for (const replica of this.#open) this.#ids.delete(replica)
    this.#open.clear()
    this.join(other)
  }

  /** `count:varint (replica:8 end:varint isPruned:u8 count:varint (replica:8 sequence:varint)*)*`. */
  write(writer: ByteWriter, table: IdBytes, replicas: Iterable<ReplicaId> = this.#ids.keys()): void {
    const written = [...replicas].filter((replica) => this.#ids.has(replica))
    writer.varint(written.length)
    for (const replica of written) {
      const { end, by, isPruned } = this.#ids.get(replica) as Ended
      writer.raw(table.bytes(replica))
      writer.varint(end)
      writer.u8(isPruned ? 1 : 0)
      writer.varint(by.length)
      for (const dot of by) {
        writer.raw(table.bytes(dot.replica))
        writer.varint(dot.sequence)
      }
    }
  }

  /** Throws `WARP_E_PROTOCOL`. */
  static read(reader: ByteReader, table: IdBytes): EndedIds {
    const ended = new EndedIds()
    for (let left = reader.count(ENDED_IDS_MAX, REPLICA_ID_BYTES); left > 0; left--) {
      const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
      const [end, isPruned] = [reader.varint(), reader.u8() === 1]
      for (let dots = reader.count(BY_MAX, REPLICA_ID_BYTES); dots > 0; dots--) {
        const by = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
        ended.note(replica, end, { replica: by, sequence: reader.varint() })
      }
      if (isPruned) ended.prune([replica])
    }
    return ended
  }

  #add(replica: ReplicaId, ended: Ended): void {
    this.#ids.set(replica, ended)
    this.#open.add(replica)
  }

  #mark(replica: ReplicaId, isPruned: boolean): void {
    const ended = this.#ids.get(replica)
    if (ended === undefined) return
    ended.isPruned = isPruned
    if (isPruned) this.#open.delete(replica)
    else this.#open.add(replica)
  }

  #names(vector: VersionVector): boolean {
    for (const [replica] of vector.entries()) if (this.isPruned(replica)) return true
    return false
  }

  /** The end of a pruned id, by a writer that is not pruned itself. */
  #endOf(replica: ReplicaId): Dot {
    let dot: Dot = { replica, sequence: this.#ids.get(replica)?.end ?? 0 }
    for (let left = CHAIN_MAX; left > 0 && this.isPruned(dot.replica); left--) {
      const by: Dot | undefined = this.#ids.get(dot.replica)?.by[0]
      if (by === undefined) break
      dot = by
    }
    return dot
  }

  /** Whether whoever has seen `a` has seen what `b` names, ends of other ids left aside. */
  #says(a: VersionVector, b: VersionVector): boolean {
    const has = (replica: ReplicaId, sequence: number): boolean => a.includes(replica, sequence)
    return [...b.entries()].every(
      ([replica, sequence]) => has(replica, sequence) || this.isSeen(replica, has) || this.#isEnd(replica, sequence),
    )
  }

  #isEnd(replica: ReplicaId, sequence: number): boolean {
    for (const { by } of this.#ids.values()) if (by.some((dot) => isSame(dot, { replica, sequence }))) return true
    return false
  }
}

/** Whether a state of which that is said holds all of `needed`: it does not name what it has pruned. */
export function holdsAll(state: Readonly<{ vector: VersionVector; ended: EndedIds }>, needed: VersionVector): boolean {
  const { vector, ended } = state
  return [...needed.entries()].every(
    ([replica, sequence]) => vector.includes(replica, sequence) || ended.includes(replica, sequence),
  )
}

export function endPayload(ends: readonly (readonly [ReplicaId, number])[], table: IdBytes): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(ends.length)
  for (const [replica, end] of ends) {
    writer.raw(table.bytes(replica))
    writer.varint(end)
  }
  return writer.take()
}

function isSame(a: Dot, b: Dot): boolean {
  return a.sequence === b.sequence && a.replica === b.replica
}
