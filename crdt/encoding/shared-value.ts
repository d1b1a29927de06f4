/**
 * Values that many readers share. Plain objects and arrays are frozen, sets and maps refuse to be
 * changed. Bytes and dates can be neither; a value that is one of them, or holds one, is called
 * *loose* here, and each reader gets a copy of its own.
 *
 * Whether a value is loose is known without looking through it: whoever makes a container with
 * something loose in it (the codec, `normalForm`, `shared`) notes that. So values without bytes and
 * dates, which most are, cost nothing.
 */
import { isDate, isUint8Array } from './encoding-scalars.ts'
import { WarpError } from '../warp-error.ts'

/** Frozen containers that hold something loose, at any depth. */
const holders = new WeakSet<object>()

/** Notes that a container holds something loose. */
export function noteLoose(container: object): void {
  holders.add(container)
}

/** Whether whoever has the value could change it. O(1) for what `shared` or the codec has made. */
export function isLoose(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (holders.has(value)) return true
  return !isPlainContainer(value) && (isUint8Array(value) || isDate(value))
}

/**
 * The value, with everything loose in it copied: a change of the copy is nobody else's. Costs
 * nothing for a value that is not loose, and otherwise the containers on the way to what is.
 */
export function copyLoose<T>(value: T): T {
  return isLoose(value) ? (copyOf(value as object) as T) : value
}

function copyOf(value: object): object {
  if (isUint8Array(value)) return new Uint8Array(value)
  if (isDate(value)) return new Date(Date.prototype.getTime.call(value))
  if (value instanceof Set) return guarded(new Set([...(value as Set<unknown>)].map(copyLoose)), SET_REFUSALS)
  if (value instanceof Map) {
    const pairs = [...(value as Map<unknown, unknown>)]
    return guarded(new Map(pairs.map(([key, entry]) => [copyLoose(key), copyLoose(entry)])), MAP_REFUSALS)
  }
  const entries: readonly unknown[] = Object.values(value).map(copyLoose)
  const copy = Array.isArray(value) ? entries : withEntries(value, entries)
  noteLoose(copy)
  return Object.freeze(copy)
}

/**
 * Makes a value one that many may share, in place: what a strategy of Warp's own has read out of its
 * state. What is frozen already is the codec's or `normalForm`'s and is not looked through.
 */
export function shared<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) share(value)
  return value
}

/**
 * A set that many may share, of elements that each can be shared already. Costs no look at them.
 */
export function sharedSet<T>(elements: readonly T[], { hasLoose }: { readonly hasLoose: boolean }): ReadonlySet<T> {
  return guardedSet(new Set(elements), { hasLoose })
}

/** The same of a set that is nobody else's. */
export function guardedSet<T>(own: Set<T>, { hasLoose }: { readonly hasLoose: boolean }): ReadonlySet<T> {
  const set = guarded(own, SET_REFUSALS)
  if (hasLoose) noteLoose(set)
  return set
}

function share(value: object): void {
  if (value instanceof Set) {
    guarded(value, SET_REFUSALS)
    shareAll(value, value)
  } else if (isPlainContainer(value)) {
    Object.freeze(value)
    shareAll(value, Object.values(value))
  }
}

function shareAll(container: object, entries: Iterable<unknown>): void {
  let holdsLoose = false
  for (const entry of entries) holdsLoose = isLoose(shared(entry)) || holdsLoose
  if (holdsLoose) noteLoose(container)
}

/**
 * As `shared`, of what code that is not Warp's has handed out: that may be a piece of a state which
 * will be changed, so it is copied. What is frozen through and through stays as it is. Instances of
 * classes are left alone: only their makers know how to copy them. O(value).
 */
export function detached<Value>(value: Value): Value {
  return typeof value === 'object' && value !== null ? (detachedFrom(value) as Value) : value
}

function detachedFrom(value: object): object {
  if (isUint8Array(value) || isDate(value)) return copyOf(value)
  if (value instanceof Set) {
    const elements = [...(value as Set<unknown>)].map(detached)
    return noted(guarded(new Set(elements), SET_REFUSALS), elements)
  }
  if (value instanceof Map) {
    const pairs = [...(value as Map<unknown, unknown>)].map(([key, entry]) => [detached(key), detached(entry)] as const)
    return noted(guarded(new Map(pairs), MAP_REFUSALS), pairs.flat())
  }
  if (!isPlainContainer(value)) return value
  const before: readonly unknown[] = Object.values(value)
  const entries = before.map(detached)
  if (Object.isFrozen(value) && entries.every((entry, i) => entry === before[i])) return value
  const copy = Array.isArray(value) ? entries : withEntries(value, entries)
  return noted(Object.freeze(copy), entries)
}

function noted<Container extends object>(container: Container, entries: readonly unknown[]): Container {
  if (entries.some(isLoose)) noteLoose(container)
  return container
}

/** An object with the property names of another one. */
function withEntries(model: object, entries: readonly unknown[]): object {
  const copy = Object.create(Object.getPrototypeOf(model) as object | null) as object
  for (const [i, name] of Object.keys(model).entries())
    // Assigning to `__proto__` would not make a property.
    Object.defineProperty(copy, name, { value: entries[i], enumerable: true })
  return copy
}

function isPlainContainer(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null || Array.isArray(value)
}

/** The methods that change a set or a map, refused as a frozen object refuses an assignment. */
function refusals(kind: string, ...names: readonly string[]): PropertyDescriptorMap {
  const refuse = (): never => {
    throw new WarpError(
      'WARP_E_MODE',
      `this ${kind} is shared by all readers; write through warp.key(key), or change a copy: new ${kind}(value)`,
    )
  }
  return Object.fromEntries(names.map((name) => [name, { value: refuse }]))
}

const SET_REFUSALS = refusals('Set', 'add', 'delete', 'clear')
const MAP_REFUSALS = refusals('Map', 'set', 'delete', 'clear')

/** Still a set or a map to everybody who asks; the refusing methods are its own, not enumerable. */
function guarded<Container extends object>(container: Container, methods: PropertyDescriptorMap): Container {
  return Object.freeze(Object.defineProperties(container, methods))
}
