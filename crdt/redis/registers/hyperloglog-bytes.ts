/**
 * A HyperLogLog as the string that Redis shows: `HYLL`, the encoding, three bytes of 0, a count that is kept
 * (its last bit says that it is out of date), and registers of 6 bits, the least significant one first; or, in
 * the sparse encoding, runs of registers that have one rank.
 */
import { RANK_MAX, REGISTERS } from './registers.ts'

const MAGIC = 'HYLL'
const HEADER_BYTES = 16
const DENSE = 0
const SPARSE = 1
const BITS = 6
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * BITS) / 8
const OUT_OF_DATE = '\0\0\0\0\0\0\0\x80'

/** `ranks`: of each register. A binary string, in the dense encoding. */
export function hyperloglogBytes(ranks: Uint8Array): string {
  const bytes = new Uint8Array(DENSE_BYTES - HEADER_BYTES + 1)
  for (let place = 0; place < REGISTERS; place++) {
    const bit = place * BITS
    const shifted = ranks[place]! << (bit % 8)
    bytes[bit >> 3]! |= shifted & 255
    bytes[(bit >> 3) + 1]! |= shifted >> 8
  }
  let text = `${MAGIC}\0\0\0\0${OUT_OF_DATE}`
  for (let at = 0; at < bytes.length - 1; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** Whether a string may be one. */
export function isHyperloglog(text: string): boolean {
  if (text.length < HEADER_BYTES || !text.startsWith(MAGIC)) return false
  const encoding = text.charCodeAt(4)
  return encoding === SPARSE || (encoding === DENSE && text.length === DENSE_BYTES)
}

/** The ranks in a string that `isHyperloglog`; `undefined` if they make no sense. */
export function ranksIn(text: string): Uint8Array | undefined {
  return text.charCodeAt(4) === DENSE ? denseRanks(text) : sparseRanks(text)
}

function denseRanks(text: string): Uint8Array | undefined {
  const ranks = new Uint8Array(REGISTERS)
  for (let place = 0; place < REGISTERS; place++) {
    const bit = place * BITS
    const at = HEADER_BYTES + (bit >> 3)
    const two = text.charCodeAt(at) | ((at + 1 < text.length ? text.charCodeAt(at + 1) : 0) << 8)
    ranks[place] = (two >> (bit % 8)) & 63
    if (ranks[place]! > RANK_MAX) return undefined
  }
  return ranks
}

/** 00xxxxxx: so many zeros and one; 01xxxxxx yyyyyyyy: likewise; 1vvvvvxx: so many of a rank. */
function sparseRanks(text: string): Uint8Array | undefined {
  const ranks = new Uint8Array(REGISTERS)
  let place = 0
  for (let at = HEADER_BYTES; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 128) {
      const end = place + (code & 3) + 1
      if (end > REGISTERS) return undefined
      ranks.fill(((code >> 2) & 31) + 1, place, end)
      place = end
    } else if (code < 64) place += code + 1
    else place += (((code & 63) << 8) | (text.charCodeAt(++at) || 0)) + 1
  }
  return place === REGISTERS ? ranks : undefined
}
