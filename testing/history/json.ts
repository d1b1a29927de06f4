/**
 * Values of a history: what JSON can say, so that a history can be written down and judged by
 * somebody else's checker too.
 */
import { ENCODED_DEPTH_MAX } from '../../crdt/encoding/encoding-limits.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/**
 * One text for equal values: names of objects are sorted, and -0 is 0. Two values are equal exactly
 * if their texts are. Costs the size of the value; call it once per value, not once per comparison.
 */
export function canonicalText(value: Json): string {
  if (typeof value === 'number') return String(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  const record = value as Readonly<Record<string, Json>> // Array.isArray does not narrow readonly arrays away
  const fields = Object.keys(record).sort()
  return `{${fields.map((name) => `${JSON.stringify(name)}:${canonicalText(record[name] ?? null)}`).join(',')}}`
}

export function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  return canonicalText(a) === canonicalText(b)
}

/**
 * Whether a value is nested more deeply than any payload may be; such a one could exhaust the
 * stack.
 */
export function isTooDeep(value: Json, depth = 0): boolean {
  if (value === null || typeof value !== 'object') return false
  return depth >= ENCODED_DEPTH_MAX || Object.values(value).some((inner: Json) => isTooDeep(inner, depth + 1))
}
