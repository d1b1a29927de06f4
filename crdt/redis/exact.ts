/**
 * Numbers that add up exactly, in whatever order: sums of replicas have to commute, and sums of
 * doubles do not. A number stands for exactly what that double is; what no double is, 0.1 say, or
 * 2^53 + 1, is decimal text. Each value has one form, so that equal sums have equal encodings.
 *
 * Where two doubles add up without an error, which is told by Knuth's TwoSum, they are added as
 * doubles. Everything else is done in decimals, which hold doubles as well: a double has finitely
 * many decimal digits.
 */
export type Exact = number | string

/** digits / 10^scale, where the digits do not end in 0 unless the scale is 0. */
interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

const CANONICAL = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?$/
const NUMBER = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$/
/** What is added to is as long as the numbers of Redis, 80-bit floats. */
const EXPONENT_MAX = 4932
const TEXT_CHARS_MAX = 20_000
/** Redis prints so many decimal places. */
const SHOWN_SCALE = 17

export function addExact(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    const rest = sum - a
    const error = a - (sum - rest) + (b - rest)
    // + 0: there is no -0.
    if (error === 0) return sum + 0
  }
  const [x, y] = [decimalOf(a), decimalOf(b)]
  const scale = Math.max(x.scale, y.scale)
  return exactOf(x.digits * power(scale - x.scale) + y.digits * power(scale - y.scale), scale)
}

export function negated(a: Exact): Exact {
  if (typeof a === 'number') return 0 - a
  return a.startsWith('-') ? a.slice(1) : `-${a}`
}

/** Whether it is one, in its one form. */
export function isExact(value: unknown): value is Exact {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'string' || value.length > TEXT_CHARS_MAX || !CANONICAL.test(value)) return false
  const { digits, scale } = decimalOf(value)
  return exactOf(digits, scale) === value
}

/** What a decimal text says, exponent and all; `undefined` for anything else, spaces and infinities included. */
export function parseExact(text: string): Exact | undefined {
  if (text.length > TEXT_CHARS_MAX) return undefined
  const found = NUMBER.exec(text)
  if (found === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = found
  const exponent = Number(exponentText)
  if (whole + fraction === '' || Math.abs(exponent) > EXPONENT_MAX) return undefined
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n)
  const scale = fraction.length - exponent
  return scale < 0 ? exactOf(digits * power(-scale), 0) : exactOf(digits, scale)
}

/** The nearest double. */
export function doubleOf(a: Exact): number {
  return typeof a === 'number' ? a : Number(a)
}

/** As Redis prints the result of INCR and INCRBYFLOAT: at most 17 decimal places, never an exponent. */
export function shownExact(a: Exact): string {
  if (typeof a === 'number' && Number.isSafeInteger(a)) return String(a)
  const { digits, scale } = decimalOf(a)
  if (scale <= SHOWN_SCALE) return textOf(digits, scale)
  const unit = power(scale - SHOWN_SCALE)
  const size = digits < 0n ? -digits : digits
  const rest = (size % unit) * 2n
  let rounded = size / unit
  if (rest > unit || (rest === unit && (rounded & 1n) === 1n)) rounded++
  const reduced = reduce(digits < 0n ? -rounded : rounded, SHOWN_SCALE)
  return textOf(reduced.digits, reduced.scale)
}

function exactOf(digits: bigint, scale: number): Exact {
  const reduced = reduce(digits, scale)
  const text = textOf(reduced.digits, reduced.scale)
  const double = Number(text)
  if (!Number.isFinite(double)) return text
  const same = decimalOf(double)
  return same.scale === reduced.scale && same.digits === reduced.digits ? double + 0 : text
}

function decimalOf(a: Exact): Decimal {
  if (typeof a === 'string') {
    const point = a.indexOf('.')
    if (point < 0) return { digits: BigInt(a), scale: 0 }
    return { digits: BigInt(a.slice(0, point) + a.slice(point + 1)), scale: a.length - point - 1 }
  }
  let [whole, scale] = [a, 0]
  // Doubling is exact.
  for (; !Number.isInteger(whole); scale++) whole *= 2
  return { digits: BigInt(whole) * 5n ** BigInt(scale), scale }
}

function reduce(digits: bigint, scale: number): Decimal {
  let reduced = { digits, scale }
  while (reduced.scale > 0 && reduced.digits % 10n === 0n)
    reduced = { digits: reduced.digits / 10n, scale: reduced.scale - 1 }
  return reduced
}

function textOf(digits: bigint, scale: number): string {
  if (scale === 0) return digits.toString()
  const sign = digits < 0n ? '-' : ''
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
  return `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`
}

function power(exponent: number): bigint {
  return 10n ** BigInt(exponent)
}
