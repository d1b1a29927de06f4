/**
 * The entries of a `map`: which strategy each has, and how an operation of the map becomes one of
 * an entry. `map.ts` says what it means.
 *
 *     payload = [entry, inner payload]   update
 *             | [entry]                  remove
 */
import {
  isForeignCode,
  type AnyStrategy,
  type Applied,
  type DeleteRule,
  type Fold,
  type Prepare,
  type Strategy,
} from './strategy.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { ReplicaId } from './time/replica-id.ts'
import type { Stamp } from './time/hlc.ts'
import { shownKind } from './shown-kind.ts'
import { WarpError } from './warp-error.ts'
import { compareStamps } from './time/hlc.ts'
import { chunksOf, expectArray, expectCount, expectReplica, expectText } from './encoding/stored-state.ts'
import { sortedSteps } from './sorted-steps.ts'
import { malformedPayload } from './encoding/payload.ts'
import { detached } from './encoding/shared-value.ts'

/** One entry's inner state. Replaced, never changed. */
export interface MapEntry {
  readonly state: unknown
  /** Of strategies of which only the last operation counts: which one that was. */
  readonly stamp?: Stamp
}

/** Of states and values this file knows nothing. */
type Inner = Strategy<unknown>

export type MapState = Map<string, MapEntry>

const PIECES_PER_STEP = 4096

interface Update {
  readonly entry: string
  readonly verb: string
  readonly parameters: readonly unknown[]
}

interface Question {
  readonly entry: string
  readonly query: string
  readonly parameters: readonly unknown[]
}

export type Rename = (replica: ReplicaId, sequence: number) => readonly [ReplicaId, number]

export class EntryStrategies {
  readonly fold: Fold
  readonly deletes: DeleteRule
  /** Names the fold, if each entry's strategy names its own. */
  readonly foldsAs: string | undefined
  /** Where every entry is alike. */
  readonly #common: Inner | undefined
  readonly #fields: ReadonlyMap<string, Inner>

