/**
 * The bodies of the two frames of acknowledgements, there and back: what a replica waits for, and
 * how far another one holds it.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { AckLevel } from '../../store/write-road/acknowledgement.ts'
import { ACKNOWLEDGEMENTS_MAX, type HeldOperations, type WantedAcknowledgement } from './frames.ts'
import type { IdReader } from './id-reader.ts'

/** By their codes. */
const LEVELS: readonly AckLevel[] = ['memory', 'logged', 'durable']

export function writeWanted(writer: ByteWriter, wanted: readonly WantedAcknowledgement[], table: ReplicaTable): void {
  writer.varint(wanted.length)
  for (const { replica, level, through } of wanted) {
    writer.raw(table.bytes(replica))
    writer.u8(LEVELS.indexOf(level))
    writer.varint(through)
  }
}

export function readWanted(reader: ByteReader, ids: IdReader): WantedAcknowledgement[] {
  const count = reader.count(ACKNOWLEDGEMENTS_MAX, REPLICA_ID_BYTES + 2)
  const wanted: WantedAcknowledgement[] = []
  for (let i = 0; i < count; i++) {
    const replica = ids.replica(reader)
    const level = LEVELS[reader.u8()]
    const through = reader.varint()
    if (level === undefined) throw reader.malformed('a level of acknowledgement that there is not')
    if (through === 0) throw reader.malformed('an acknowledgement of nothing asked for')
    wanted.push({ replica, level, through })
  }
  reader.mustBeAtEnd()
  return wanted
}

export function writeHeld(writer: ByteWriter, held: readonly HeldOperations[], table: ReplicaTable): void {
  writer.varint(held.length)
  for (const { replica, memory, logged, durable } of held) {
    writer.raw(table.bytes(replica))
    writer.varint(memory)
    writer.varint(logged)
    writer.varint(durable)
  }
}

export function readHeld(reader: ByteReader, ids: IdReader): HeldOperations[] {
  const count = reader.count(ACKNOWLEDGEMENTS_MAX, REPLICA_ID_BYTES + 3)
  const held: HeldOperations[] = []
  for (let i = 0; i < count; i++) {
    const replica = ids.replica(reader)
    const [memory, logged, durable] = [reader.varint(), reader.varint(), reader.varint()]
    held.push({ replica, memory, logged, durable })
  }
  reader.mustBeAtEnd()
  return held
}
