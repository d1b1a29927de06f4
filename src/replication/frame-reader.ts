/** Reads the parts of a frame, never beyond its end. All of it throws `WARP_E_PROTOCOL` with the offset, never the content. */
import { WarpError } from '../../crdt/warp-error.ts'

export class FrameReader {
  readonly bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.#at = at
  }

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length
  }

  u8(): number {
    return this.bytes[this.skip(1)]!
  }

  u32(): number {
    const at = this.skip(4)
    const { bytes } = this
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
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

  /** The number of things that follow, at least `bytesEach` long: not more than allowed and not more than fit. */
  count(countMax: number, bytesEach: number): number {
    const count = this.varint()
    if (count > countMax) throw this.malformed(`${count} entries where ${countMax} are allowed`)
    if (count * bytesEach > this.bytes.length - this.#at) throw this.malformed('more entries than bytes')
    return count
  }

  /** Steps over `count` bytes and returns where they start. */
  skip(count: number): number {
    const start = this.#at
    if (count > this.bytes.length - start) throw this.malformed('cut short')
    this.#at = start + count
    return start
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.skip(this.bytes.length - this.#at))
  }

  mustBeAtEnd(): void {
    if (!this.isAtEnd) throw this.malformed('more bytes than the frame has use for')
  }

  malformed(what: string): WarpError {
    return malformedFrame(what, this.#at)
  }
}

export function malformedFrame(what: string, offset: number): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed frame: ${what}, at byte ${offset}`, { details: { offset } })
}