  constructor(strategies: AnyStrategy | Readonly<Record<string, AnyStrategy>>) {
    checkStrategies(strategies)
    this.#common = isStrategy(strategies) ? strategies : undefined
    this.#fields = new Map(isStrategy(strategies) ? [] : Object.entries(strategies))
    const all = isStrategy(strategies) ? [strategies] : [...this.#fields.values()]
    for (const strategy of all) checkInner(strategy)
    this.fold = all.some((strategy) => strategy.fold === 'canonical') ? 'canonical' : 'any'
    this.deletes = all.some((strategy) => strategy.deletes === 'refused') ? 'refused' : 'observed'
    this.foldsAs = foldNameOf(this.#common, this.#fields)
  }

  update(prepare: Prepare<MapState>, { entry, verb, parameters }: Update): Encodable | undefined {
    const strategy = this.#offered(entry)
    const run = Object.hasOwn(strategy.verbs, verb) ? strategy.verbs[verb] : undefined
    if (run === undefined) throw notOffered(strategy, verb)
    const { replica, sequence } = prepare
    const inner = { replica, sequence, state: () => stateOf(strategy, prepare.state().get(entry)) }
    const payload = run(inner, ...parameters)
    return payload === undefined ? undefined : [entry, payload]
  }

  remove(prepare: Prepare<MapState>, entry: string): Encodable | undefined {
    const strategy = this.#offered(entry)
    if (strategy.deletes === 'refused') throw notOffered(strategy, 'remove')
    return prepare.state().has(entry) ? [entry] : undefined
  }

  ask(state: MapState, { entry, query, parameters }: Question): unknown {
    const strategy = this.#offered(entry)
    const queries = strategy.queries ?? {}
    const run = Object.hasOwn(queries, query) ? queries[query] : undefined
    if (run === undefined) throw notOffered(strategy, query)
    return run(stateOf(strategy, state.get(entry)), ...parameters)
  }

  /**
   * Changes `state` where that is allowed, which is where every entry may be folded in any order.
   */
  apply(state: MapState, operation: Applied<Encodable>): MapState {
    const { entry, inner } = expectParsed(operation.payload)
    const strategy = this.#known(entry)
    const before = state.get(entry)
    const after = inner === undefined ? undefined : this.#applyInner(strategy, before, innerOperation(operation, inner))
    if (after === before) return state
    const next = this.fold === 'canonical' ? new Map(state) : state
    if (after === undefined) next.delete(entry)
    else next.set(entry, after)
    return next
  }

  read(state: MapState): Readonly<Record<string, unknown>> | undefined {
    if (state.size === 0) return undefined
    const record: Record<string, unknown> = {}
    for (const [entry, held] of sorted(state)) {
      const strategy = this.#known(entry)
      const read = strategy.read(held.state)
      const value = isForeignCode(strategy.code) ? detached(read) : read
      if (value === undefined) continue
      // Assigning to `__proto__` would not make a property.
      Object.defineProperty(record, entry, { value, enumerable: true, writable: true, configurable: true })
    }
    return record
  }

  *encodeStateSteps(state: MapState): Generator<Encodable | undefined, void> {
    const names = yield* sortedSteps([...state.keys()], (a, b) => a < b)
    yield* chunksOf(this.#inSteps(state, names), (entry) => this.#encodeEntry(state, entry))
  }

  /** The names, with pauses behind entries that take long. */
  *#inSteps(state: MapState, names: readonly string[]): Generator<string | undefined, void> {
    let left = PIECES_PER_STEP
    for (const name of names) {
      yield name
      left -= this.#known(name).piecesOf?.((state.get(name) as MapEntry).state) ?? 1
      if (left > 0) continue
      yield undefined
      left = PIECES_PER_STEP
    }
  }

  #encodeEntry(state: MapState, entry: string): Encodable {
    const { state: inner, stamp } = state.get(entry) as MapEntry
    const encoded = this.#known(entry).encodeState(inner)
    return stamp === undefined ? [entry, encoded] : [entry, encoded, stamp.hlc, stamp.replica, stamp.sequence]
  }

  /** The entries, and what is in those that say it. Costs a call for each entry. */
  piecesOf(state: MapState): number {
    let pieces = 0
    for (const [entry, { state: inner }] of state) pieces += this.#known(entry).piecesOf?.(inner) ?? 1
    return pieces
  }

  *decodeStateSteps(chunks: Iterable<Encodable>): Generator<undefined, MapState> {
    const entries: MapState = new Map()
    let left = PIECES_PER_STEP
    for (const chunk of chunks) {
      for (const pair of expectArray(chunk)) {
        const [name, inner = null, hlc, replica, sequence] = expectArray(pair)
        const entry = expectText(name)
        const strategy = this.#known(entry)
        const state = strategy.decodeState(inner)
        left -= strategy.piecesOf?.(state) ?? 1
        if (left <= 0) {
          yield undefined
          left = PIECES_PER_STEP
        }
        if (hlc === undefined) entries.set(entry, { state })
        else {
          const stamp = { hlc: expectCount(hlc), replica: expectReplica(replica), sequence: expectCount(sequence) }
          entries.set(entry, { state, stamp })
        }
      }
      yield undefined
    }
    return entries
  }

  /**
   * A remove cancels whatever was done to its entry; an update cancels what its inner payload
   * cancels there.
   */
  cancels(payload: Encodable): ((earlier: Encodable) => boolean) | undefined {
    const own = parsed(payload)
    if (own === undefined) return undefined
    const { entry, inner } = own
    if (inner === undefined) return (earlier) => parsed(earlier)?.entry === entry
    const strategy = this.#common ?? this.#fields.get(entry)
    const cancelsInner = strategy?.fold === 'last' ? undefined : strategy?.cancels?.(inner)
    if (cancelsInner === undefined) return undefined
    return (earlier) => {
      const other = parsed(earlier)
      return other?.inner !== undefined && other.entry === entry && cancelsInner(other.inner)
    }
  }

  /** Entries cancel nothing of each other. */
  cancelScope(payload: Encodable): string | undefined {
    return parsed(payload)?.entry
  }

  rebase(payload: Encodable, rename: Rename): Encodable {
    const { entry, inner } = expectParsed(payload)
    const strategy = this.#known(entry)
    if (inner === undefined || strategy.rebase === undefined) return payload
    return [entry, strategy.rebase(inner, rename)]
  }

  #applyInner(strategy: Inner, before: MapEntry | undefined, operation: Applied<Encodable>): MapEntry | undefined {
    if (strategy.fold === 'last') return applyLast(strategy, before, operation)
    const state = strategy.apply(this.#changeable(strategy, before), operation)
    return strategy.isEmpty(state) ? undefined : { state }
  }

  /**
   * A state that the inner strategy may change: under a canonical fold, where earlier states stay
   * in use, a copy.
   */
  #changeable(strategy: Inner, held: MapEntry | undefined): unknown {
    if (held === undefined) return strategy.initial()
    const isCopied = this.fold === 'canonical' && strategy.fold === 'any'
    return isCopied ? strategy.decodeState(strategy.encodeState(held.state)) : held.state
  }

