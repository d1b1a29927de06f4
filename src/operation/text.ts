/** Keys as text, and hashes of texts. */
import { WarpError } from '../../crdt/warp-error.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Beyond this the decoder is faster than a loop. */
const LOOP_BYTES_MAX = 48

/** Throws `WARP_E_PROTOCOL`. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return asciiOf(bytes, start, end) ?? decodeText(bytes.subarray(start, end))
}

/**
 * Keys are short and mostly ASCII, for which a loop beats the decoder. `undefined` for what has to
 * be decoded.
 */
export function asciiOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > LOOP_BYTES_MAX) return undefined
  let text = ''
  for (let i = start; i < end; i++) {
    const code = bytes[i]!
    if (code > 0x7f) return undefined
    text += String.fromCharCode(code)
  }
  return text
}

function decodeText(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes)
  } catch {
    throw new WarpError('WARP_E_PROTOCOL', `an operation whose key of ${bytes.length} bytes is not UTF-8`)
  }
}

/** FNV-1a (Fowler, Noll, Vo), over the units of the text; a signed number of 32 bits. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** The last step of MurmurHash3: each bit of the outcome depends on each bit. From 0 to 2^32 - 1. */
export function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
