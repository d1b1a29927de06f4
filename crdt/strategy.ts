/**
 * A strategy says what the operations of a key mean. The state of a key is a pure fold of its log:
 * the engine hands operations to `apply`, once each, causes before effects, and `read` turns the
 * state into the value that readers get.
 *
 * Three folds, by what the strategy's operations satisfy:
 *
 * - `'last'`: only the operation that is greatest in canonical order counts (a register). The
 *   engine keeps no state.
 * - `'any'`: concurrent operations commute. Operations arrive in any causal order, each once.
 *   `apply` may change the state that it is given and return it.
 * - `'canonical'`: operations do not commute. The engine presents them in canonical order (HLC,
 *   replica, sequence) and, when one arrives late, goes back to an earlier state and replays.
 *   Therefore `apply` must NOT change the state that it is given.
 *
 * If `apply` throws a `WarpError`, which it may do only before it changes anything, the operation is
 * skipped, on every replica alike. That is how a strategy answers a payload that none of its verbs
 * makes. Whatever else it throws is taken for an accident: the state is dropped and the key folded
 * again from the log. An operation over which that fails as well is skipped.
 *
 * Deleting a key is the engine's: with `'observed'` a delete cancels exactly the operations that
 * its writer had seen (concurrent ones survive, as in an observed-remove set: Shapiro et al. 2011);
 * with `'ordered'` it cancels everything before it in canonical order; with `'refused'` the key
 * cannot be deleted.
 */
import type { Encodable } from './encoding/encodable.ts'
import type { ReplicaId } from './time/replica-id.ts'
import type { Stamp } from './time/hlc.ts'

/** One operation as a strategy sees it. Valid only during the call; copy what you keep. */
export interface Applied<Payload> extends Stamp {
  readonly payload: Payload
  /**
   * Whether the writer of this operation had seen that other operation *of this key* when it wrote.
   * Its own earlier ones always.
   */
  observed(replica: ReplicaId, sequence: number): boolean
}

/** What a verb may know when it turns an intent into a payload. */
export interface Prepare<State> {
  /** The replica that will write the operation. */
  readonly replica: ReplicaId
  /** The sequence that the operation's dot will have. */
  readonly sequence: number
  /** The current state. A function, so that a verb which does not need it does not cost a fold. */
  state(): State
}

/**
 * Turns an intent into a payload, or `undefined` if there is nothing to write. Throws a WarpError
 * to refuse.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- parameters are contravariant: only `any` admits every verb
export type Verb<State> = (prepare: Prepare<State>, ...parameters: any[]) => Encodable | undefined
export type Verbs<State> = Readonly<Record<string, Verb<State>>>

/** Asks something of a state that its value does not show. Must not change the state. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export type Query<State> = (state: State, ...parameters: any[]) => unknown
export type Queries<State> = Readonly<Record<string, Query<State>>>

/** Whether a code is one that users give to strategies of their own. */
export function isForeignCode(code: number): boolean {
  return code >= FOREIGN_CODE_MIN
}

const FOREIGN_CODE_MIN = 64

export type Fold = 'last' | 'any' | 'canonical'
export type DeleteRule = 'observed' | 'ordered' | 'refused'

export interface Strategy<
  Value,
  State = unknown,
  Payload extends Encodable = Encodable,
  V extends Verbs<State> = Verbs<State>,
  Q extends Queries<State> = Queries<State>,
