/**
 * What a value weighs in a cache that is bounded by bytes: about what it takes encoded. An
 * estimate, because encoding only to count would cost more than keeping. What is no plain value (a
 * document, a date) weighs `otherwise`.
 */
const NUMBER_BYTES = 8

export function weightOf(value: unknown, otherwise: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value) || value instanceof Set) return weightOfAll(value as Iterable<unknown>, otherwise)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return otherwise
  return weightOfAll(Object.keys(value), otherwise) + weightOfAll(Object.values(value), otherwise)
}

function weightOfAll(values: Iterable<unknown>, otherwise: number): number {
  let sum = 1
  for (const value of values) sum += weightOf(value, otherwise)
  return sum
}
