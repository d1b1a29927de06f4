/** Values as error messages name them: their kind, and the value itself where that is short. */

const SHOWN_CHARS_MAX = 40

/** `null`, `the number 5`, `the string "x"`, `a function (counter)`, `a Map`, `an object`. */
export function shownKind(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return value.name === '' ? 'a function' : `a function (${value.name})`
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value === 'bigint') return `the bigint ${value}n`
  if (typeof value === 'object') return shownObject(value)
  const text = typeof value === 'string' ? JSON.stringify(value) : `${value as number | boolean}`
  return `the ${typeof value} ${text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text}`
}

/** A number as it is, anything else by its kind: for messages that say `limit is 5`. */
export function shownValue(value: unknown): string {
  return typeof value === 'number' ? String(value) : shownKind(value)
}

function shownObject(value: object): string {
  if (Array.isArray(value)) return 'an array'
  const prototype = Object.getPrototypeOf(value) as { readonly constructor?: unknown } | null
  const made: unknown = prototype === null ? undefined : prototype.constructor
  return typeof made === 'function' && made !== Object && made.name !== ''
    ? `${article(made.name)} ${made.name}`
    : 'an object'
}

function article(name: string): string {
  return /^[AEIO]/i.test(name) ? 'an' : 'a'
}
