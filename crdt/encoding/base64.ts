/**
 * Base64 (RFC 4648, with padding): bytes in lines of text. Every runtime has one, and no two the
 * same.
 */
import { WarpError } from '../warp-error.ts'

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PADDING = 61 // '='

/** By character code; 255 where there is no digit. */
const VALUES: Uint8Array = new Uint8Array(128).fill(255)
for (let i = 0; i < DIGITS.length; i++) VALUES[DIGITS.charCodeAt(i)] = i

const DIGIT_CODES: Uint8Array = Uint8Array.from(DIGITS, (digit) => digit.charCodeAt(0))
const DECODER = new TextDecoder()

export function toBase64(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  const text = new Uint8Array(Math.ceil((end - start) / 3) * 4)
  let to = 0
  for (let at = start; at < end; at += 3) {
    const left = end - at
    const word = (bytes[at]! << 16) | ((left > 1 ? bytes[at + 1]! : 0) << 8) | (left > 2 ? bytes[at + 2]! : 0)
    text[to++] = DIGIT_CODES[word >>> 18]!
    text[to++] = DIGIT_CODES[(word >>> 12) & 63]!
    text[to++] = left > 1 ? DIGIT_CODES[(word >>> 6) & 63]! : PADDING
    text[to++] = left > 2 ? DIGIT_CODES[word & 63]! : PADDING
  }
  return DECODER.decode(text)
}

/** Throws `WARP_E_PROTOCOL`. */
export function fromBase64(text: string): Uint8Array {
  const { length } = text
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (length % 4 !== 0) throw malformed()
  const bytes = new Uint8Array((length / 4) * 3 - padding)
  let to = 0
  for (let at = 0; at < length; at += 4) {
    const isLast = at + 4 === length
    const word =
      (valueAt(text, at) << 18) |
      (valueAt(text, at + 1) << 12) |
      ((isLast && padding === 2 ? 0 : valueAt(text, at + 2)) << 6) |
      (isLast && padding > 0 ? 0 : valueAt(text, at + 3))
    bytes[to++] = word >>> 16
    if (to < bytes.length) bytes[to++] = (word >>> 8) & 255
    if (to < bytes.length) bytes[to++] = word & 255
  }
  return bytes
}

function valueAt(text: string, at: number): number {
  const value = VALUES[text.charCodeAt(at)] ?? 255
  if (value === 255) throw malformed()
  return value
}

function malformed(): WarpError {
  return new WarpError('WARP_E_PROTOCOL', 'what should be base64 is not')
}
