/**
 * Who takes part no more, and who is away in order: the fold of the operations that say so.
 *
 *     leave = nothing                      the last operation of its writer, for good
 *     evict = count:varint (replica:8)*    these are waited for no more
 *     away  = ms:varint                    its writer closed in order and means to be back by then
 *     end   = count:varint (replica:8 end:varint)*   who has seen this has all of these, and nothing
 *                                          of them is still to come (ended-ids.ts)
 *
 * To leave and to be evicted is final: an id that is used by somebody all the same is given up for
 * another one. Who is evicted and has not heard of it counts for as long as it is heard. To be away
 * ends with the next operation.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { LIFE_MS_MAX, VECTOR_ENTRIES_MAX } from '../limits.ts'
import { ByteReader } from './byte-reader.ts'
import type { EndedIds } from './ended-ids.ts'
import { OPERATION_KIND } from './envelope/kinds.ts'
import type { OperationReader } from './envelope/operation-reader.ts'
import type { VectorEntries } from './envelope/vector-entries.ts'
import type { ReplicaTable } from './replica-table.ts'

export type Departure = 'left' | 'evicted'

/** What one operation says. */
export type DepartureNote =
  | { readonly kind: Departure; readonly replicas: readonly ReplicaId[] }
  | { readonly kind: 'ended'; readonly ends: VectorEntries }
  | { readonly kind: 'away'; readonly replica: ReplicaId; readonly sequence: number; readonly ms: number }

interface Absence {
  /** The operation that says so; a later one ends it. */
  readonly sequence: number
  readonly ms: number
}

export class Departures {
  readonly #departed = new Map<ReplicaId, Departure>()
  readonly #away = new Map<ReplicaId, Absence>()

  take(note: Exclude<DepartureNote, { readonly kind: 'ended' }>): void {
    if (note.kind === 'away') {
      const { replica, sequence, ms } = note
      if (sequence > (this.#away.get(replica)?.sequence ?? 0)) this.#away.set(replica, { sequence, ms })
      return
    }
    for (const replica of note.replicas) {
      if (!this.#departed.has(replica)) this.#departed.set(replica, note.kind)
      this.#away.delete(replica)
    }
  }

  of(replica: ReplicaId): Departure | undefined {
    return this.#departed.get(replica)
  }

  /** Those that have left for good. */
  *left(): IterableIterator<ReplicaId> {
    for (const [replica, kind] of this.#departed) if (kind === 'left') yield replica
  }

  /** Nobody has to be told of them any more. */
  forget(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) {
      this.#departed.delete(replica)
      this.#away.delete(replica)
    }
  }

  /** How long it means to be away, if the newest of its operations that is `applied` says so. */
  awayMs(replica: ReplicaId, applied: VersionVector): number | undefined {
    const absence = this.#away.get(replica)
    return absence?.sequence === applied.get(replica) ? absence.ms : undefined
  }

  get isEmpty(): boolean {
    return this.#departed.size === 0 && this.#away.size === 0
  }

  /** Takes over what another replica knows. */
  join(other: Departures): void {
    for (const [replica, kind] of other.#departed) this.take({ kind, replicas: [replica] })
    for (const [replica, { sequence, ms }] of other.#away) this.take({ kind: 'away', replica, sequence, ms })
  }

  /** `count:varint (replica:8 kind:u8)* count:varint (replica:8 sequence:varint ms:varint)*`. */
  write(writer: ByteWriter, table: ReplicaTable): void {
    writer.varint(this.#departed.size)
    for (const [replica, kind] of this.#departed) {
      writer.raw(table.bytes(replica))
      writer.u8(kind === 'left' ? 1 : 2)
    }
    writer.varint(this.#away.size)
    for (const [replica, { sequence, ms }] of this.#away) {
      writer.raw(table.bytes(replica))
      writer.varint(sequence)
      writer.varint(ms)
    }
  }

  static read(reader: ByteReader, table: ReplicaTable): Departures {
    const departures = new Departures()
    for (let left = reader.varint(); left > 0; left--) {
      const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
      departures.take({ kind: reader.u8() === 1 ? 'left' : 'evicted', replicas: [replica] })
    }
    for (let left = reader.varint(); left > 0; left--) {
      const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
      departures.take({ kind: 'away', replica, sequence: reader.varint(), ms: reader.varint() })
    }
    return departures
  }
}

/** An operation that says so has been applied. */
export function takeDeparture(
  note: DepartureNote,
  by: Dot,
  { departures, ended }: { readonly departures: Departures; readonly ended: EndedIds },
): void {
  if (note.kind === 'ended') {
    const { replica, sequence } = by
    for (const [over, end] of note.ends) ended.note(over, end, { replica, sequence })
  } else if (note.kind === 'away') departures.take(note)
  else departures.take({ ...note, replicas: note.replicas.filter((replica) => !ended.isPruned(replica)) })
}

export function evictPayload(replicas: readonly ReplicaId[], table: ReplicaTable): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(replicas.length)
  for (const replica of replicas) writer.raw(table.bytes(replica))
  return writer.take()
}

export function awayPayload(ms: number): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(ms)
  return writer.take()
}

/**
 * What an operation says of who takes part; `undefined` if nothing. Throws `WARP_E_PROTOCOL` if it
 * is malformed: the border asks, so what is in a log is well formed.
 */
export function departureIn(operation: OperationReader, table: ReplicaTable): DepartureNote | undefined {
  const { kind, replica, sequence, bytes, payloadStart, end } = operation
  const reader = new ByteReader(bytes, payloadStart, end)
  switch (kind) {
    case OPERATION_KIND.leave:
      reader.mustBeAtEnd()
      return { kind: 'left', replicas: [replica] }
    case OPERATION_KIND.evict: {
      const replicas: ReplicaId[] = []
      for (let left = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES); left > 0; left--)
        replicas.push(table.read(bytes, reader.skip(REPLICA_ID_BYTES)))
      reader.mustBeAtEnd()
      return { kind: 'evicted', replicas }
    }
    case OPERATION_KIND.end: {
      const ends: [ReplicaId, number][] = []
      for (let left = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES); left > 0; left--)
        ends.push([table.read(bytes, reader.skip(REPLICA_ID_BYTES)), reader.varint()])
      reader.mustBeAtEnd()
      return { kind: 'ended', ends }
    }
    case OPERATION_KIND.away: {
      const ms = reader.varint()
      if (ms > LIFE_MS_MAX) throw reader.malformed(`an absence of ${ms} ms`)
      reader.mustBeAtEnd()
      return { kind: 'away', replica, sequence, ms }
    }
    default:
      return undefined
  }
}
