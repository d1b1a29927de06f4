/**
 * Reads what `ByteWriter` wrote. Never beyond `end`: malformed input throws `WARP_E_PROTOCOL` with
 * the offset only.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { asciiOf } from './text.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class ByteReader {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  at: number
  /** Made when it is needed. */
  #view: DataView | undefined

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.at = start
  }

  get remaining(): number {
    return this.end - this.at
  }

  /** Moves on by `count` bytes and returns where they begin. */
  skip(count: number): number {
    if (count > this.end - this.at) throw this.malformed(`${count} bytes wanted, ${this.end - this.at} left`)
    const begin = this.at
    this.at += count
    return begin
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }

  u8(): number {
    return this.bytes[this.skip(1)]!
  }

  u32(): number {
    const at = this.skip(4)
    const { bytes } = this
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  f64(): number {
    const at = this.skip(8)
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset)
    return this.#view.getFloat64(at)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 128
    }
    throw this.malformed('a number beyond 2^53')
  }

  text(): string {
    const count = this.varint()
    const begin = this.skip(count)
    const text = asciiOf(this.bytes, begin, begin + count)
    if (text !== undefined) return text
    try {
      return DECODER.decode(this.bytes.subarray(begin, begin + count))
    } catch {
      throw this.malformed('text that is not UTF-8')
    }
  }

  /**
   * The number of things that follow, at least `bytesEach` long: not more than allowed and not more
   * than fit.
   */
  count(countMax: number, bytesEach: number): number {
    const count = this.varint()
    if (count > countMax) throw this.malformed(`${count} entries where ${countMax} are allowed`)
    if (count * bytesEach > this.remaining) throw this.malformed('more entries than bytes')
    return count
  }

  mustBeAtEnd(): void {
    if (!this.isAtEnd) throw this.malformed('more bytes than there is use for')
  }

  malformed(what: string): WarpError {
    const offset = this.at - this.start
    return new WarpError('WARP_E_PROTOCOL', `malformed bytes: ${what}, at byte ${offset}`, { details: { offset } })
  }
}
