/** The body of a digest, there and back. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { writeVector } from '../../operation/envelope/vector-entries.ts'
import type { Digest } from './frames.ts'
import type { IdReader } from './id-reader.ts'

const DIGEST_REPLY = 1

export function writeDigest(writer: ByteWriter, digest: Digest, table: ReplicaTable): void {
  writer.u8(digest.reply ? DIGEST_REPLY : 0)
  writeVector(writer, digest.applied.sorted(), table)
  writeVector(writer, digest.floor.sorted(), table)
  writeVector(writer, digest.stable.sorted(), table)
  writer.varint(digest.heard.length)
  for (const replica of digest.heard) writer.raw(table.bytes(replica))
  writeVector(writer, digest.retired, table)
}

export function readDigest(reader: ByteReader, ids: IdReader): Digest {
  const flags = reader.u8()
  const applied = ids.vector(reader)
  const floor = ids.vector(reader)
  const stable = ids.vector(reader)
  const count = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES)
  const heard: ReplicaId[] = []
  for (let i = 0; i < count; i++) heard.push(ids.replica(reader))
  const retired = ids.entries(reader, 0)
  return { reply: (flags & DIGEST_REPLY) !== 0, applied, floor, stable, heard, retired }
}
