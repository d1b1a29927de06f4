/** The body of a frame that tells of members, there and back. Later versions may add to it. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { writeVector } from '../../operation/envelope/vector-entries.ts'
import type { MemberRow } from '../wire/frames.ts'
import { readName } from '../wire/hello.ts'
import type { IdReader } from '../wire/id-reader.ts'

const FLAG_PERSISTENT = 1
const FLAG_DOWN = 2
/** With empty names and vectors. */
const ROW_BYTES_MIN = REPLICA_ID_BYTES + 10

export function writeMembers(writer: ByteWriter, members: readonly MemberRow[], table: ReplicaTable): void {
  writer.varint(members.length)
  for (const member of members) {
    writer.raw(table.bytes(member.replica))
    writer.u8((member.isPersistent ? FLAG_PERSISTENT : 0) | (member.isDown ? FLAG_DOWN : 0))
    writer.u8(member.format)
    writer.varint(member.silentMs)
    for (const text of [member.name, member.zone, member.region]) writer.text(text)
    writer.varint(member.through)
    writeVector(writer, member.acknowledged.sorted(), table)
    writeVector(writer, member.stable.sorted(), table)
    writeVector(writer, member.ended, table)
  }
}

export function readMembers(reader: ByteReader, ids: IdReader): MemberRow[] {
  const count = reader.count(VECTOR_ENTRIES_MAX, ROW_BYTES_MIN)
  const members: MemberRow[] = []
  while (members.length < count) members.push(readMember(reader, ids))
  return members
}

function readMember(reader: ByteReader, ids: IdReader): MemberRow {
  const replica = ids.replica(reader)
  const flags = reader.u8()
  const [isPersistent, isDown] = [(flags & FLAG_PERSISTENT) !== 0, (flags & FLAG_DOWN) !== 0]
  const [format, silentMs] = [reader.u8(), reader.varint()]
  const [name, zone] = [readName(reader, 'name'), readName(reader, 'zone')]
  const [region, through] = [readName(reader, 'region'), reader.varint()]
  const [acknowledged, stable] = [ids.vector(reader), ids.vector(reader)]
  return {
    ...{ replica, isPersistent, isDown, format, silentMs, name, zone, region, through, acknowledged, stable },
    ended: ids.entries(reader, 0),
  }
}
