/**
 * HyperLogLog as Redis has it, bit by bit: MurmurHash64A of an element says which of 16,384 registers it is
 * of and its rank, and the count is the estimate of Ertl, 2017 (arXiv:1702.01284).
 */
import { REGISTERS, type Raised } from '../../../../crdt/redis/registers/registers.ts'

const SEED = 0xadc83b19n
const FACTOR = 0xc6a4a7935bd1e995n
const PLACE_BITS = 14n
const RANK_BITS = 50
const ALPHA = 0.72134752044448170368

/** The register of an element, and its rank. */
export function registerOf(element: string): Raised {
  const hash = murmur(Buffer.from(element, 'latin1'))
  const place = Number(hash & BigInt(REGISTERS - 1))
  let rest = hash >> PLACE_BITS
  let rank = 1
  for (; rank <= RANK_BITS && (rest & 1n) === 0n; rank++) rest >>= 1n
  return { place, rank }
}

function murmur(bytes: Buffer): bigint {
  let hash = SEED ^ times(BigInt(bytes.length), FACTOR)
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    let word = times(bytes.readBigUInt64LE(at), FACTOR)
    word ^= word >> 47n
    hash = times(hash ^ times(word, FACTOR), FACTOR)
  }
  if (at < bytes.length) {
    for (let i = bytes.length - 1; i >= at; i--) hash ^= BigInt(bytes[i]!) << BigInt(8 * (i - at))
    hash = times(hash, FACTOR)
  }
  hash ^= hash >> 47n
  hash = times(hash, FACTOR)
  return hash ^ (hash >> 47n)
}

function times(one: bigint, other: bigint): bigint {
  return BigInt.asUintN(64, one * other)
}

/** How many elements made registers of those ranks. */
export function estimate(ranks: Uint8Array): number {
  const counts = new Uint32Array(64)
  for (const rank of ranks) counts[rank]!++
  let z = REGISTERS * tau((REGISTERS - counts[RANK_BITS + 1]!) / REGISTERS)
  for (let rank = RANK_BITS; rank >= 1; rank--) z = (z + counts[rank]!) * 0.5
  z += REGISTERS * sigma(counts[0]! / REGISTERS)
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z)
}

function tau(from: number): number {
  if (from === 0 || from === 1) return 0
  let [x, y, z, before] = [from, 1, 1 - from, NaN]
  while (before !== z) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

function sigma(from: number): number {
  if (from === 1) return Infinity
  let [x, y, z, before] = [from, 1, from, NaN]
  while (before !== z) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}
