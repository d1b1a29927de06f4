/**
 * Sums of safe integers that stay exact however many are added: a number while that is exact, a
 * bigint beyond. Adding must commute, and doubles beyond 2^53 do not: replicas that add the same
 * amounts in different orders would differ for ever.
 *
 * One representation per sum, so that equal sums have equal encodings.
 */
import type { Encodable } from './encoding/encodable.ts'
import { malformedState } from './encoding/stored-state.ts'

export type ExactSum = number | bigint

const INTEGER = /^-?[1-9][0-9]{0,4095}$/

export function addExactly(sum: ExactSum, amount: ExactSum): ExactSum {
  if (typeof sum === 'number' && typeof amount === 'number') {
    const fast = sum + amount
    if (Number.isSafeInteger(fast)) return fast
  }
  return normal(BigInt(sum) + BigInt(amount))
}

/** The nearest number: sums beyond ±(2^53 - 1) read as that bound. */
export function saturated(sum: ExactSum): number {
  if (typeof sum === 'number') return sum
  return sum > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER
}

/** Beyond the safe integers as decimal text: no limit of 64 bits. */
export function encodeSum(sum: ExactSum): Encodable {
  return typeof sum === 'number' ? sum : sum.toString()
}

export function decodeSum(encoded: Encodable | undefined): ExactSum {
  if (typeof encoded === 'number' && Number.isSafeInteger(encoded)) return encoded
  if (typeof encoded === 'string' && INTEGER.test(encoded)) return normal(BigInt(encoded))
  throw malformedState('not a sum')
}

function normal(sum: bigint): ExactSum {
  const small = Number(sum)
  return Number.isSafeInteger(small) ? small : sum
}
