/** The bodies of the two frames about how long leases have left, there and back. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { LIFE_MS_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import { isLeaseId, LEASE_ID_BYTES } from '../../operation/leases/lease-note.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { LeaseLeft } from '../../ports/talk/lease-times.ts'
import { LEASES_PER_FRAME_MAX, type LeaseLeftFrame, type LeaseWantedFrame } from './frames.ts'
import type { IdReader } from './id-reader.ts'

const LEASE_TEXT_BYTES = 2 * LEASE_ID_BYTES + 1

export function writeLeaseWanted(writer: ByteWriter, { number, leases }: LeaseWantedFrame): void {
  writer.varint(number)
  writer.varint(leases.length)
  for (const lease of leases) writer.text(lease)
}

export function readLeaseWanted(reader: ByteReader): LeaseWantedFrame {
  const number = reader.varint()
  const leases: string[] = []
  for (let left = reader.count(LEASES_PER_FRAME_MAX, LEASE_TEXT_BYTES); left > 0; left--) leases.push(readLease(reader))
  return { number, leases }
}

export function writeLeaseLeft(writer: ByteWriter, { number, lefts }: LeaseLeftFrame, table: ReplicaTable): void {
  writer.varint(number)
  writer.varint(lefts.length)
  for (const { lease, renewal, leftMs } of lefts) {
    writer.text(lease)
    writer.raw(table.bytes(renewal.replica))
    writer.varint(renewal.sequence)
    writer.varint(leftMs)
  }
}

export function readLeaseLeft(reader: ByteReader, ids: IdReader): LeaseLeftFrame {
  const number = reader.varint()
  const lefts: LeaseLeft[] = []
  const bytesEach = LEASE_TEXT_BYTES + REPLICA_ID_BYTES + 2
  for (let left = reader.count(LEASES_PER_FRAME_MAX, bytesEach); left > 0; left--) {
    const lease = readLease(reader)
    const renewal = { replica: ids.replica(reader), sequence: reader.varint() }
    const leftMs = reader.varint()
    if (renewal.sequence === 0 || leftMs > LIFE_MS_MAX) throw reader.malformed('what is left of a lease')
    lefts.push({ lease, renewal, leftMs })
  }
  return { number, lefts }
}

function readLease(reader: ByteReader): string {
  const lease = reader.text()
  if (!isLeaseId(lease)) throw reader.malformed('a lease with a name that is none')
  return lease
}
