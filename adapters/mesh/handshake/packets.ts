/**
 * What a datagram of the mesh looks like from outside. Two families: packets that anybody may send,
 * which begin with a magic number, and sealed ones, which name a session.
 *
 * ```
 * open(t)  = 'W' 'm' version:u8 t:u8 key-id:u32 oldest:u8 newest:u8     (numbers big endian; key-id names a cluster key)
 * knock    = open(6) index:u32 nonce:16 mac:16                                             46 bytes
 * cookie   = open(2) index:u32 cookie:16 mac:16                                            46 bytes
 * greeting = open(1) index:u32 nonce:16 cookie:16 message-1 mac:16                        512 bytes
 * welcome  = open(3) index:u32 message-2 mac:16                                           512 bytes
 * announce = open(5) member:8 nonce:16 mac:16                                              50 bytes
 * sealed   = 4:u8 version:u8 0:u16 index:u32 counter:u64 AEAD(messages)                  at most datagramBytesMax bytes
 * ```
 *
 * `index` is the greeter's in all of them. No answer is longer than what it answers.
 *
 * `mac` is HMAC-SHA-256, cut to 16 bytes, of all that stands before it, and of the greeter's nonce
 * in what answers the greeter. Its key comes from the cluster key: it keeps strangers from costing
 * more than one hash, as the first MAC of WireGuard does, and proves no more than that. What a
 * session rests on is in the two messages of Noise (`handshake.ts`).
 *
 * Knock, cookie and announcement are the same in every version of the mesh.
 */
import { type KeyObject, createHmac, timingSafeEqual } from 'node:crypto'
import type { ClusterKey } from './cluster-keys.ts'
import type { Versions } from './versions.ts'

export const PACKET = { greeting: 1, cookie: 2, welcome: 3, sealed: 4, announcement: 5, knock: 6 } as const
export type OpenPacketType = Exclude<keyof typeof PACKET, 'sealed'>

export const HEAD_BYTES = 10
export const MAC_BYTES = 16
/** The longest of the open packets. */
export const GREETING_BYTES = 512

const OPEN_PACKET_BYTES: Readonly<Record<OpenPacketType, number>> = {
  knock: 46,
  cookie: 46,
  greeting: GREETING_BYTES,
  welcome: GREETING_BYTES,
  announcement: 50,
}

export const SEALED_HEAD_BYTES = 16
export const TAG_BYTES = 16
export const SEALED_OVERHEAD_BYTES: number = SEALED_HEAD_BYTES + TAG_BYTES

const MAGIC_0 = 0x57
const MAGIC_1 = 0x6d
/** The first bytes of a packet of the first version, which has no `oldest` and `newest`. */
const FIRST_HEAD_BYTES = 8
const NOTHING = new Uint8Array(0)

export interface PacketHead {
  readonly type: OpenPacketType
  /** What the packet is written in. */
  readonly version: number
  /** What its sender speaks. */
  readonly versions: Versions
  readonly keyId: number
}

/**
 * The head of an open packet, or `undefined` if it is none of the mesh's, or not as long as one of
 * its type. Of the first version there is nothing but the head: its type is that of a knock.
 */
export function readHead(bytes: Uint8Array): PacketHead | undefined {
  if (bytes.length < FIRST_HEAD_BYTES || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) return undefined
  const version = bytes[2]!
  const keyId = readU32(bytes, 4)
  if (version < 2) return { type: 'knock', version, versions: { oldest: version, newest: version }, keyId }
  const type = OPEN_PACKET_TYPES.get(bytes[3]!)
  if (type === undefined || bytes.length !== OPEN_PACKET_BYTES[type]) return undefined
  return { type, version, versions: { oldest: bytes[8]!, newest: bytes[9]! }, keyId }
}

const OPEN_PACKET_TYPES = new Map<number, OpenPacketType>(
  (Object.keys(OPEN_PACKET_BYTES) as OpenPacketType[]).map((type) => [PACKET[type], type]),
)

/** A packet with its head, and zeros behind it. */
export function openPacket({ type, version, versions, keyId }: PacketHead): Uint8Array {
  const bytes = new Uint8Array(OPEN_PACKET_BYTES[type])
  bytes[0] = MAGIC_0
  bytes[1] = MAGIC_1
  bytes[2] = version
  bytes[3] = PACKET[type]
  writeU32(bytes, 4, keyId)
  bytes[8] = versions.oldest
  bytes[9] = versions.newest
  return bytes
}

/** Writes the MAC of a packet that is complete but for it. */
export function authenticate(key: ClusterKey, bytes: Uint8Array, nonce: Uint8Array = NOTHING): Uint8Array {
  bytes.set(macOf(key.open, bytes, nonce), bytes.length - MAC_BYTES)
  return bytes
}

export function isAuthentic(key: ClusterKey, bytes: Uint8Array, nonce: Uint8Array = NOTHING): boolean {
  if (bytes.length < HEAD_BYTES + MAC_BYTES) return false
  return timingSafeEqual(macOf(key.open, bytes, nonce), bytes.subarray(bytes.length - MAC_BYTES))
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function macOf(key: KeyObject, bytes: Uint8Array, nonce: Uint8Array): Uint8Array {
  const mac = createHmac('sha256', key)
    .update(bytes.subarray(0, bytes.length - MAC_BYTES))
    .update(nonce)
  return mac.digest().subarray(0, MAC_BYTES)
}
