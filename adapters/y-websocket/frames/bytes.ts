/**
 * Bytes as both protocols write them: numbers of 7 bits a byte, low ones first; bytes and texts with their
 * length in front.
 */
import { WarpError } from '../../../crdt/warp-error.ts'

const TEXT = new TextDecoder('utf-8')
const BYTES = new TextEncoder()

/** Reads one frame; throws `WARP_E_PROTOCOL` where it ends too early, or says what cannot be. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** A whole number below 2^53. */
  number(): number {
    let number = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw malformed('it ends within a number')
      number += (byte & 127) * factor
      if (!Number.isSafeInteger(number)) throw malformed('a number is too great')
      if (byte < 128) return number
    }
  }

  /** A part of the frame, not a copy. */
  bytes(): Uint8Array {
    const length = this.number()
    const end = this.#at + length
    if (end > this.#bytes.length) throw malformed('it ends within what it announces')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  text(): string {
    return TEXT.decode(this.bytes())
  }
}

export function bytesOfNumber(number: number): number[] {
  const bytes: number[] = []
  let rest = number
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return bytes
}

export function withLength(bytes: Uint8Array): Uint8Array {
  return concatenated([Uint8Array.from(bytesOfNumber(bytes.length)), bytes])
}

export function bytesOfText(text: string): Uint8Array {
  return withLength(BYTES.encode(text))
}

export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function malformed(why: string, cause?: unknown): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `a client has sent a frame that cannot be read: ${why}`, { cause })
}
