/**
 * What members tell each other about members: who, in which state, where it proved to be, and what
 * it is for.
 *
 *     records  = count:varint (bytes:varint record)*                at most RECORDS_MAX
 *     record   = member:8 state:u8 incarnation:varint endpoint profile rest
 *     endpoint = 0:u8 | 4:u8 address:4 port:u16 | 6:u8 address:16 port:u16
 *     profile  = zone:text count:varint role:text*                  zone at most 64 bytes, at most 8 roles of 32 bytes
 *     text     = bytes:varint UTF-8                                  no control characters
 *     state    = 0 alive | 1 suspect | 2 down | 3 left
 *
 * `rest` belongs to later versions and is left alone. Everything else out of place is
 * `WARP_E_PROTOCOL`, before anything is kept. A member's endpoint is told by those who met it
 * there, never by itself: it cannot know how it looks from outside.
 *
 * The incarnation is SWIM's (Das, Gupta, Motivala 2002, 4.2): only the member itself raises it, to
 * refute that it is suspect or down.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { ByteReader } from '../../../src/operation/byte-reader.ts'
import type { MemberId, MemberProfile } from '../contacts/contact.ts'
import { formatIp, parseIp } from '../sockets/ip-address.ts'
import type { Endpoint } from '../sockets/network.ts'

export type MemberState = 'alive' | 'suspect' | 'down' | 'left'

export interface MemberRecord {
  readonly profile: MemberProfile
  readonly state: MemberState
  readonly incarnation: number
  /** Absent in what a member says of itself, and where the address means nothing to others. */
  readonly endpoint?: Endpoint
}

export const MEMBER_ID_BYTES = 8
export const ZONE_BYTES_MAX = 64
export const ROLES_MAX = 8
export const ROLE_BYTES_MAX = 32
export const INCARNATION_MAX = 0xffff_ffff
/** In one message. */
export const RECORDS_MAX = 64
/** The longest record with its length in front. */
export const RECORD_BYTES_MAX = 384

const STATES: readonly MemberState[] = ['alive', 'suspect', 'down', 'left']
const RECORD_BYTES_MIN = 13
const CONTROL_CHARACTER = /\p{Cc}/u

/** Writes as many of `records` as fit until `writer` has `end - start` bytes; returns how many. */
export function writeRecords(writer: ByteWriter, records: Iterable<MemberRecord>, bytesMax: number): number {
  const body = new ByteWriter(bytesMax)
  const scratch = new ByteWriter(RECORD_BYTES_MAX)
  let count = 0
  for (const record of records) {
    scratch.reset()
    writeRecord(scratch, record)
    // One byte for the count, two for the length.
    if (count === RECORDS_MAX || body.at + scratch.at + 3 > bytesMax) break
    body.varint(scratch.at)
    body.raw(scratch.bytes, 0, scratch.at)
    count++
  }
  writer.varint(count)
  writer.raw(body.bytes, 0, body.at)
  return count
}

export function readRecords(reader: ByteReader): MemberRecord[] {
  const count = reader.count(RECORDS_MAX, RECORD_BYTES_MIN)
  const records: MemberRecord[] = []
  for (let i = 0; i < count; i++) {
    const bytes = reader.varint()
    const begin = reader.skip(bytes)
    records.push(readRecord(new ByteReader(reader.bytes, begin, begin + bytes)))
  }
  return records
}

export function writeRecord(writer: ByteWriter, { profile, state, incarnation, endpoint }: MemberRecord): void {
  writeMemberId(writer, profile.member)
  writer.u8(STATES.indexOf(state))
  writer.varint(incarnation)
  writeEndpoint(writer, endpoint)
  writer.text(profile.zone)
  writer.varint(profile.roles.length)
  for (const role of profile.roles) writer.text(role)
}

export function readRecord(reader: ByteReader): MemberRecord {
  const member = readMemberId(reader)
  const state = STATES[reader.u8()]
  if (state === undefined) throw reader.malformed('an unknown state')
  const incarnation = reader.varint()
  if (incarnation > INCARNATION_MAX) throw reader.malformed('an incarnation beyond 2^32')
  const endpoint = readEndpoint(reader)
  const zone = readLabel(reader, ZONE_BYTES_MAX)
  const roles: string[] = []
  for (let left = reader.count(ROLES_MAX, 1); left > 0; left--) roles.push(readLabel(reader, ROLE_BYTES_MAX))
  return { profile: { member, zone, roles }, state, incarnation, ...(endpoint === undefined ? {} : { endpoint }) }
}

export function writeMemberId(writer: ByteWriter, member: MemberId): void {
  writer.u32(parseInt(member.slice(0, 8), 16))
  writer.u32(parseInt(member.slice(8), 16))
}

export function readMemberId(reader: ByteReader): MemberId {
  return hex(reader.u32()) + hex(reader.u32())
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}

function writeEndpoint(writer: ByteWriter, endpoint: Endpoint | undefined): void {
  const address = endpoint && parseIp(endpoint.host)
  if (address === undefined || endpoint === undefined) {
    writer.u8(0)
    return
  }
  writer.u8(address.length === 4 ? 4 : 6)
  writer.raw(address)
  writer.u8(endpoint.port >> 8)
  writer.u8(endpoint.port & 0xff)
}

function readEndpoint(reader: ByteReader): Endpoint | undefined {
  const family = reader.u8()
  if (family === 0) return undefined
  if (family !== 4 && family !== 6) throw reader.malformed('an unknown address family')
  const bytes = family === 4 ? 4 : 16
  const begin = reader.skip(bytes)
  const host = formatIp(reader.bytes.subarray(begin, begin + bytes))
  const port = (reader.u8() << 8) | reader.u8()
  if (port === 0) throw reader.malformed('port 0')
  return { host, port }
}

/** Shown to people in terminals, so nothing that would move their cursor. */
function readLabel(reader: ByteReader, bytesMax: number): string {
  const begin = reader.at
  const text = reader.text()
  if (reader.at - begin > bytesMax + 1) throw reader.malformed(`a label of more than ${bytesMax} bytes`)
  if (CONTROL_CHARACTER.test(text)) throw reader.malformed('a control character in a label')
  return text
}
