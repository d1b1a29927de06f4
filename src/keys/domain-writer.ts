/**
 * Who writes here: for each order domain (`domain.ts`) a replica id and the number of its next
 * operation. Keys that never leave have an id of their own, so that the shared sequence has no
 * holes for others to wait for.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import { REPLICA_ID_BYTES, replicaIdFromBytes, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { isOrderedId } from '../operation/names/ordered-id.ts'
import { DOMAINS, type Domain } from './domain.ts'
import type { Env } from '../ports/env.ts'
import { PresentNames } from '../operation/names/present-names.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'

/** Where a writer begins: its id, and how many operations have been written under it. */
export interface WriterStart {
  readonly replica: ReplicaId
  readonly sequence: number
}

export interface WriterStarts {
  readonly shared: WriterStart
  readonly local: WriterStart
}

/** So many runs of names of operations that were issued again are remembered. */
const RENAMED_MAX = 65_536

export class DomainWriter {
  readonly domain: Domain
  readonly #table: ReplicaTable
  /**
   * Others whose operations have been applied since this writer's last one: the next one depends on
   * them.
   */
  readonly #changed = new Set<ReplicaId>()
  /** Changes when the replica takes a new identity. */
  replica: ReplicaId
  bytes: Uint8Array
  /** Operations written so far under this id. */
  sequence: number
  /** By the time of an ordered log: no operation stamped before is still to come. 0: that is not known. */
  reachedMs = 0
  /** Ids that it had earlier in this process, and how far it had written under them. */
  readonly #former = new Map<ReplicaId, number>()
  /** What it has issued again in this process: by the names that it had, the present ones. */
  #renamed = new PresentNames(RENAMED_MAX)

  constructor(domain: Domain, { replica, sequence }: WriterStart, table: ReplicaTable) {
    this.domain = domain
    this.#table = table
    this.replica = table.intern(replica)
    this.bytes = table.bytes(this.replica)
    this.sequence = sequence
  }

  /** An operation of another writer has been applied. */
  noteApplied(replica: ReplicaId): void {
    this.#changed.add(replica)
  }

  /** Those are known to whoever knows the operation that ended them. */
  forget(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) this.#changed.delete(replica)
  }

  /**
   * What the next operation depends on besides this writer's own previous one. Whoever gets it
   * waits for that.
   */
  dependencies(applied: VersionVector): VectorEntries | undefined {
    if (this.#changed.size === 0 || !this.domain.isSent) return undefined
    return [...this.#changed].map((replica) => [replica, applied.get(replica)] as const)
  }

  /** The operation has been written. */
  advance(): void {
    this.sequence++
    if (this.#changed.size > 0) this.#changed.clear()
  }

  /**
   * Whether it has written that operation, under its present id or one that it had earlier in this
   * process.
   */
  hasWritten({ replica, sequence }: Dot): boolean {
    const last = replica === this.replica ? this.sequence : (this.#former.get(replica) ?? 0)
    return Number.isInteger(sequence) && sequence >= 1 && sequence <= last
  }

  /** What was issued as `former` has been issued again as `present`. */
  noteRenamed(former: Dot, present: Dot): void {
    this.#renamed.note(former, present)
  }

  /** An operation's name under the present id; `undefined` if it has none. */
  presentName(dot: Dot): Dot | undefined {
    const name = this.#renamed.of(dot) ?? dot
    return name.replica === this.replica ? name : undefined
  }

  /**
   * Writes under another id from now on. Its first operation depends on everything `applied`, on
   * the old id's among it.
   */
  rename(replica: ReplicaId, applied: VersionVector): void {
    this.#former.set(this.replica, this.sequence)
    this.replica = this.#table.intern(replica)
    this.bytes = this.#table.bytes(this.replica)
    this.sequence = 0
    this.#changed.clear()
    for (const [other] of applied.entries()) this.#changed.add(other)
  }

  /** Goes on as another writer has written, which is not to write any more. */
  become(other: DomainWriter): void {
    this.#former.set(this.replica, this.sequence)
    this.replica = other.replica
    this.bytes = other.bytes
    this.sequence = other.sequence
    this.#changed.clear()
    for (const replica of other.#changed) this.#changed.add(replica)
    this.#renamed = other.#renamed
  }
}

/** The writers of one replica. */
export class DomainWriters {
  readonly shared: DomainWriter
  readonly local: DomainWriter
  /** By the domain's index. */
  readonly #list: (DomainWriter | undefined)[]
  /** Those of an ordered log, one for each of its partitions. */
  readonly #ordered = new Map<ReplicaId, DomainWriter>()

  constructor(starts: WriterStarts, table: ReplicaTable) {
    this.shared = new DomainWriter(DOMAINS.shared, starts.shared, table)
    this.local = new DomainWriter(DOMAINS.local, starts.local, table)
    this.#list = [this.shared, this.local]
  }

  /** Under which id of an ordered log operations are numbered from now on: that of a partition. */
  order(writer: DomainWriter): void {
    if (this.#list[DOMAINS.ordered.index] === writer) return
    this.#list[DOMAINS.ordered.index] = writer
    this.#ordered.set(writer.replica, writer)
  }

  /** How many operations an ordered log has given under that id; 0 for ids that are none of its. */
  orderedThrough(replica: ReplicaId): number {
    return this.#ordered.get(replica)?.sequence ?? 0
  }

  /** How far the time of the ordered log has come that has given an operation under that id; 0: not known. */
  reachedMs(replica: ReplicaId): number {
    return this.#ordered.get(replica)?.reachedMs ?? 0
  }

  of(domain: Domain): DomainWriter {
    return this.#list[domain.index] as DomainWriter
  }

  /** Whether there may be operations here that replication does not send. */
  get keepsAny(): boolean {
    return this.local.sequence > 0 || this.#list[DOMAINS.ordered.index] !== undefined
  }

  /** The writer of an operation; `undefined` if it is none of this replica's. */
  ofDot(dot: Dot): DomainWriter | undefined {
    return this.#list.find((writer) => writer?.hasWritten(dot) === true)
  }

  /** Whether this replica writes under that id. */
  isOwn(replica: ReplicaId): boolean {
    return this.#list.some((writer) => writer?.replica === replica)
  }

  /**
   * Whether replication may send operations under that id: all but those of a writer here whose domain
   * keeps them, and those that an ordered log gives to everybody.
   */
  isSent(replica: ReplicaId): boolean {
    if (replica === this.shared.replica) return true
    return replica !== this.local.replica && !isOrderedId(replica)
  }
}

/**
 * A fresh id. Its lowest bit is clear: the same id with that bit set is left to the replica's will.
 */
export function newReplicaId(env: Env): ReplicaId {
  const bytes = env.random(REPLICA_ID_BYTES)
  const last = REPLICA_ID_BYTES - 1
  bytes[last] = (bytes[last] as number) & 0xfe
  const id = replicaIdFromBytes(bytes)
  return isOrderedId(id) ? newReplicaId(env) : id
}
