/**
 * JSON whose numbers mean what they say. `JSON.parse` makes the nearest double of each number: of
 * an id of 18 digits another id, of `1e999` an infinity, and nobody is told. Here such a number is
 * refused.
 */
import { WarpError } from '../../crdt/warp-error.ts'

const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Throws a `SyntaxError` for what is no JSON, `WARP_E_UNENCODABLE` for a number that would change. */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  for (const [token] of text.matchAll(TEXT_OR_NUMBER)) {
    if (token.startsWith('"') || isExact(token)) continue
    throw new WarpError(
      'WARP_E_UNENCODABLE',
      `the number ${shortened(token)} would be kept as ${Number(token)}: a number holds some 15 digits; give it as text ` +
        `("${shortened(token)}") or, whole, as {"$bigint":"${shortened(token)}"}`,
      { details: { number: shortened(token) } },
    )
  }
  return value
}

/** Whether the double that is nearest to a number, written as short as possible, is that number. */
function isExact(text: string): boolean {
  const value = Number(text)
  return Number.isFinite(value) && decimal(text) === decimal(String(value))
}

/** One text for one number: its digits without zeros at the ends, and where the point stands. */
function decimal(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

const SHOWN_MAX = 60

function shortened(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}
