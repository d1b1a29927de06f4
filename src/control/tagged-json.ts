/**
 * Values as JSON, losslessly: for the control socket, for `--json` and on the command line.
 *
 * JSON has no bigint, bytes, dates, sets, NaN or infinities. Such a value becomes an object with
 * one property whose name begins with `$`:
 *
 *     {"$bigint":"12"}  {"$bytes":"aGk="}  {"$date":"2026-01-01T00:00:00.000Z"}  {"$number":"NaN"}  {"$set":[1,2]}
 *
 * A plain object that looks like that is wrapped, `{"$plain":{"$bigint":"12"}}`, so that reading
 * gives back what was written. Documents of other libraries are shown as the JSON that they make of
 * themselves; that is the one thing that does not come back.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { fromBase64, toBase64 } from '../../crdt/encoding/base64.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Arrays and objects within each other. Twice what a payload may nest, since a tag is a level as
 * well.
 */
const DEPTH_MAX = 128

type Tag = '$bigint' | '$bytes' | '$date' | '$number' | '$set' | '$plain'

/** Throws `WARP_E_UNENCODABLE` for functions, symbols and what nests too deep. */
export function toJson(value: unknown, depth = 0): Json {
  if (depth > DEPTH_MAX) throw unencodable(`a value that nests deeper than ${DEPTH_MAX}`)
  if (value === null || value === undefined) return null
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: numberName(value) }
    case 'bigint':
      return { $bigint: value.toString() }
    case 'object':
      return objectToJson(value, depth + 1)
    default:
      throw unencodable(`a ${typeof value}`)
  }
}

function objectToJson(value: object, depth: number): Json {
  const inner = (item: unknown): Json => toJson(item, depth)
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) }
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString() }
  if (value instanceof Set) return { $set: [...value].map(inner) }
  if (Array.isArray(value)) return value.map(inner)
  if (isDocument(value)) return inner(value.toJSON())
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [key, inner(item)] as const)
  const plain = Object.fromEntries(entries)
  return entries.length === 1 && entries[0]?.[0].startsWith('$') === true ? { $plain: plain } : plain
}

/**
 * The reverse of `toJson`. Throws `WARP_E_UNENCODABLE` for a tag whose content is not what it says.
 */
export function fromJson(json: Json, depth = 0): unknown {
  if (depth > DEPTH_MAX) throw unencodable(`a value that nests deeper than ${DEPTH_MAX}`)
  if (json === null || typeof json !== 'object') return json
  if (isList(json)) return json.map((item) => fromJson(item, depth + 1))
  const entries = Object.entries(json)
  const [only] = entries
  if (entries.length === 1 && only !== undefined && Object.hasOwn(UNTAG, only[0])) {
    return UNTAG[only[0] as Tag](only[1], depth + 1) // it has just been found there
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, fromJson(item, depth + 1)]))
}

const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
}

const UNTAG: Readonly<Record<Tag, (content: Json, depth: number) => unknown>> = {
  $bigint: (content) => BigInt(matching(content, '$bigint', /^-?\d{1,40}$/)),
  $bytes: (content) =>
    fromBase64(matching(content, '$bytes', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)),
  $date: (content) => {
    const date = new Date(matching(content, '$date', /^/))
    if (content !== 'invalid' && Number.isNaN(date.getTime())) throw mistagged('$date')
    return date
  },
  $number: (content) => {
    const value = typeof content === 'string' ? NUMBERS[content] : undefined
    if (value === undefined) throw mistagged('$number')
    return value
  },
  $set: (content, depth) => {
    if (!isList(content)) throw mistagged('$set')
    return new Set(content.map((item) => fromJson(item, depth)))
  },
  $plain: (content, depth) => {
    if (content === null || typeof content !== 'object' || isList(content)) throw mistagged('$plain')
    return Object.fromEntries(Object.entries(content).map(([key, item]) => [key, fromJson(item, depth)]))
  },
}

function isDocument(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}

function numberName(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function matching(content: Json, tag: Tag, form: RegExp): string {
  if (typeof content !== 'string' || !form.test(content)) throw mistagged(tag)
  return content
}

function mistagged(tag: Tag): WarpError {
  return unencodable(`a ${tag} with another content than ${tag} has; as a plain object it is {"$plain":{"${tag}":...}}`)
}

function unencodable(what: string): WarpError {
  return new WarpError('WARP_E_UNENCODABLE', `cannot take ${what}`)
}
