/**
 * Binary strings: bytes as text, one character for each byte. Engines keep such strings at one byte a
 * character, cut, join and compare them as bytes, and take them as keys of a `Map`. A payload holds
 * them as text where they are ASCII, and else as bytes: as text they would take two bytes for some.
 */
import type { Encodable } from '../encoding/encodable.ts'
import { latin1 } from '../encoding/encoding.ts'

const ASCII = /^[\x00-\x7f]*$/
const BYTES = /^[\x00-\xff]*$/

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether every character is a byte. */
export function isBinary(value: unknown): value is string {
  return typeof value === 'string' && BYTES.test(value)
}

/** One form for one string, so that equal states have equal encodings. */
export function toWire(binary: string): string | Uint8Array {
  return ASCII.test(binary) ? binary : toBytes(binary)
}

/** `undefined` for what is no binary string. */
export function fromWire(wire: Encodable | undefined): string | undefined {
  if (typeof wire === 'string') return BYTES.test(wire) ? wire : undefined
  return wire instanceof Uint8Array ? latin1(wire, 0, wire.length) : undefined
}

/** What users of Warp read: text where the bytes are UTF-8. */
export function readable(binary: string): string | Uint8Array {
  if (ASCII.test(binary)) return binary
  const bytes = toBytes(binary)
  try {
    return decoder.decode(bytes)
  } catch {
    return bytes
  }
}

/** As a name in a record, which has to be text: as it is where the bytes are not UTF-8. */
export function readableName(binary: string): string {
  const name = readable(binary)
  return typeof name === 'string' ? name : binary
}

function toBytes(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
