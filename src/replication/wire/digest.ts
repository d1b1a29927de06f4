/** The bodies of a digest and of a change of one, there and back. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { writeVector } from '../../operation/envelope/vector-entries.ts'
import type { Digest, DigestChange, DigestVectors } from './frames.ts'
import type { IdReader } from './id-reader.ts'

const DIGEST_FLAG = { reply: 1, number: 2 } as const
const CHANGE_FLAG = { reply: 1, asks: 2, asksWhole: 4, announcesAll: 8 } as const

/** `number`: by which changes refer to it; 0 if none will. */
export function writeDigest(writer: ByteWriter, digest: Digest, number: number, table: ReplicaTable): void {
  writer.u8((digest.reply ? DIGEST_FLAG.reply : 0) | (number === 0 ? 0 : DIGEST_FLAG.number))
  writeVectors(writer, digest, table)
  writer.varint(digest.heard.length)
  for (const replica of digest.heard) writer.raw(table.bytes(replica))
  writeVector(writer, digest.retired, table)
  if (number !== 0) writer.varint(number)
}

export function readDigest(reader: ByteReader, ids: IdReader): Digest & { readonly number: number } {
  const flags = reader.u8()
  const vectors = readVectors(reader, ids)
  const count = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES)
  const heard: ReplicaId[] = []
  for (let i = 0; i < count; i++) heard.push(ids.replica(reader))
  const retired = ids.entries(reader, 0)
  const number = (flags & DIGEST_FLAG.number) === 0 ? 0 : reader.varint()
  return { reply: (flags & DIGEST_FLAG.reply) !== 0, ...vectors, heard, retired, number }
}

export function writeDigestChange(writer: ByteWriter, change: DigestChange, table: ReplicaTable): void {
  const { reply, asks, anchor, count, announcesAll, risen } = change
  const asking =
    asks === 'nothing' ? 0 : asks === 'change' ? CHANGE_FLAG.asks : CHANGE_FLAG.asks | CHANGE_FLAG.asksWhole
  writer.u8((reply ? CHANGE_FLAG.reply : 0) | asking | (announcesAll ? CHANGE_FLAG.announcesAll : 0))
  writer.varint(anchor)
  writer.varint(count)
  writeVectors(writer, risen, table)
}

export function readDigestChange(reader: ByteReader, ids: IdReader): DigestChange {
  const flags = reader.u8()
  const [anchor, count] = [reader.varint(), reader.varint()]
  const risen = readVectors(reader, ids)
  const wanted = (flags & CHANGE_FLAG.asksWhole) === 0 ? 'change' : 'whole'
  const asks = (flags & CHANGE_FLAG.asks) === 0 ? 'nothing' : wanted
  const [reply, announcesAll] = [(flags & CHANGE_FLAG.reply) !== 0, (flags & CHANGE_FLAG.announcesAll) !== 0]
  return { reply, asks, anchor, count, announcesAll, risen }
}

function writeVectors(writer: ByteWriter, { applied, floor, stable }: DigestVectors, table: ReplicaTable): void {
  for (const vector of [applied, floor, stable]) writeVector(writer, vector.sorted(), table)
}

function readVectors(reader: ByteReader, ids: IdReader): DigestVectors {
  return { applied: ids.vector(reader), floor: ids.vector(reader), stable: ids.vector(reader) }
}
