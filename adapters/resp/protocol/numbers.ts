/** Numbers as Redis reads and writes them. */

const WHOLE = /^(?:0|-?[1-9]\d{0,18})$/
/** More digits than this may not be exact as a double. */
const EXACT_DIGITS = 15
export const INT64_MAX: bigint = 2n ** 63n - 1n
export const INT64_MIN: bigint = -(2n ** 63n)

/**
 * A whole number of 64 bits: `0`, or digits that begin with 1 to 9, perhaps behind a minus. `undefined` for
 * other text. A `bigint` where a double would not be exact.
 */
export function parseWhole(text: string): number | bigint | undefined {
  if (text.length > 20 || !WHOLE.test(text)) return undefined
  if (text.length <= EXACT_DIGITS) return Number(text)
  const value = BigInt(text)
  if (value > INT64_MAX || value < INT64_MIN) return undefined
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

/** The same where no more than a safe integer makes sense: greater ones are the greatest. */
export function clamped(value: number | bigint): number {
  if (typeof value === 'number') return value
  return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER
}

const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf(?:inity)?|0[xX][0-9a-fA-F]+)$/i

/** A double as C reads it: decimals, `inf`, hexadecimal digits. `undefined` for other text, NaN and what is too great. */
export function parseDouble(text: string): number | undefined {
  if (!FLOAT.test(text)) return undefined
  const bare = text.replace(/^[+-]/, '').toLowerCase()
  const isNegative = text.startsWith('-')
  if (bare.startsWith('inf')) return isNegative ? -Infinity : Infinity
  const value = Number(bare)
  if (!Number.isFinite(value)) return undefined
  return isNegative ? -value : value
}

/** `%.17g`, as Redis writes scores: 17 digits, ties to even. */
export function shownDouble(value: number): string {
  if (value === Infinity) return 'inf'
  if (value === -Infinity) return '-inf'
  if (Number.isNaN(value)) return 'nan'
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 52) return String(value)
  const short = value.toExponential(16)
  const cut = short.indexOf('e')
  const exponent = Number(short.slice(cut + 1))
  const mantissa = evenTie(value) ?? short.slice(0, cut)
  if (exponent < -4 || exponent >= 17) return scientific(mantissa, exponent)
  const digits = mantissa.replace(/[-.]/g, '')
  const whole =
    exponent >= 0
      ? `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
      : `0.${'0'.repeat(-exponent - 1)}${digits}`
  return (mantissa.startsWith('-') ? '-' : '') + whole.replace(/\.?0*$/, '')
}

function scientific(mantissa: string, exponent: number): string {
  const sign = exponent < 0 ? '-' : '+'
  return `${mantissa.replace(/\.?0+$/, '')}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** Between two texts of 17 digits C takes the even one, and JavaScript the greater. */
function evenTie(value: number): string | undefined {
  const long = value.toExponential(40)
  const point = long.indexOf('.')
  const digits = long.slice(point + 1, long.indexOf('e'))
  const isTie = /^50*$/.test(digits.slice(16)) && (Number(digits[15]) & 1) === 0
  return isTie ? long.slice(0, point + 17) : undefined
}
