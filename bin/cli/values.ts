/**
 * Values as text for people, and as people write them on a command line. What comes from anywhere
 * is shown without steering the terminal.
 */
import { Buffer } from 'node:buffer'
import { toJson, type Json } from '../../src/control/tagged-json.ts'

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
  return text.replaceAll(
    /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
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
 * What stands on a command line: JSON if it is JSON, tags included, otherwise the text itself.
 * Numbers that reading makes but writing would lose on the way to a running replica, `1e999` and
 * `-0`, are tagged.
 */
export function parseValue(text: string, isText: boolean): Json {
  if (isText) return text
  try {
    return JSON.parse(text, (_, part: Json) => (typeof part === 'number' ? toJson(part) : part)) as Json
  } catch {
    return text // not JSON, hence text
  }
}
