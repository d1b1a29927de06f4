/**
 * Says why a value cannot be encoded. Runs only after the writer has refused: it walks the value
 * once more, this time keeping the path, so that the good path pays nothing for messages.
 */
import { ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from './encoding-limits.ts'
import { isDate, isUint8Array, isWellFormed } from './encoding-scalars.ts'
import { isPlainObject } from './encoding-writer.ts'
import { WarpError, type WarpErrorCode } from '../warp-error.ts'

const ALLOWED =
  'null, booleans, numbers, strings, bigints of 64 bits, Uint8Array, Date, and arrays and plain objects of these'
const PATH_KEY_CHARS_MAX = 64
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/

interface Refusal {
  readonly code: WarpErrorCode
  readonly path: string
  /** What was found, with its remedy. */
  readonly what: string
}

/** The error for a `value` that the writer has refused. */
export function refusalOf(value: unknown): WarpError {
  const cycle = cycleIn(value, 'value', [])
  if (cycle !== undefined) return new WarpError('WARP_E_UNENCODABLE', cycle.text, { details: { path: cycle.path } })
  const refusal = find(value, 'value', 0)
  if (refusal === undefined) {
    return new WarpError(
      'WARP_E_UNENCODABLE',
      'value changes while it is read (a getter or a proxy); pass a plain copy',
    )
  }
  const { code, path, what } = refusal
  const hint = code === 'WARP_E_LIMIT' ? '' : `; a value may hold ${ALLOWED}`
  return new WarpError(code, `${path} is ${what}${hint}`, { details: { path } })
}

/** A container that lies within itself. */
function cycleIn(
  value: unknown,
  path: string,
  within: readonly { readonly container: object; readonly path: string }[],
): { readonly path: string; readonly text: string } | undefined {
  if (typeof value !== 'object' || value === null || within.length > ENCODED_DEPTH_MAX) return undefined
  const outer = within.find(({ container }) => container === value)
  if (outer !== undefined)
    return { path, text: `${path} is ${outer.path} again, a cycle; leave it out, or name it by a key` }
  if (!Array.isArray(value) && !isPlainObject(value)) return undefined
  const inside = [...within, { container: value, path }]
  for (const [name, entry] of Object.entries(value)) {
    const cycle = cycleIn(entry, Array.isArray(value) ? `${path}[${name}]` : `${path}${step(name)}`, inside)
    if (cycle !== undefined) return cycle
  }
  return undefined
}

function find(value: unknown, path: string, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'number':
      return undefined
    case 'string':
      return isWellFormed(value)
        ? undefined
        : unencodable(path, 'a string with a lone surrogate; use toWellFormed() or bytes')
    case 'bigint':
      return fits64Bits(value) ? undefined : unencodable(path, 'a bigint beyond 64 bits; use a string or bytes')
    case 'undefined':
      return unencodable(path, 'undefined; use null, or leave the property out')
    case 'function':
    case 'symbol':
      return unencodable(path, `a ${typeof value}`)
    case 'object':
      return value === null ? undefined : findInReference(value, path, depth)
  }
}

function findInReference(value: object, path: string, depth: number): Refusal | undefined {
  if (Array.isArray(value)) return findInArray(value, path, depth)
  if (isUint8Array(value)) return undefined
  if (isDate(value)) {
    return Number.isNaN(Date.prototype.getTime.call(value)) ? unencodable(path, 'an invalid Date; use null') : undefined
  }
  if (isPlainObject(value)) return findInObject(value as Record<string, unknown>, path, depth)
  return unencodable(path, describe(value))
}

function findInArray(array: readonly unknown[], path: string, depth: number): Refusal | undefined {
  if (depth >= ENCODED_DEPTH_MAX) return tooDeep(path)
  if (array.length > ENCODED_ENTRIES_MAX) return tooMany(path, `an array of ${array.length} elements`)
  for (let i = 0; i < array.length; i++) {
    const refusal =
      i in array
        ? find(array[i], `${path}[${i}]`, depth + 1)
        : unencodable(`${path}[${i}]`, 'a hole in an array; use null')
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function findInObject(object: Record<string, unknown>, path: string, depth: number): Refusal | undefined {
  if (depth >= ENCODED_DEPTH_MAX) return tooDeep(path)
  const entries = Object.entries(object).filter(([, value]) => value !== undefined)
  if (entries.length > ENCODED_ENTRIES_MAX) return tooMany(path, `an object of ${entries.length} properties`)
  for (const [key, value] of entries) {
    const inner = `${path}${step(key)}`
    if (!isWellFormed(key)) return unencodable(inner, 'a property whose name has a lone surrogate')
    const refusal = find(value, inner, depth + 1)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function step(key: string): string {
  if (key.length > PATH_KEY_CHARS_MAX) return `[${JSON.stringify(`${key.slice(0, PATH_KEY_CHARS_MAX)}…`)}]`
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function describe(value: object): string {
  const name = nameOf(value)
  switch (name) {
    case 'Map':
      return 'a Map; use an object, or an array of pairs'
    case 'Set':
      return 'a Set; use an array'
    case 'Promise':
      return 'a Promise; await it'
    default:
      return ArrayBuffer.isView(value) || value instanceof ArrayBuffer
        ? `of type ${name}; use a Uint8Array over the same bytes`
        : `an instance of ${name}; use a plain object`
  }
}

function nameOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as object
  const constructor: unknown = Object.hasOwn(prototype, 'constructor') ? prototype.constructor : undefined
  return (typeof constructor === 'function' && constructor.name) || 'a class without a name'
}

function fits64Bits(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
}

function unencodable(path: string, what: string): Refusal {
  return { code: 'WARP_E_UNENCODABLE', path, what }
}

function tooDeep(path: string): Refusal {
  const what = `nested deeper than ${ENCODED_DEPTH_MAX} levels (it may be a cycle); flatten it`
  return { code: 'WARP_E_LIMIT', path: path.length > 200 ? `${path.slice(0, 200)}…` : path, what }
}

function tooMany(path: string, what: string): Refusal {
  return {
    code: 'WARP_E_LIMIT',
    path,
    what: `${what}, more than the ${ENCODED_ENTRIES_MAX} allowed; split it over several keys`,
  }
}
