/** Keys as text. */
import { WarpError } from '../../crdt/warp-error.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Keys are short and mostly ASCII, for which a loop beats the decoder. Throws `WARP_E_PROTOCOL`.
 */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let i = start; i < end; i++) {
    const code = bytes[i]!
    if (code > 0x7f || end - start > 48) return decodeText(bytes.subarray(start, end))
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
