/**
 * Bits of binary strings, the most significant one of a byte first. What lies behind the end is 0. A `Bits`
 * is bytes that change in place, for commands that read what they have just written.
 */

/** From one bit to another, that one too. */
export interface BitRange {
  readonly from: number
  readonly to: number
}

const BIT_COUNTS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)
/** By byte: how many bits from the left on are 0. */
const LEADING_ZEROS = Uint8Array.from({ length: 256 }, (_, byte) => (byte === 0 ? 8 : Math.clz32(byte) - 24))

export function bitAt(text: string, offset: number): 0 | 1 {
  const byte = text.charCodeAt(Math.floor(offset / 8))
  return Number.isNaN(byte) || ((byte >> (7 - (offset % 8))) & 1) === 0 ? 0 : 1
}

/** How many bits of a range are 1. */
export function countOnes(text: string, { from, to }: BitRange): number {
  let count = 0
  for (let at = Math.floor(from / 8); at <= Math.floor(to / 8); at++)
    count += BIT_COUNTS[text.charCodeAt(at) & maskOf(at, { from, to })]!
  return count
}

/** The place of the first bit of a range that is that one; `undefined` if there is none. */
export function findBit(text: string, bit: 0 | 1, range: BitRange): number | undefined {
  const { from, to } = range
  for (let at = Math.floor(from / 8); at <= Math.floor(to / 8); at++) {
    const byte = text.charCodeAt(at)
    const found = (bit === 1 ? byte : ~byte) & maskOf(at, range)
    if (found !== 0) return at * 8 + LEADING_ZEROS[found]!
  }
  return undefined
}

/** The bits of a byte that lie in a range. */
function maskOf(at: number, { from, to }: BitRange): number {
  let mask = 255
  if (at === Math.floor(from / 8)) mask &= 255 >> (from % 8)
  if (at === Math.floor(to / 8)) mask &= 255 << (7 - (to % 8))
  return mask & 255
}

export type BitOperation = 'AND' | 'OR' | 'XOR' | 'NOT'

/** As long as the longest. `NOT` takes one. */
export function combined(operation: BitOperation, texts: readonly string[]): string {
  const length = Math.max(0, ...texts.map((text) => text.length))
  const all = texts.map((text) => Buffer.from(text, 'latin1'))
  const bytes = Buffer.alloc(length)
  all[0]!.copy(bytes)
  if (operation === 'NOT') for (let i = 0; i < length; i++) bytes[i] = ~bytes[i]!
  for (const other of all.slice(1)) {
    const combine = COMBINE[operation]
    for (let i = 0; i < length; i++) bytes[i] = combine(bytes[i]!, other[i] ?? 0)
  }
  return bytes.toString('latin1')
}

const COMBINE: Readonly<Record<BitOperation, (one: number, other: number) => number>> = {
  AND: (one, other) => one & other,
  OR: (one, other) => one | other,
  XOR: (one, other) => one ^ other,
  NOT: (one) => one,
}

export class Bits {
  #bytes: Uint8Array

  constructor(text: string) {
    this.#bytes = Buffer.from(text, 'latin1')
  }

  /** Has it be so many bytes long at least. */
  reach(length: number): void {
    if (length <= this.#bytes.length) return
    const longer = new Uint8Array(length)
    longer.set(this.#bytes)
    this.#bytes = longer
  }

  /** A field of up to 64 bits as an unsigned number. */
  read(offset: number, width: number): bigint {
    let value = 0n
    for (let at = offset; at < offset + width; at++) {
      const byte = this.#bytes[Math.floor(at / 8)] ?? 0
      value = (value << 1n) | BigInt((byte >> (7 - (at % 8))) & 1)
    }
    return value
  }

  /** `reach` first. */
  write(offset: number, width: number, value: bigint): void {
    for (let i = 0; i < width; i++) {
      const at = offset + i
      const mask = 128 >> (at % 8)
      const isSet = ((value >> BigInt(width - 1 - i)) & 1n) === 1n
      const byte = this.#bytes[Math.floor(at / 8)]!
      this.#bytes[Math.floor(at / 8)] = isSet ? byte | mask : byte & ~mask
    }
  }
}
