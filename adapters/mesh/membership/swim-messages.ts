/**
 * The bodies of the membership messages (kinds: `messages.ts`). Big endian; what follows a body
 * belongs to later versions.
 *
 *     ping         = sequence:u32 records
 *     ack          = sequence:u32 wallMs:f64 records       wallMs: the sender's wall clock; NaN: a relayed answer, tells no time
 *     ping-request = sequence:u32 target:8 records          answered by an ack with this sequence once `target` has answered
 *     records      = records
 *     leave        =
 *     records      : member-record.ts
 *
 * Every body is at most BODY_BYTES_MAX long, so that it fits the smallest datagram that the mesh
 * can be told to use.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { ByteReader } from '../../../src/operation/byte-reader.ts'
import type { MemberId } from '../contacts/contact.ts'
import { type MemberRecord, readMemberId, readRecords, writeMemberId, writeRecords } from './member-record.ts'

/** 576 less the heads of datagram and message and the seal, rounded down. */
export const BODY_BYTES_MAX = 512

export interface Ping {
  readonly sequence: number
  readonly records: readonly MemberRecord[]
}

export interface Ack extends Ping {
  /** Absent in an answer that was relayed. */
  readonly wallMs?: number
}

export interface PingRequest extends Ping {
  readonly target: MemberId
}

const WALL_MS_MAX = 8.64e15

export function encodePing({ sequence, records }: Ping): Uint8Array {
  const writer = new ByteWriter(BODY_BYTES_MAX)
  writer.u32(sequence)
  return withRecords(writer, records)
}

export function decodePing(bytes: Uint8Array): Ping {
  const reader = new ByteReader(bytes)
  return { sequence: reader.u32(), records: readRecords(reader) }
}

export function encodeAck({ sequence, wallMs = NaN, records }: Ack): Uint8Array {
  const writer = new ByteWriter(BODY_BYTES_MAX)
  writer.u32(sequence)
  writer.f64(wallMs)
  return withRecords(writer, records)
}

export function decodeAck(bytes: Uint8Array): Ack {
  const reader = new ByteReader(bytes)
  const sequence = reader.u32()
  const wallMs = reader.f64()
  if (Math.abs(wallMs) > WALL_MS_MAX) throw reader.malformed('a time that no clock shows')
  return { sequence, records: readRecords(reader), ...(Number.isNaN(wallMs) ? {} : { wallMs }) }
}

export function encodePingRequest({ sequence, target, records }: PingRequest): Uint8Array {
  const writer = new ByteWriter(BODY_BYTES_MAX)
  writer.u32(sequence)
  writeMemberId(writer, target)
  return withRecords(writer, records)
}

export function decodePingRequest(bytes: Uint8Array): PingRequest {
  const reader = new ByteReader(bytes)
  return { sequence: reader.u32(), target: readMemberId(reader), records: readRecords(reader) }
}

/** As many messages as it takes. */
export function encodeRecords(records: readonly MemberRecord[]): Uint8Array[] {
  const bodies: Uint8Array[] = []
  for (let at = 0; at < records.length;) {
    const writer = new ByteWriter(BODY_BYTES_MAX)
    // At least one: a record that is longer than records can be is left out rather than tried for
    // ever.
    at += Math.max(1, writeRecords(writer, records.slice(at), BODY_BYTES_MAX))
    bodies.push(writer.take())
  }
  return bodies
}

export function decodeRecords(bytes: Uint8Array): MemberRecord[] {
  return readRecords(new ByteReader(bytes))
}

/** What does not fit is left out: gossip offers it again. */
function withRecords(writer: ByteWriter, records: readonly MemberRecord[]): Uint8Array {
  writeRecords(writer, records, BODY_BYTES_MAX - writer.at)
  return writer.take()
}
