/**
 * How `encoding-writer.ts` writes everything that is neither an array nor an object, in the one
 * canonical form of each. What cannot be carried makes them return `false`. Types are told by tag
 * where a realm of its own (a `vm` context, a frame) would fool `instanceof`.
 */
import type { ByteWriter } from './byte-writer.ts'

const SHORT_TEXT_CHARS_MAX = 64
const TWO_POW_32 = 4294967296
const TIMESTAMP_BYTES = 12
const LONE_SURROGATE = /\p{Surrogate}/u

/** Whether the text can be carried as UTF-8. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text)
}

export function isUint8Array(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'Uint8Array'
}

export function isDate(value: object): value is Date {
  return value instanceof Date || Object.prototype.toString.call(value) === '[object Date]'
}

export function writeNumber(writer: ByteWriter, value: number): void {
  writer.ensure(9)
  const { bytes, at } = writer
  if ((value | 0) === value && value >= -32 && value <= 0x7f) {
    bytes[at] = value
    writer.at = at + 1
  } else if (value >>> 0 === value) {
    writeUnsigned(writer, value)
  } else if ((value | 0) === value) {
    writeNegative(writer, value)
  } else {
    bytes[at] = 0xcb
    // A NaN may carry any bits in memory; setFloat64 would show them.
    if (value === value) writer.view.setFloat64(at + 1, value)
    else {
      writer.view.setUint32(at + 1, 0x7ff80000)
      writer.view.setUint32(at + 5, 0)
    }
    writer.at = at + 9
  }
}

function writeUnsigned(writer: ByteWriter, value: number): void {
  const { bytes, view, at } = writer
  if (value <= 0xff) {
    bytes[at] = 0xcc
    bytes[at + 1] = value
    writer.at = at + 2
  } else if (value <= 0xffff) {
    bytes[at] = 0xcd
    view.setUint16(at + 1, value)
    writer.at = at + 3
  } else {
    bytes[at] = 0xce
    view.setUint32(at + 1, value)
    writer.at = at + 5
  }
}

function writeNegative(writer: ByteWriter, value: number): void {
  const { bytes, view, at } = writer
  if (value >= -0x80) {
    bytes[at] = 0xd0
    bytes[at + 1] = value
    writer.at = at + 2
  } else if (value >= -0x8000) {
    bytes[at] = 0xd1
    view.setInt16(at + 1, value)
    writer.at = at + 3
  } else {
    bytes[at] = 0xd2
    view.setInt32(at + 1, value)
    writer.at = at + 5
  }
}

export function writeBigint(writer: ByteWriter, value: bigint): boolean {
  const signed = BigInt.asIntN(64, value) === value
  if (!signed && BigInt.asUintN(64, value) !== value) return false
  writer.u8(signed ? 0xd3 : 0xcf)
  writer.ensure(8)
  writer.view.setBigUint64(writer.at, BigInt.asUintN(64, value))
  writer.at += 8
  return true
}

/** MessagePack's timestamp in its 96-bit form: nanoseconds, then seconds since 1970. */
export function writeDate(writer: ByteWriter, date: Date): boolean {
  const ms = Date.prototype.getTime.call(date)
  if (ms !== ms) return false
  const seconds = Math.floor(ms / 1000)
  writer.ensure(3 + TIMESTAMP_BYTES)
  writer.u8(0xc7)
  writer.u8(TIMESTAMP_BYTES)
  writer.u8(0xff)
  writer.u32((ms - seconds * 1000) * 1_000_000)
  writer.u32(Math.floor(seconds / TWO_POW_32) >>> 0)
  writer.u32(seconds >>> 0)
  return true
}

export function writeBytes(writer: ByteWriter, value: Uint8Array): void {
  const count = value.length
  writer.ensure(5 + count)
  if (count <= 0xff) {
    writer.u8(0xc4)
    writer.u8(count)
  } else if (count <= 0xffff) {
    writer.u8(0xc5)
    writer.u8(count >>> 8)
    writer.u8(count)
  } else {
    writer.u8(0xc6)
    writer.u32(count)
  }
  writer.raw(value)
}

export function writeText(writer: ByteWriter, text: string): boolean {
  const length = text.length
  if (length > SHORT_TEXT_CHARS_MAX) return writeLongText(writer, text)
  writer.ensure(2 + length * 3)
  const { bytes, at } = writer
  let to = at + (length < 32 ? 1 : 2)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return writeShortText(writer, text)
    bytes[to++] = code
  }
  writeTextHeader(writer, length)
  writer.at = to
  return true
}

/** Short and not ASCII: a loop of our own is quicker than a TextEncoder. */
function writeShortText(writer: ByteWriter, text: string): boolean {
  if (!isWellFormed(text)) return false
  let byteCount = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Each half of a surrogate pair counts for two of the four bytes.
    byteCount += code < 0x80 ? 1 : code < 0x800 || (code & 0xf800) === 0xd800 ? 2 : 3
  }
  writeTextHeader(writer, byteCount)
  const { bytes } = writer
  let to = writer.at
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i)
    if (code < 0x80) {
      bytes[to++] = code
      continue
    }
    if (code < 0x800) bytes[to++] = 0xc0 | (code >> 6)
    else {
      if ((code & 0xfc00) === 0xd800) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff)
        bytes[to++] = 0xf0 | (code >> 18)
        bytes[to++] = 0x80 | ((code >> 12) & 0x3f)
      } else bytes[to++] = 0xe0 | (code >> 12)
      bytes[to++] = 0x80 | ((code >> 6) & 0x3f)
    }
    bytes[to++] = 0x80 | (code & 0x3f)
  }
  writer.at = to
  return true
}

function writeLongText(writer: ByteWriter, text: string): boolean {
  writer.ensure(5 + text.length * 3)
  const header = writer.at
  const guess = header + textHeaderBytes(text.length)
  writer.at = guess
  const byteCount = writer.utf8(text)
  if (byteCount !== text.length && !isWellFormed(text)) return false
  const begin = header + textHeaderBytes(byteCount)
  if (begin !== guess) writer.bytes.copyWithin(begin, guess, guess + byteCount)
  writer.at = header
  writeTextHeader(writer, byteCount)
  writer.at = begin + byteCount
  return true
}

function textHeaderBytes(byteCount: number): number {
  return byteCount < 32 ? 1 : byteCount <= 0xff ? 2 : byteCount <= 0xffff ? 3 : 5
}

/** The caller has ensured room. */
function writeTextHeader(writer: ByteWriter, byteCount: number): void {
  const { bytes, at } = writer
  if (byteCount < 32) {
    bytes[at] = 0xa0 | byteCount
    writer.at = at + 1
  } else if (byteCount <= 0xff) {
    bytes[at] = 0xd9
    bytes[at + 1] = byteCount
    writer.at = at + 2
  } else if (byteCount <= 0xffff) {
    bytes[at] = 0xda
    writer.view.setUint16(at + 1, byteCount)
    writer.at = at + 3
  } else {
    bytes[at] = 0xdb
    writer.view.setUint32(at + 1, byteCount)
    writer.at = at + 5
  }
}
