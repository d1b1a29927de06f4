/**
 * What a member says of itself in a handshake, under the keys of the moment:
 *
 *     member:8 zone:text count:u8 role:text* padding     text = bytes:varint UTF-8, no control characters
 *
 * Padded with zeros to one length, so that the packets tell nothing by theirs.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ByteReader } from '../../../src/operation/byte-reader.ts'
import type { MemberProfile } from '../contacts/contact.ts'
import { bytesOfHex, hexOf } from '../hex.ts'
import { MEMBER_ID_BYTES, ROLES_MAX, ROLE_BYTES_MAX, ZONE_BYTES_MAX } from '../membership/member-record.ts'

const CONTROL_CHARACTER = /\p{Cc}/u

/** `bytes` long; `index`, if there is one, stands in front. */
export function encodeProfile({ member, zone, roles }: MemberProfile, bytes: number, index?: number): Uint8Array {
  const writer = new ByteWriter(bytes)
  if (index !== undefined) writer.u32(index)
  writer.raw(bytesOfHex(member))
  writer.text(zone)
  writer.u8(roles.length)
  for (const role of roles) writer.text(role)
  const padded = new Uint8Array(bytes)
  padded.set(writer.take())
  return padded
}

/** Throws `WARP_E_PROTOCOL`. */
export function readProfile(reader: ByteReader): MemberProfile {
  const begin = reader.skip(MEMBER_ID_BYTES)
  const member = hexOf(reader.bytes.subarray(begin, begin + MEMBER_ID_BYTES))
  const zone = boundedText(reader, ZONE_BYTES_MAX)
  const count = reader.u8()
  if (count > ROLES_MAX) throw reader.malformed('too many roles')
  return { member, zone, roles: Array.from({ length: count }, () => boundedText(reader, ROLE_BYTES_MAX)) }
}

function boundedText(reader: ByteReader, bytesMax: number): string {
  const begin = reader.at
  const text = reader.text()
  // One byte of length in front: the bounds are below 128.
  if (reader.at - begin - 1 > bytesMax) throw reader.malformed('a text that is too long')
  // Shown to people in terminals.
  if (CONTROL_CHARACTER.test(text)) throw reader.malformed('a control character')
  return text
}
