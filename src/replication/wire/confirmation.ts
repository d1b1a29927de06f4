/** The bodies of a confirmation and of a roll call, there and back. Later versions may add to both. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Confirmation, RollCall } from './frames.ts'
import type { IdReader } from './id-reader.ts'

export function writeConfirmation(writer: ByteWriter, confirmation: Confirmation, table: ReplicaTable): void {
  writer.raw(table.bytes(confirmation.replica))
  writer.varint(confirmation.applied)
  writer.varint(confirmation.own)
  writer.varint(confirmation.stable)
}

export function readConfirmation(reader: ByteReader, ids: IdReader): Confirmation {
  const replica = ids.replica(reader)
  return { replica, applied: reader.varint(), own: reader.varint(), stable: reader.varint() }
}

export function writeRollCall(writer: ByteWriter, rollCall: RollCall): void {
  const { anchor, acknowledged, stable, announced, through } = rollCall
  writer.varint(anchor)
  writer.varint(acknowledged)
  writer.varint(stable)
  writer.varint(announced)
  writer.varint(through.length)
  for (const [index, sequence] of through) {
    writer.varint(index)
    writer.varint(sequence)
  }
}

export function readRollCall(reader: ByteReader): RollCall {
  const [anchor, acknowledged] = [reader.varint(), reader.varint()]
  const [stable, announced] = [reader.varint(), reader.varint()]
  const count = reader.count(VECTOR_ENTRIES_MAX, 2)
  const through: (readonly [number, number])[] = []
  for (let i = 0; i < count; i++) through.push([reader.varint(), reader.varint()])
  return { anchor, acknowledged, stable, announced, through }
}
