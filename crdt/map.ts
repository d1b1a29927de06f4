/**
 * A map whose entries each have a strategy: `map(register<number>())`, every entry alike, or
 * `map({ title: register<string>(), tags: set<string>() })`, a record with named fields. Maps nest.
 *
 * `update(entry, verb, ...)` runs a verb of the entry's strategy; the payload is the entry's name
 * and the inner payload, and `apply` hands it to the inner strategy. Thus a map is the product of
 * its entries, and commutes if they do [1, 2]. `remove(entry)` cancels the operations on the entry
 * that its writer had seen, whole; a concurrent update survives and finds the entry as if nothing
 * but concurrent updates had ever been there: the reset-remove, add-wins map of [2, 3]. It needs no
 * causal context per entry, because cancelling is the engine's (see `strategy.ts`).
 *
 * State: per entry the inner state; for strategies of which the last operation counts, also the
 * stamp, so that they commute. An entry is there if its state is not empty: a counter that is back
 * at 0 is not listed. `read` gives a plain record, sorted.
 * Cost: that of the entry's operation; O(entries) for a read after a change; a remove that is
 * concurrent with other operations on the key folds the key again. If any inner strategy needs
 * canonical order, the whole map is folded so: every operation then copies the list of entries,
 * O(entries), and the state of an entry that would be changed in place.
 *
 * When not to use it: for many independent things, make them keys. For a record that is always
 * written as a whole: `register`. Documents (`yjs`, `automerge`) cannot be entries: they apply what
 * they prepare. An entry whose strategy refuses deletes cannot be removed, nor the key deleted. All
 * replicas must be given the same strategies.
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: Conflict-free Replicated Data Types. SSS
 *    2011.
 * 2. P. Almeida, A. Shoker, C. Baquero: Delta State Replicated Data Types. 2018, section 7.
 * 3. R. Brown, S. Cribbs, C. Meiklejohn, S. Elliott: Riak DT Map: A Composable, Convergent
 *    Replicated Dictionary. 2014.
 */
import type { AnyStrategy, Applied, Prepare, QueriesOf, Strategy, ValueOf, VerbsOf } from './strategy.ts'
import type { Encodable } from './encoding/encodable.ts'
import { expectArray, finished, inOneGo } from './encoding/stored-state.ts'
import { EntryStrategies } from './map-entries.ts'
import type { MapState, Rename } from './map-entries.ts'

export type Fields = Readonly<Record<string, AnyStrategy>>

/** After the name of an entry: a verb of its strategy and what the verb takes. */
type Calls<Methods> = {
  // The constraint is needed: without it, `...elements: readonly T[]` is not inferred.
  [Name in keyof Methods & string]: Methods[Name] extends (
    first: never,
    ...parameters: infer Parameters extends readonly unknown[]
  ) => unknown
    ? [name: Name, ...parameters: Parameters]
    : never
}[keyof Methods & string]

type FieldCalls<F extends Fields, Kind extends 'verbs' | 'queries'> = {
  [Name in keyof F & string]: [
    entry: Name,
    ...call: Calls<Kind extends 'verbs' ? VerbsOf<F[Name]> : QueriesOf<F[Name]>>,
  ]
}[keyof F & string]

type MapVerbs<Entry extends string, Update extends readonly unknown[]> = {
  /** Runs a verb of an entry's strategy. */
  readonly update: (prepare: Prepare<MapState>, ...update: Update) => Encodable | undefined
  /** Takes an entry away, as far as this replica has seen it. */
  readonly remove: (prepare: Prepare<MapState>, entry: Entry) => Encodable | undefined
}

type MapQueries<Entry extends string, Question extends readonly unknown[]> = {
  /** Whether there is such an entry. */
  readonly has: (state: MapState, entry: Entry) => boolean
  /** Runs a query of an entry's strategy. */
  readonly ask: (state: MapState, ...question: Question) => unknown
}

/** A map with any entries, all of one strategy. */
export type MapOf<S extends AnyStrategy> = Strategy<
  Readonly<Record<string, ValueOf<S>>>,
  MapState,
  Encodable,
  MapVerbs<string, [entry: string, ...call: Calls<VerbsOf<S>>]>,
  MapQueries<string, [entry: string, ...call: Calls<QueriesOf<S>>]>
>

/** A record whose fields have a strategy each. */
export type RecordOf<F extends Fields> = Strategy<
  { readonly [Name in keyof F]?: ValueOf<F[Name]> },
  MapState,
  Encodable,
  MapVerbs<keyof F & string, FieldCalls<F, 'verbs'>>,
  MapQueries<keyof F & string, FieldCalls<F, 'queries'>>
>

/** Map of entries that are all folded by `strategy`. Throws `WARP_E_CONFIG` for documents. */
export function map<S extends AnyStrategy>(strategy: S): MapOf<S>
/** Record whose fields are folded by a strategy each. Throws `WARP_E_CONFIG` for documents. */
export function map<F extends Fields>(fields: F): RecordOf<F>
export function map(strategies: AnyStrategy | Fields): AnyStrategy {
  const entries = new EntryStrategies(strategies)
  return {
    kind: 'map',
    code: 6,
    fold: entries.fold,
    ...(entries.foldsAs === undefined ? {} : { foldsAs: entries.foldsAs }),
    deletes: entries.deletes,
    initial: (): MapState => new Map(),
    apply: (state: MapState, operation: Applied<Encodable>) => entries.apply(state, operation),
    read: (state: MapState) => entries.read(state),
    isEmpty: (state: MapState) => state.size === 0,
    encodeState: (state: MapState) => inOneGo(entries.encodeStateSteps(state)),
    encodeStateSteps: (state: MapState) => entries.encodeStateSteps(state),
    piecesOf: (state: MapState) => entries.piecesOf(state),
    decodeState: (encoded: Encodable) => finished(entries.decodeStateSteps(expectArray(encoded))),
    decodeStateSteps: (chunks: Iterable<Encodable>) => entries.decodeStateSteps(chunks),
    cancels: (payload: Encodable) => entries.cancels(payload),
    cancelScope: (payload: Encodable) => entries.cancelScope(payload),
    rebase: (payload: Encodable, rename: Rename) => entries.rebase(payload, rename),
    verbs: {
      update: (prepare: Prepare<MapState>, entry: string, verb: string, ...parameters: readonly unknown[]) =>
        entries.update(prepare, { entry, verb, parameters }),
      remove: (prepare: Prepare<MapState>, entry: string) => entries.remove(prepare, entry),
    },
    queries: {
      has: (state: MapState, entry: string) => state.has(entry),
      ask: (state: MapState, entry: string, query: string, ...parameters: readonly unknown[]) =>
        entries.ask(state, { entry, query, parameters }),
    },
  }
}
