/**
 * Appends bytes to a buffer that grows. The log lends its active segment as the buffer, so that an
 * operation is encoded in place; when a record does not fit, the writer moves to a larger buffer of
 * its own and the log notices.
 */
const ASCII_LOOP_CHARS_MAX = 64
const TWO_POW_32 = 4294967296

export class ByteWriter {
  bytes: Uint8Array
  view: DataView
  /** Where the next byte goes. */
  at: number
  /** The first byte that must survive growing. */
  start: number
  readonly #encoder = new TextEncoder()

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
    this.at = 0
    this.start = 0
  }

  /** Continues in a borrowed buffer. */
  borrow(bytes: Uint8Array, view: DataView, at: number): void {
    this.bytes = bytes
    this.view = view
    this.at = at
    this.start = at
  }

  /** Starts over in the present buffer. */
  reset(): void {
    this.at = 0
    this.start = 0
  }

  ensure(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count)
  }

  u8(value: number): void {
    if (this.at === this.bytes.length) this.#grow(1)
    this.bytes[this.at++] = value
  }

  u32(value: number): void {
    this.ensure(4)
    this.view.setUint32(this.at, value)
    this.at += 4
  }

  /** An unsigned integer below 2^53 in eight bytes. */
  u64(value: number): void {
    this.ensure(8)
    const { view, at } = this
    view.setUint32(at, Math.floor(value / TWO_POW_32))
    view.setUint32(at + 4, value >>> 0)
    this.at = at + 8
  }

  f64(value: number): void {
    this.ensure(8)
    this.view.setFloat64(this.at, value)
    this.at += 8
  }

  /** An unsigned integer below 2^53 in base 128, least significant group first (LEB128). */
  varint(value: number): void {
    this.ensure(8)
    const { bytes } = this
    let { at } = this
    let rest = value
    while (rest > 0x7fffffff) {
      bytes[at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  raw(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    const count = to - from
    this.ensure(count)
    if (count <= 48) {
      const own = this.bytes
      let { at } = this
      for (let i = from; i < to; i++) own[at++] = bytes[i] as number
      this.at = at
    } else {
      this.bytes.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.at)
      this.at += count
    }
  }

  /**
   * UTF-8 without a length. Returns the number of bytes. The caller has made sure that the text is
   * well formed.
   */
  utf8(text: string): number {
    const length = text.length
    this.ensure(length * 3)
    const begin = this.at
    if (length <= ASCII_LOOP_CHARS_MAX) {
      const { bytes } = this
      let i = 0
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code > 0x7f) break
        bytes[begin + i] = code
      }
      if (i === length) {
        this.at = begin + length
        return length
      }
    }
    const { written } = this.#encoder.encodeInto(text, this.bytes.subarray(begin))
    this.at = begin + written
    return written
  }

  /** UTF-8 behind its length in bytes as a varint. */
  text(text: string): void {
    const offset = this.at - this.start
    this.varint(text.length)
    const count = this.utf8(text)
    if (count === text.length) return
    // Not ASCII: the length guessed was too small, and its varint may be longer too. Rare, so
    // simply do it again.
    const encoded = this.bytes.slice(this.at - count, this.at)
    this.at = this.start + offset
    this.varint(count)
    this.raw(encoded)
  }

  /** A copy of what has been written since `start`. */
  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(this.start, this.at)
  }

  #grow(count: number): void {
    const used = this.at - this.start
    const larger = new Uint8Array(Math.max(256, (used + count) * 2))
    larger.set(this.bytes.subarray(this.start, this.at))
    this.bytes = larger
    this.view = new DataView(larger.buffer)
    this.start = 0
    this.at = used
  }
}
