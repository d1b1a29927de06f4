/**
 * Bytes as text. What comes over the wire and goes back is kept as *binary strings*, one character for
 * each byte: V8 holds them at a byte a character, and a reply is one string that is written at once.
 * Names of keys and channels are Warp's, which are text: UTF-8 on the wire.
 */

const ASCII = /^[\x00-\x7f]*$/

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes of a text, as a binary string. */
export function toBinary(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The text that bytes are; `undefined` if they are no UTF-8. */
export function toText(binary: string): string | undefined {
  if (ASCII.test(binary)) return binary
  try {
    return STRICT.decode(Buffer.from(binary, 'latin1'))
  } catch {
    return undefined
  }
}

/** Bytes as a binary string. */
export function binaryOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

export function bytesOf(binary: string): Uint8Array {
  return Uint8Array.from(Buffer.from(binary, 'latin1'))
}
