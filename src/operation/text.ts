/** Keys as text. */
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
