/**
 * What members say before there are keys: knock, cookie and announcement. All that they carry is
 * who speaks which versions, and a proof that an address can be reached. Layouts: `packets.ts`.
 */
import type { MemberId } from '../contacts/contact.ts'
import { bytesOfHex, hexOf } from '../hex.ts'
import type { ClusterKey } from './cluster-keys.ts'
import { COOKIE_BYTES } from './cookies.ts'
import { HEAD_BYTES, type OpenPacketType, authenticate, openPacket, readU32, writeU32 } from './packets.ts'
import type { Versions } from './versions.ts'

export const NONCE_BYTES = 16

const INDEX_BYTES = 4
const MEMBER_BYTES = 8
const NONCE_AT = HEAD_BYTES + INDEX_BYTES
const COOKIE_AT = HEAD_BYTES + INDEX_BYTES
const ANNOUNCED_NONCE_AT = HEAD_BYTES + MEMBER_BYTES

/** What a greeter chooses for one handshake. */
export interface Knock {
  /** What others put on packets to it. */
  readonly index: number
  /** 16 random bytes, which show that an answer is one. */
  readonly nonce: Uint8Array
}

export function knockPacket(key: ClusterKey, versions: Versions, knock: Knock): Uint8Array {
  const bytes = begin('knock', key, versions)
  writeKnock(bytes, knock)
  return authenticate(key, bytes)
}

/** Knock and greeting begin alike. */
export function writeKnock(bytes: Uint8Array, { index, nonce }: Knock): void {
  writeU32(bytes, HEAD_BYTES, index)
  bytes.set(nonce, NONCE_AT)
}

export function knockIn(bytes: Uint8Array): Knock {
  return { index: indexIn(bytes), nonce: bytes.slice(NONCE_AT, NONCE_AT + NONCE_BYTES) }
}

/** What a cookie is good for besides the address. */
export function boundIn(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_BYTES, NONCE_AT + NONCE_BYTES)
}

/** The greeter's index in a packet of any type but an announcement. */
export function indexIn(bytes: Uint8Array): number {
  return readU32(bytes, HEAD_BYTES)
}

export function cookiePacket(
  key: ClusterKey,
  versions: Versions,
  { knock, cookie }: { readonly knock: Knock; readonly cookie: Uint8Array },
): Uint8Array {
  const bytes = begin('cookie', key, versions)
  writeU32(bytes, HEAD_BYTES, knock.index)
  bytes.set(cookie, COOKIE_AT)
  return authenticate(key, bytes, knock.nonce)
}

export function cookieIn(bytes: Uint8Array): Uint8Array {
  return bytes.slice(COOKIE_AT, COOKIE_AT + COOKIE_BYTES)
}

export function announcementPacket(
  key: ClusterKey,
  versions: Versions,
  { member, nonce }: { readonly member: MemberId; readonly nonce: Uint8Array },
): Uint8Array {
  const bytes = begin('announcement', key, versions)
  bytes.set(bytesOfHex(member), HEAD_BYTES)
  bytes.set(nonce, ANNOUNCED_NONCE_AT)
  return authenticate(key, bytes)
}

export function announcedIn(bytes: Uint8Array): MemberId {
  return hexOf(bytes.subarray(HEAD_BYTES, HEAD_BYTES + MEMBER_BYTES))
}

function begin(type: OpenPacketType, key: ClusterKey, versions: Versions): Uint8Array {
  return openPacket({ type, version: versions.newest, versions, keyId: key.id })
}
