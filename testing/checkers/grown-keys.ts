/**
 * Keys that only ever grow: sets and lists to which elements are added, each by one call, and from
 * which nobody takes any. Whoever has seen an element of such a key must see it for ever, so
 * several checkers judge by them. A key is left out for good once anybody does anything else to it.
 */
import { Keyspaces, type Keyspace } from '../../src/keys/keyspace.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { CallRecord, Intent } from '../simulation/report/run-history.ts'
import { textOfValue } from '../simulation/report/shown.ts'

/** Elements by `identityOf`, each with the call that adds it. */
export type Adds = ReadonlyMap<unknown, CallRecord>

export class GrownKeys {
  readonly #keyspaces: Keyspaces
  readonly #adds = new Map<string, Map<unknown, CallRecord>>()
  readonly #excluded = new Set<string>()

  constructor(keys: KeyMap) {
    this.#keyspaces = new Keyspaces(keys, true)
  }

  get adds(): ReadonlyMap<string, Adds> {
    return this.#adds
  }

  /** Takes notice of a call: to be told of each once, in the order in which they begin. */
  note(call: CallRecord): void {
    const { intent } = call
    if ((intent.kind !== 'write' && intent.kind !== 'delete') || this.#excluded.has(intent.key)) return
    const { key } = intent
    const element = addedElement(intent, this.#keyspaces.find(key))
    const adds = this.#adds.get(key) ?? new Map<unknown, CallRecord>()
    if (element === undefined || adds.has(element)) {
      this.#excluded.add(key)
      this.#adds.delete(key)
    } else this.#adds.set(key, adds.set(element, call))
  }
}

/** How many parameters a verb takes that adds one element, the last of them. */
const ADDING: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  set: { add: 1 },
  list: { push: 1, insert: 2 },
}

/**
 * `undefined` of whatever else an intent may do, and where what was added may rightly be gone or
 * not have come.
 */
function addedElement(intent: Intent, keyspace: Keyspace | undefined): unknown {
  if (intent.kind !== 'write' || keyspace === undefined || keyspace.ttlMs !== 0 || !keyspace.domain.isSent) return
  const count = ADDING[keyspace.strategy.kind]?.[intent.verb]
  return intent.parameters.length === count ? identityOf(intent.parameters.at(-1)) : undefined
}

/** The same for equal elements: themselves where they are plain, otherwise their bytes as text. */
export function identityOf(element: unknown): unknown {
  return typeof element === 'object' ? textOfValue(element) : element
}

const known = new WeakMap<object, ReadonlySet<unknown>>()

/**
 * The elements of a value that a set or a list shows, by `identityOf`. Made once for each value:
 * replicas hand out the same one until it changes.
 */
export function elementsOf(value: unknown): ReadonlySet<unknown> {
  if (typeof value !== 'object' || value === null) return NONE
  const before = known.get(value)
  if (before !== undefined) return before
  const elements = new Set([...(value as Iterable<unknown>)].map(identityOf))
  known.set(value, elements)
  return elements
}

const NONE: ReadonlySet<unknown> = new Set()