  /** For callers: an entry that the map does not have is their mistake. */
  #offered(entry: string): Inner {
    const strategy = this.#common ?? this.#fields.get(entry)
    if (typeof entry === 'string' && strategy !== undefined) return strategy
    const fields = [...this.#fields.keys()].join(', ')
    throw new WarpError('WARP_E_MODE', `the map has no field of that name; it has: ${fields}`)
  }

  /** For operations: another replica may know fields that this one does not. */
  #known(entry: string): Inner {
    const strategy = this.#common ?? this.#fields.get(entry)
    if (strategy !== undefined) return strategy
    const message = 'the map holds a field that this replica has no strategy for; give all replicas the same fields'
    throw new WarpError('WARP_E_UNKNOWN_OP', message)
  }
}

/** `undefined` if any of them does not name its fold. */
function foldNameOf(common: Inner | undefined, fields: ReadonlyMap<string, Inner>): string | undefined {
  const named = common === undefined ? [...fields].sort(([a], [b]) => (a < b ? -1 : 1)) : [['', common] as const]
  if (named.some(([, { foldsAs }]) => foldsAs === undefined)) return undefined
  const inner = named.map(([field, { code, foldsAs }]) => [field, code, foldsAs])
  return `${common === undefined ? 'record' : 'map'} ${JSON.stringify(inner)}`
}

function checkStrategies(given: unknown): void {
  if (typeof given === 'object' && given !== null) {
    const strategies = isStrategy(given as AnyStrategy) ? [given] : Object.values(given)
    const wrong: unknown = strategies.find(
      (one) => typeof one !== 'object' || one === null || !isStrategy(one as AnyStrategy),
    )
    if (wrong === undefined) return
    throw notStrategies(wrong)
  }
  throw notStrategies(given)
}

function notStrategies(given: unknown): WarpError {
  const remedy = typeof given === 'function' ? `call it: ${given.name}()` : 'give a strategy, or a record of strategies'
  return new WarpError('WARP_E_CONFIG', `map takes strategies, and got ${shownKind(given)}; ${remedy}`)
}

function isStrategy(candidate: AnyStrategy | Readonly<Record<string, AnyStrategy>>): candidate is AnyStrategy {
  return typeof candidate['apply'] === 'function'
}

function checkInner(strategy: Inner): void {
  if (strategy.appliesOnPrepare !== true) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `${strategy.kind} documents cannot be entries of a map; give each document a key of its own`,
    { details: { kind: strategy.kind } },
  )
}

function notOffered(strategy: Inner, name: string): WarpError {
  const offered = [...Object.keys(strategy.verbs), ...Object.keys(strategy.queries ?? {})].join(', ')
  return new WarpError('WARP_E_MODE', `an entry of kind ${strategy.kind} has no ${name}; it has: ${offered}`, {
    details: { kind: strategy.kind, name },
  })
}

function stateOf(strategy: Inner, held: MapEntry | undefined): unknown {
  return held === undefined ? strategy.initial() : held.state
}

function applyLast(strategy: Inner, before: MapEntry | undefined, operation: Applied<Encodable>): MapEntry {
  if (before?.stamp !== undefined && compareStamps(before.stamp, operation) > 0) return before
  const { hlc, replica, sequence } = operation
  return { state: strategy.apply(strategy.initial(), operation), stamp: { hlc, replica, sequence } }
}

interface Parsed {
  readonly entry: string
  readonly inner: Encodable | undefined
}

function parsed(payload: Encodable): Parsed | undefined {
  const [entry, inner] = Array.isArray(payload) ? (payload as readonly Encodable[]) : []
  return typeof entry === 'string' ? { entry, inner } : undefined
}

function expectParsed(payload: Encodable): Parsed {
  const found = parsed(payload)
  if (found === undefined) throw malformedPayload('map')
  return found
}

function innerOperation(operation: Applied<Encodable>, payload: Encodable): Applied<Encodable> {
  const { hlc, replica, sequence } = operation
  return { hlc, replica, sequence, payload, observed: (other, n) => operation.observed(other, n) }
}

function sorted(state: MapState): [string, MapEntry][] {
  return [...state].sort(([a], [b]) => (a < b ? -1 : 1))
}
