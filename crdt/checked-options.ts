/**
 * Refuses options that do not exist. An option that is misspelt and ignored looks as if it worked:
 * the compiler catches it in a literal, this check catches it everywhere else.
 *
 * It lives in the innermost ring because every ring takes options.
 */
import { shownKind } from './shown-kind.ts'
import { WarpError } from './warp-error.ts'

/** The names of all properties, of each member where `Options` is a union. */
type NameIn<Options> = Options extends unknown ? keyof Options & string : never

/**
 * The names that `Options` has, spelled out once for run time. The compiler asks for each of them,
 * so that an option that is added to the type cannot be forgotten here.
 */
export function optionNames<Options>(names: Readonly<Record<NameIn<Options>, true>>): readonly string[] {
  return Object.keys(names)
}

/**
 * Throws `WARP_E_CONFIG` if `options` is there and is no object, has a property that is not among
 * `known`, or a `signal` that is none. `what` is the call or the option that takes them, such as `openWarp` or
 * `openWarp: cache`. O(options given); allocates nothing unless it throws.
 */
export function checkOptions(what: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null) {
    throw new WarpError('WARP_E_CONFIG', `${what}: the options are ${shownKind(options)}; give an object`)
  }
  for (const name in options) if (!known.includes(name)) throw unknownOption(what, name, known)
  const { signal } = options as { readonly signal?: unknown }
  if (signal !== undefined && !isSignal(signal)) throw refusedOption(what, 'signal', signal, 'give an AbortSignal')
}

/** As `checkOptions`, where options have to be given: `example` shows some. */
export function requireOptions(what: string, options: unknown, known: readonly string[], example: string): void {
  if (options === undefined || options === null)
    throw new WarpError('WARP_E_CONFIG', `${what} needs options, and got ${shownKind(options)}; give ${example}`)
  checkOptions(what, options, known)
}

/** The refusal of an option's value: names the option, what was given, and what to give. */
export function refusedOption(what: string, option: string, value: unknown, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${what}: ${option} is ${shownKind(value)}; ${remedy}`, { details: { option } })
}

/** Throws `WARP_E_CONFIG` unless the option is left out, or of that type. */
export function checkTypeOf(
  what: string,
  options: object,
  option: string,
  type: 'boolean' | 'function' | 'number' | 'string',
): void {
  const value: unknown = (options as Readonly<Record<string, unknown>>)[option]
  if (value !== undefined && typeof value !== type) throw refusedOption(what, option, value, `give a ${type}`)
}

/**
 * Whether `value` is a number from `min` to `max`. For what callers give: a symbol, or an object
 * without a prototype, throws where it is compared or put into a text.
 */
export function isNumberFrom(value: unknown, min: number, max: number = Infinity): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

/** The same of whole numbers. */
export function isWholeFrom(value: unknown, min: number, max: number = Infinity): value is number {
  return isNumberFrom(value, min, max) && Number.isInteger(value)
}

/**
 * Throws `WARP_E_CONFIG` if a function that takes nothing was given something: what is ignored in
 * silence, `counter({ min: 0 })` say, would be believed in. `remedy` names what takes it, if anything.
 */
export function takesNothing(what: string, given: ArrayLike<unknown>, remedy = 'leave it out'): void {
  if (given.length === 0 || given[0] === undefined) return
  throw new WarpError('WARP_E_CONFIG', `${what}() takes nothing, and got ${shownKind(given[0])}; ${remedy}`)
}

function isSignal(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function'
  )
}

function unknownOption(what: string, name: string, known: readonly string[]): WarpError {
  const meant = within(name, known) ?? closest(name, known)
  const remedy = meant === undefined ? `it takes ${known.join(', ')}` : `did you mean '${meant}'?`
  return new WarpError('WARP_E_CONFIG', `${what}: there is no option '${name}'; ${remedy}`, {
    details: meant === undefined ? { option: name } : { option: name, meant },
  })
}

/** The longest of the names that is a part of this one: whoever writes `keyPrefix` means `prefix`, not `metaPrefix`. */
function within(name: string, known: readonly string[]): string | undefined {
  const parts = known.filter(
    (part) => part.length >= PART_LENGTH_MIN && name.toLowerCase().includes(part.toLowerCase()),
  )
  return parts.sort((a, b) => b.length - a.length)[0]
}

/** Shorter ones are parts of anything. */
const PART_LENGTH_MIN = 4

/**
 * The name that is fewest edits away, if that is close: a third of its characters, at least two.
 */
export function closest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance <= Math.max(2, candidate.length / 3) && distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/** Longer names are no slips of the finger. */
const LENGTH_MAX = 64

/**
 * How many characters have to be added, removed or replaced, one row of Levenshtein's matrix at a
 * time (Wagner and Fischer 1974).
 */
function editDistance(a: string, b: string): number {
  if (a.length > LENGTH_MAX) return Infinity
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
