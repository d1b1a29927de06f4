/**
 * Reads replica ids and vectors out of frames. Ids are interned, and what peers can make us
 * remember has a bound.
 */
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import { ReplicaTable } from '../../operation/replica-table.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'

/** Ids that are interned before the reader starts afresh. */
const INTERNED_IDS_MAX = 65_536

export class IdReader {
  #table = new ReplicaTable()
  #internedCount = 0

  vector(reader: ByteReader): VersionVector {
    return VersionVector.from(this.entries(reader, 1))
  }

  entries(reader: ByteReader, sequenceMin: number): VectorEntries {
    const count = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES + 1)
    const entries: (readonly [ReplicaId, number])[] = []
    let previous = ''
    for (let i = 0; i < count; i++) {
      const replica = this.replica(reader)
      const sequence = reader.varint()
      if (replica <= previous || sequence < sequenceMin) throw reader.malformed('a vector out of order')
      entries.push([replica, sequence])
      previous = replica
    }
    return entries
  }

  replica(reader: ByteReader): ReplicaId {
    const at = reader.skip(REPLICA_ID_BYTES)
    if (++this.#internedCount > INTERNED_IDS_MAX) {
      this.#table = new ReplicaTable()
      this.#internedCount = 0
    }
    return this.#table.read(reader.bytes, at)
  }
}
