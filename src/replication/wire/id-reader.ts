/**
 * Reads replica ids and vectors out of frames. Ids are interned, and what peers can make us
 * remember has a bound: that of the table, which is not the engine's own.
 */
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import { ReplicaTable } from '../../operation/replica-table.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'

export class IdReader {
  readonly #table = new ReplicaTable()

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
    return this.#table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  }
}
