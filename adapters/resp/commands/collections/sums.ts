/** Sums of whole numbers of 64 bits. */
import { INT64_MAX, INT64_MIN, parseWhole } from '../../protocol/numbers.ts'
import { ReplyError } from '../../call/reply-error.ts'

const DIGITS = /^-?[1-9]\d*$/

/**
 * What the text and the number come to; `undefined` if the text is no whole number. Sums of several
 * replicas may have gone beyond 64 bits together: from there one may go back, not on.
 */
export function wholeSum(text: string, by: number | bigint): number | bigint | undefined {
  const before = parseWhole(text) ?? (DIGITS.test(text) ? BigInt(text) : undefined)
  if (before === undefined) return undefined
  if (typeof before === 'number' && typeof by === 'number') {
    const near = before + by
    if (Number.isSafeInteger(near)) return near
  }
  const sum = BigInt(before) + BigInt(by)
  const isBack = BigInt(by) < 0n === BigInt(before) > 0n
  if (!isBack && (sum > INT64_MAX || sum < INT64_MIN)) throw new ReplyError('ERR increment or decrement would overflow')
  return sum
}
