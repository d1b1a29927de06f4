/**
 * What a datagram of the mesh looks like from outside. Two families: packets that anybody may send,
 * which begin with a magic number, and sealed ones, which name a session.
 *
 * ```
 * open     = 'W' 'm' version:u8 type:u8 key-id:u32 ...         (numbers big-endian; key-id names a cluster key)
 * greeting = open(1) member:8 index:u32 nonce:16 cookie:16 AEAD(profile padding)                          512 bytes
 * cookie   = open(2) index:u32 cookie:16 mac:16                                                            44 bytes
 * welcome  = open(3) greeter-index:u32 member:8 index:u32 nonce:16 AEAD(profile padding)                  512 bytes
 * announce = open(5) member:8 nonce:16 mac:16 padding                                                     512 bytes
 * sealed   = 4:u8 version:u8 0:u16 index:u32 counter:u64 AEAD(messages)              at most datagramBytesMax bytes
 * profile  = zone:text count:u8 role:text*                                             text = bytes:varint UTF-8
 * ```
 * No answer is larger than what it answers: 512 to 44, 512 to 512.
 */
export const PACKET = { greeting: 1, cookie: 2, welcome: 3, sealed: 4, announcement: 5 } as const

export const MESH_VERSION = 1
export const HEAD_BYTES = 8
export const GREETING_BYTES = 512
export const COOKIE_PACKET_BYTES = 44

export const SEALED_HEAD_BYTES = 16
export const TAG_BYTES = 16
export const SEALED_OVERHEAD_BYTES: number = SEALED_HEAD_BYTES + TAG_BYTES

const MAGIC_0 = 0x57
const MAGIC_1 = 0x6d

export interface PacketHead {
  readonly version: number
  readonly type: number
  readonly keyId: number
}

/** The head of an open packet, or `undefined` if it is none of the mesh's. */
export function readHead(bytes: Uint8Array): PacketHead | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) return undefined
  return { version: bytes[2]!, type: bytes[3]!, keyId: readU32(bytes, 4) }
}

/** A packet of `length` bytes with its head. */
export function openPacket(type: number, keyId: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes[0] = MAGIC_0
  bytes[1] = MAGIC_1
  bytes[2] = MESH_VERSION
  bytes[3] = type
  writeU32(bytes, 4, keyId)
  return bytes
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
