/**
 * How two members begin a stream. Both hold a secret of their session already; what is left is to
 * say which session, to prove that one holds its secret, and to agree on keys that no other stream
 * has. After the nonces of both ends have gone into the keys, a recorded stream played again yields
 * no record that opens, so the opener counts as genuine only from its first record on.
 *
 * ```
 * preamble = 'Ws' version:u8 0:u8 index:u32 nonce:16 mac:16      opener -> answerer, 40 bytes; index: the answerer's of the session
 * answer   = nonce:16 mac:16                                     answerer -> opener, 32 bytes: less than it has received
 * mac      = HMAC-SHA-256(HKDF(secret, 'warp stream mac'), all before it, the preamble included)[0..16]
 * key      = HKDF(secret, salt = preamble answer, 'warp stream opener' | 'warp stream answerer'), one for each direction
 * ```
 *
 * An answer is never sent to a preamble that is not authentic. Cost: two HKDF and two HMAC at each
 * end, about 50 µs.
 */
import { type KeyObject, createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto'

export const STREAM_VERSION = 1
export const NONCE_BYTES = 16
export const PREAMBLE_BYTES = 40
export const ANSWER_BYTES = 32

const MAC_BYTES = 16
const KEY_BYTES = 32
const INDEX_AT = 4
const NONCE_AT = 8
const NOTHING = new Uint8Array(0)

/** What the keys of one stream are made of. */
export interface Greetings {
  readonly preamble: Uint8Array
  readonly answer: Uint8Array
}

export interface StreamKeys {
  readonly opener: KeyObject
  readonly answerer: KeyObject
}

export function preambleOf(
  session: { readonly index: number; readonly secret: Uint8Array },
  nonce: Uint8Array,
): Uint8Array {
  const preamble = new Uint8Array(PREAMBLE_BYTES)
  preamble.set([0x57, 0x73, STREAM_VERSION, 0])
  new DataView(preamble.buffer).setUint32(INDEX_AT, session.index)
  preamble.set(nonce, NONCE_AT)
  preamble.set(macOf(session.secret, preamble.subarray(0, PREAMBLE_BYTES - MAC_BYTES)), PREAMBLE_BYTES - MAC_BYTES)
  return preamble
}

/** The session that a preamble names, or `undefined` if it is none of this version. */
export function indexIn(preamble: Uint8Array): number | undefined {
  const isOurs = preamble[0] === 0x57 && preamble[1] === 0x73 && preamble[2] === STREAM_VERSION && preamble[3] === 0
  if (!isOurs || preamble.length !== PREAMBLE_BYTES) return undefined
  return new DataView(preamble.buffer, preamble.byteOffset).getUint32(INDEX_AT)
}

export function isPreambleAuthentic(preamble: Uint8Array, secret: Uint8Array): boolean {
  const macAt = PREAMBLE_BYTES - MAC_BYTES
  return timingSafeEqual(macOf(secret, preamble.subarray(0, macAt)), preamble.subarray(macAt))
}

export function answerTo(preamble: Uint8Array, secret: Uint8Array, nonce: Uint8Array): Uint8Array {
  const answer = new Uint8Array(ANSWER_BYTES)
  answer.set(nonce)
  answer.set(macOf(secret, preamble, nonce), NONCE_BYTES)
  return answer
}

export function isAnswerAuthentic({ preamble, answer }: Greetings, secret: Uint8Array): boolean {
  const nonce = answer.subarray(0, NONCE_BYTES)
  return timingSafeEqual(macOf(secret, preamble, nonce), answer.subarray(NONCE_BYTES))
}

export function streamKeys({ preamble, answer }: Greetings, secret: Uint8Array): StreamKeys {
  const salt = new Uint8Array(PREAMBLE_BYTES + ANSWER_BYTES)
  salt.set(preamble)
  salt.set(answer, PREAMBLE_BYTES)
  const keyOf = (end: string): KeyObject =>
    createSecretKey(new Uint8Array(hkdfSync('sha256', secret, salt, `warp stream ${end}`, KEY_BYTES)))
  return { opener: keyOf('opener'), answerer: keyOf('answerer') }
}

function macOf(secret: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const key = hkdfSync('sha256', secret, NOTHING, 'warp stream mac', KEY_BYTES)
  const hmac = createHmac('sha256', new Uint8Array(key))
  for (const part of parts) hmac.update(part)
  return hmac.digest().subarray(0, MAC_BYTES)
}
