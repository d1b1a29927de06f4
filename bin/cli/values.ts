/**
 * Values as text for people, and as people write them on a command line. What comes from anywhere
 * is shown without steering the terminal.
 */
import { Buffer } from 'node:buffer'
import { parseExactJson } from '../../src/control/exact-json.ts'
import { toJson, type Json } from '../../src/control/tagged-json.ts'
import { isWarpError } from '../../crdt/warp-error.ts'

/**
 * For people: JSON, with what JSON lacks written as in a program. Text on its own is shown without
 * quotes.
 */
export function show(value: unknown): string {
  return printableText(typeof value === 'string' ? value : literal(value))
}

/** As {@link show}, but text is in quotes, and on one line: for cells of tables. */
export function showCell(value: unknown): string {
  return printable(literal(value))
}

/**
 * Keys, and messages that name them, come from anywhere: what would steer the terminal, turn the
 * writing round or not be seen is shown as an escape. One line, so that no key looks like two, or
 * like a line of ours.
 */
export function printable(text: string): string {
  return printableText(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

/**
 * As {@link printable}, but line breaks and tabs stay: for text that is all there is to be read.
 */
export function printableText(text: string): string {
  return text.replaceAll(UNSAFE, escaped)
}

/** JSON of which nothing steers a terminal. It reads as the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(UNSAFE, escaped)
}

/**
 * Control characters but line break and tab, what is not seen (soft hyphen, joiners, tags and their
 * like) and what turns the writing round.
 */
const UNSAFE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** As JSON escapes it: in units of UTF-16. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

const SHOWN_BYTES_MAX = 32

function literal(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value)
  if (value instanceof Uint8Array) return shownBytes(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (value instanceof Set) return braced('', [...value].map(literal))
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  return braced(
    ' ',
    Object.entries(value).map(([key, item]) => `${nameOf(key)}: ${literal(item)}`),
  )
}

function braced(space: string, items: readonly string[]): string {
  return items.length === 0 ? '{}' : `{${space}${items.join(', ')}${space}}`
}

function nameOf(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)
}

function shownBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, SHOWN_BYTES_MAX)).toString('hex')
  return `<${bytes.length} bytes${shown === '' ? '' : ` ${shown}`}${bytes.length > SHOWN_BYTES_MAX ? '…' : ''}>`
}

/**
 * What stands on a command line: JSON if it is JSON, tags included, otherwise the text itself. `-0`,
 * which writing would lose on the way to a running replica, is tagged. Throws `WARP_E_UNENCODABLE`
 * for a number that cannot be kept exactly.
 */
export function parseValue(text: string, isText: boolean): Json {
  if (isText) return text
  try {
    parseExactJson(text)
  } catch (error) {
    if (isWarpError(error)) throw error
    return text // not JSON, hence text
  }
  return JSON.parse(text, (_, part: Json) => (Object.is(part, -0) ? toJson(part) : part)) as Json
}