> {
  /** Names the strategy in `explain`, `stats` and errors. */
  readonly kind: string
  /**
   * Identifies the payload's meaning on the wire; 1 to 63 are Warp's, 64 to 255 are free for users.
   */
  readonly code: number
  readonly fold: Fold
  readonly deletes: DeleteRule
  /**
   * Names what the fold depends on: two strategies of one name make the same state of the same
   * operations, in every process. Under it a folded state is kept in the log beside a long history,
   * so that the first read after an opening goes on from there; give another name when `apply` or
   * `encodeState` change. Absent where the fold calls a function that nobody can name (`custom`):
   * states are then kept for the life of the process.
   */
  readonly foldsAs?: string
  /**
   * The verb has already changed the state when it returns (documents that hold their own); `apply`
   * is not called for it. When such a verb throws, or what it returned cannot be appended, the
   * state is worth nothing: the engine drops it and folds again.
   */
  readonly appliesOnPrepare?: boolean
  /**
   * What verbs return is what its encoding gives back, and nobody changes it: the engine applies it
   * when it has been written, and need not read it from the log for that.
   */
  readonly appliesAsWritten?: boolean
  /** One write cannot be split over keys: a payload may take as much as a document's. */
  readonly hasLargePayloads?: boolean
  initial(): State
  apply(state: State, operation: Applied<Payload>): State
  /**
   * The value that readers see, `undefined` if there is none. The engine freezes plain objects and
   * arrays in it.
   */
  read(state: State): Value | undefined
  /**
   * Does in steps what the next `read` of the state would have to do, for states of which that takes
   * longer than one: yields where a step may end. The state may be changed between steps; then what has
   * been done is worth nothing. Called at the end of a fold in steps.
   */
  readSteps?(state: State): Generator<undefined, void>
  /**
   * For states that are objects of a library and are handed out: `false` once somebody has changed
   * the state otherwise than by operations, or has freed it. Asked before each use; the engine then
   * drops the state and folds it again from the log. Should cost less than a microsecond or so.
   */
  isIntact?(state: State): boolean
  /** Whether the state holds nothing: a map does not list an entry in such a state. */
  isEmpty(state: State): boolean
  /**
   * A snapshot of the state. Equal states give equal encodings, in whatever order operations
   * arrived.
   */
  encodeState(state: State): Encodable
  /**
   * The items of the list that `encodeState` gives, one after the other, for states that take longer
   * than a step to encode: each is made in some milliseconds at most. `undefined` stands where a
   * step may end though no item is ready. The state is not changed until all are there.
   */
  encodeStateSteps?(state: State): Iterable<Encodable | undefined>
  /**
   * About how many pieces the state consists of, to which what it costs to encode it is in
   * proportion. Costs O(1) or so. Absent: one.
   */
  piecesOf?(state: State): number
  decodeState(encoded: Encodable): State
  /**
   * The state of which this is the value, where whoever wrote that had seen all that led to it: a
   * row of a primary store. Only strategies that have it can keep their keys in a store. Throws a
   * `WarpError` for what no state has as its value. `undefined`: the key has none.
   */
  fromValue?(value: unknown): State
  /**
   * The same in steps, for states that `encodeStateSteps` encodes: takes the items of the list one
   * after the other, yields behind each of them, and where else a step may end.
   */
  decodeStateSteps?(items: Iterable<Encodable>): Generator<undefined, State>
  /**
   * For operations that cancel earlier ones of the same key which they observed (removing an entry
   * of a map): which payloads are cancelled. Such a canceller does nothing but take away, and
   * `apply` for it takes away everything that it finds, so an engine calls it only on states all of
   * whose operations the canceller observed:
   *
   * - on the present state, when the canceller has observed everything that was folded so far;
   * - otherwise the key is folded again, from `initial()` or a snapshot that every canceller of the
   *   rest has observed: the cancelled operations are left out, the cancellers come FIRST, then the
   *   others in canonical order. (At its own place in the order a canceller would also take away
   *   concurrent operations with lower stamps.) The same when a canonical fold goes back behind a
   *   canceller.
   *
   * A canceller that is itself cancelled still cancels. A key of such a strategy has no value while
   * `isEmpty` says that its state holds nothing, whether anything was ever written.
   */
  cancels?(payload: Payload): ((earlier: Payload) => boolean) | undefined
  /**
   * For strategies with `cancels`: a name for the part of the value that a payload is about (an
   * entry of a map). A canceller with a scope cancels only payloads of the same scope; one without
   * may cancel any. Without this member every operation is compared with every different canceller,
   * which costs the product of their numbers.
   */
  cancelScope?(payload: Payload): string | undefined
  /**
   * Rewrites dots inside a payload, for operations that are issued again under a new identity.
   * Without it payloads stay as they are, which is right where they name no dots, or, as in
   * documents of other libraries, carry names of their own.
   */
  rebase?(payload: Payload, rename: (replica: ReplicaId, sequence: number) => readonly [ReplicaId, number]): Payload
  readonly verbs: V
  readonly queries?: Q
}

/** Any strategy, where its types do not matter. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- State is invariant: only `any` admits every strategy
export type AnyStrategy = Strategy<any, any, any, any, any>

export type ValueOf<S> = S extends { read(state: never): infer Value } ? Exclude<Value, undefined> : never
export type VerbsOf<S> = S extends { readonly verbs: infer V } ? V : never
export type QueriesOf<S> = S extends { readonly queries?: infer Q } ? Exclude<Q, undefined> : never
