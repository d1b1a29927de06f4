/**
 * The packets by which two members agree on a session. Both prove that they hold the cluster key
 * and that they can be reached where they send from; each brings a fresh nonce, so the session is
 * new to both, and an old packet played again leads nowhere.
 *
 * ```
 * initiator                                   responder
 *   greeting(nonce, no cookie)        ──►       cookie valid? no: keeps nothing
 *                                     ◄──     cookie
 *   greeting(nonce, cookie)           ──►       session, unconfirmed
 *                                     ◄──     welcome(nonce)
 *   sealed                            ──►       session confirmed
 * ```
 *
 * The text of greeting and welcome (who the member is) is sealed with a key that is the MAC of
 * everything in front of it, so a key seals one text only and the head is authenticated; the nonce
 * of that AEAD is zero. Not offered: forward secrecy. Who records packets and later learns the
 * cluster key can read them, so replace it now and then.
 */
import { type KeyObject, createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { ByteReader } from '../../../src/operation/byte-reader.ts'
import type { ClusterKey } from './cluster-keys.ts'
import type { MemberId, MemberProfile } from '../contacts/contact.ts'
import { COOKIE_BYTES } from './cookies.ts'
import { bytesOfHex, hexOf } from '../hex.ts'
import { ROLES_MAX, ROLE_BYTES_MAX, ZONE_BYTES_MAX } from '../membership/member-record.ts'
import {
  COOKIE_PACKET_BYTES,
  GREETING_BYTES,
  HEAD_BYTES,
  PACKET,
  TAG_BYTES,
  openPacket,
  readU32,
  writeU32,
} from './packets.ts'
import type { SessionSecrets } from '../contacts/session.ts'

export const NONCE_BYTES = 16

const ALGORITHM = 'aes-256-gcm'
const ZERO_NONCE = new Uint8Array(12)
const MEMBER_BYTES = 8
const SECRET_BYTES = 32
const CONTROL_CHARACTER = /\p{Cc}/u

const GREETING_AT = { member: 8, index: 16, nonce: 20, cookie: 36, sealed: 52 } as const
const COOKIE_AT = { index: 8, cookie: 12, mac: 28 } as const
const WELCOME_AT = { greeterIndex: 8, member: 12, index: 20, nonce: 24, sealed: 40 } as const
const ANNOUNCEMENT_AT = { member: 8, nonce: 16, mac: 32 } as const

/** One side's part of a handshake. */
export interface Introduction {
  readonly profile: MemberProfile
  /** What the other side puts on sealed packets to this one. */
  readonly index: number
  readonly nonce: Uint8Array
}

export interface Greeting extends Introduction {
  readonly cookie: Uint8Array
  /** The member and its nonce, as a cookie is bound to them. */
  readonly bound: Uint8Array
}

export const NO_COOKIE: Uint8Array = new Uint8Array(COOKIE_BYTES)

export function sealGreeting(key: ClusterKey, from: Introduction, cookie: Uint8Array): Uint8Array {
  const bytes = openPacket(PACKET.greeting, key.id, GREETING_BYTES)
  bytes.set(bytesOfHex(from.profile.member), GREETING_AT.member)
  writeU32(bytes, GREETING_AT.index, from.index)
  bytes.set(from.nonce, GREETING_AT.nonce)
  bytes.set(cookie, GREETING_AT.cookie)
  sealProfile(bytes, GREETING_AT.sealed, mac(key.greeting, bytes.subarray(0, GREETING_AT.sealed)), from.profile)
  return bytes
}

/** `undefined`: not authentic. Of the right type and with a head that has been read. */
export function openGreeting(key: ClusterKey, bytes: Uint8Array): Greeting | undefined {
  if (bytes.length !== GREETING_BYTES) return undefined
  const member = hexOf(bytes.subarray(GREETING_AT.member, GREETING_AT.member + MEMBER_BYTES))
  const sealingKey = mac(key.greeting, bytes.subarray(0, GREETING_AT.sealed))
  const profile = openProfile(bytes, GREETING_AT.sealed, sealingKey, member)
  if (profile === undefined) return undefined
  return {
    profile,
    index: readU32(bytes, GREETING_AT.index),
    nonce: bytes.slice(GREETING_AT.nonce, GREETING_AT.nonce + NONCE_BYTES),
    cookie: bytes.slice(GREETING_AT.cookie, GREETING_AT.cookie + COOKIE_BYTES),
    bound: bytes.slice(GREETING_AT.member, GREETING_AT.cookie),
  }
}

/** The answer to `greeting`, for which its nonce is the proof that it has been received. */
export function cookiePacket(key: ClusterKey, to: Greeting, cookie: Uint8Array): Uint8Array {
  const bytes = openPacket(PACKET.cookie, key.id, COOKIE_PACKET_BYTES)
  writeU32(bytes, COOKIE_AT.index, to.index)
  bytes.set(cookie, COOKIE_AT.cookie)
  bytes.set(mac(key.cookie, bytes.subarray(0, COOKIE_AT.mac), to.nonce).subarray(0, TAG_BYTES), COOKIE_AT.mac)
  return bytes
}

/**
 * The greeter's index in a packet of type cookie or welcome, or `undefined` if its length is wrong.
 */
export function answeredIndex(bytes: Uint8Array): number | undefined {
  const length = bytes[3] === PACKET.cookie ? COOKIE_PACKET_BYTES : GREETING_BYTES
  return bytes.length === length ? readU32(bytes, HEAD_BYTES) : undefined
}

export function openCookie(key: ClusterKey, bytes: Uint8Array, greeted: Introduction): Uint8Array | undefined {
  const expected = mac(key.cookie, bytes.subarray(0, COOKIE_AT.mac), greeted.nonce).subarray(0, TAG_BYTES)
  if (!timingSafeEqual(bytes.subarray(COOKIE_AT.mac), expected)) return undefined
  return bytes.slice(COOKIE_AT.cookie, COOKIE_AT.cookie + COOKIE_BYTES)
}

export function sealWelcome(key: ClusterKey, from: Introduction, greeter: Introduction): Uint8Array {
  const bytes = openPacket(PACKET.welcome, key.id, GREETING_BYTES)
  writeU32(bytes, WELCOME_AT.greeterIndex, greeter.index)
  bytes.set(bytesOfHex(from.profile.member), WELCOME_AT.member)
  writeU32(bytes, WELCOME_AT.index, from.index)
  bytes.set(from.nonce, WELCOME_AT.nonce)
  sealProfile(bytes, WELCOME_AT.sealed, welcomeKey(key, bytes, greeter), from.profile)
  return bytes
}

export function openWelcome(key: ClusterKey, bytes: Uint8Array, greeter: Introduction): Introduction | undefined {
  const member = hexOf(bytes.subarray(WELCOME_AT.member, WELCOME_AT.member + MEMBER_BYTES))
  const profile = openProfile(bytes, WELCOME_AT.sealed, welcomeKey(key, bytes, greeter), member)
  if (profile === undefined) return undefined
  return {
    profile,
    index: readU32(bytes, WELCOME_AT.index),
    nonce: bytes.slice(WELCOME_AT.nonce, WELCOME_AT.nonce + NONCE_BYTES),
  }
}

export function announcementPacket(key: ClusterKey, member: MemberId, nonce: Uint8Array): Uint8Array {
  const bytes = openPacket(PACKET.announcement, key.id, GREETING_BYTES)
  bytes.set(bytesOfHex(member), ANNOUNCEMENT_AT.member)
  bytes.set(nonce, ANNOUNCEMENT_AT.nonce)
  bytes.set(mac(key.announcement, bytes.subarray(0, ANNOUNCEMENT_AT.mac)).subarray(0, TAG_BYTES), ANNOUNCEMENT_AT.mac)
  return bytes
}

/** The member that announces itself. */
export function openAnnouncement(key: ClusterKey, bytes: Uint8Array): MemberId | undefined {
  if (bytes.length !== GREETING_BYTES) return undefined
  const expected = mac(key.announcement, bytes.subarray(0, ANNOUNCEMENT_AT.mac)).subarray(0, TAG_BYTES)
  const { mac: at } = ANNOUNCEMENT_AT
  if (!timingSafeEqual(bytes.subarray(at, at + TAG_BYTES), expected)) return undefined
  return hexOf(bytes.subarray(ANNOUNCEMENT_AT.member, ANNOUNCEMENT_AT.member + MEMBER_BYTES))
}

/**
 * The secrets of the session that `initiator` and `responder` have agreed on, as one of them uses
 * them.
 */
export function sessionSecrets(
  key: ClusterKey,
  { initiator, responder }: { readonly initiator: Introduction; readonly responder: Introduction },
  isInitiator: boolean,
): SessionSecrets {
  const salt = new Uint8Array(2 * NONCE_BYTES)
  salt.set(initiator.nonce, 0)
  salt.set(responder.nonce, NONCE_BYTES)
  const context = `${initiator.profile.member} ${responder.profile.member}`
  const all = key.derive('session', 3 * SECRET_BYTES, { salt, context })
  const toResponder = all.slice(0, SECRET_BYTES)
  const toInitiator = all.slice(SECRET_BYTES, 2 * SECRET_BYTES)
  return {
    sending: isInitiator ? toResponder : toInitiator,
    receiving: isInitiator ? toInitiator : toResponder,
    stream: all.slice(2 * SECRET_BYTES),
  }
}

function welcomeKey(key: ClusterKey, bytes: Uint8Array, { nonce, profile }: Introduction): Uint8Array {
  return mac(key.welcome, bytes.subarray(0, WELCOME_AT.sealed), nonce, bytesOfHex(profile.member))
}

function mac(key: KeyObject, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** Fills `bytes` from `at` on; what the profile leaves over is zero. */
function sealProfile(bytes: Uint8Array, at: number, key: Uint8Array, { zone, roles }: MemberProfile): void {
  const writer = new ByteWriter(GREETING_BYTES)
  writer.text(zone)
  writer.u8(roles.length)
  for (const role of roles) writer.text(role)
  const text = new Uint8Array(bytes.length - at - TAG_BYTES)
  text.set(writer.take())
  const cipher = createCipheriv(ALGORITHM, key, ZERO_NONCE, { authTagLength: TAG_BYTES })
  bytes.set(cipher.update(text), at)
  cipher.final()
  bytes.set(cipher.getAuthTag(), bytes.length - TAG_BYTES)
}

function openProfile(bytes: Uint8Array, at: number, key: Uint8Array, member: MemberId): MemberProfile | undefined {
  const decipher = createDecipheriv(ALGORITHM, key, ZERO_NONCE, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  const text = decipher.update(bytes.subarray(at, bytes.length - TAG_BYTES))
  try {
    decipher.final()
    return readProfile(new ByteReader(text), member)
  } catch {
    // Not authentic, or from somebody with the key who does not keep to the grammar: the same to
    // us.
    return undefined
  }
}

function readProfile(reader: ByteReader, member: MemberId): MemberProfile {
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
