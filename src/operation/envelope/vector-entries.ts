/** Version vectors as bytes: `vector = count:varint (replica:8 sequence:varint)*`. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ReplicaTable } from '../replica-table.ts'

export type VectorEntries = readonly (readonly [ReplicaId, number])[]

export function writeVector(writer: ByteWriter, entries: VectorEntries, table: ReplicaTable): void {
  writer.varint(entries.length)
  writeEntries(writer, entries, table)
}

export function writeEntries(writer: ByteWriter, entries: VectorEntries, table: ReplicaTable): void {
  for (const [replica, sequence] of entries) {
    writer.raw(table.bytes(replica))
    writer.varint(sequence)
  }
}
