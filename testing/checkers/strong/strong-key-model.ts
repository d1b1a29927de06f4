/**
 * What a strong key would do if calls came one at a time: a value with a version, which compare-and-set
 * looks at, and perhaps a life. Three strategies are in one model: of a register the value is JSON, of a counter a number, of a set a sorted list; a counter at 0 and a set without
 * elements have none.
 *
 * | call | its input | what it returns |
 * |---|---|---|
 * | `get` | | the value, `null` if there is none |
 * | `getVersioned` | | `[value, version]`, version 0 if there is none |
 * | `set` `delete` `increment` `add` `remove` | a value; how long it lives, or `null` | the version then |
 * | `cas` | `[expected, next]`, expected `{ version }`, `{ value }` or `'absent'` | the version then, or `{ conflict: version }` |
 * | `update` | a number that is added to what is there | the version then |
 *
 * Each input stands in `{ of, atMs, lifeMs? }`, and each output in `{ is, atMs }`: lives run by the
 * time of the log, which lies between the two times. Of a write that `resolve` has told of, the output
 * is `{ is: null }`: it counts, at any time up to then.
 */
import type { Call } from '../../history/history.ts'
import { canonicalText, isEqual, type Json } from '../../history/json.ts'
import { REFUSED, type SequentialModel, type Step } from '../../linearizability/model.ts'

export interface StrongKeyState {
  /** `null`: none. */
  readonly value: Json
  /** `'unknown'`: nobody was told. Greater than `last` then. */
  readonly version: number | 'unknown'
  /** The greatest that is known of any value so far. */
  readonly last: number
  /** When the life of the value ends: not before the first, and at the latest at the second. */
  readonly endsMs: readonly [earliest: number, latest: number] | null
}

export interface StrongInput {
  readonly of: Json
  readonly atMs: number
  readonly lifeMs?: number
}

export interface StrongOutput {
  readonly is: Json
  readonly atMs: number
}

/** Stamps are whole milliseconds, and times of calls are not; nobody waits for a clock to tick. */
const SLACK_MS = 2

const INITIAL: StrongKeyState = { value: null, version: 0, last: 0, endsMs: null }

export const strongKeyModel: SequentialModel<StrongKeyState> = {
  name: 'strong-key',
  initial: INITIAL,
  apply(state, call) {
    const one = new OneCall(call)
    const present = one.presentOf(state)
    for (const candidate of present) {
      const step = one.applied(candidate)
      if (step.accepts) return step
    }
    return REFUSED
  },
  identity: ({ value, version, last, endsMs }) => `${canonicalText(value)} ${version} ${last} ${endsMs?.join() ?? ''}`,
}

class OneCall {
  readonly #call: Call
  readonly #input: StrongInput
  readonly #output: StrongOutput | undefined

  constructor(call: Call) {
    this.#call = call
    this.#input = call.input as unknown as StrongInput
    this.#output = call.outcome === 'ok' ? (call.output as unknown as StrongOutput) : undefined
  }

  /**
   * The key as the call may find it: as it was, or without what has come to the end of its life. Where
   * both can be, what is there is tried first; what the call has returned tells them apart. Keys with
   * lives have no calls of which that is not so.
   */
  presentOf(state: StrongKeyState): readonly StrongKeyState[] {
    if (state.endsMs === null || state.value === null) return [state]
    const [earliest, latest] = state.endsMs
    const candidates: StrongKeyState[] = []
    if (this.#input.atMs <= latest + SLACK_MS) candidates.push(state)
    if ((this.#output?.atMs ?? Infinity) >= earliest - SLACK_MS) candidates.push(gone(state))
    return candidates
  }

  applied(state: StrongKeyState): Step<StrongKeyState> {
    const { f } = this.#call
    const { of } = this.#input
    switch (f) {
      case 'get':
        return this.#output === undefined || isEqual(this.#output.is, state.value) ? { accepts: true, state } : REFUSED
      case 'getVersioned':
        return this.#readVersioned(state)
      case 'delete':
        return { accepts: true, state: gone(state) }
      case 'cas':
        return this.#compareAndSet(state)
      default:
        return this.#written(state, nextOf(f, state.value, of))
    }
  }

  #readVersioned(state: StrongKeyState): Step<StrongKeyState> {
    if (this.#output === undefined) return { accepts: true, state }
    const [value, version] = this.#output.is as readonly [Json, number]
    if (!isEqual(value, state.value)) return REFUSED
    return pinned(state, version)
  }

  #compareAndSet(state: StrongKeyState): Step<StrongKeyState> {
    const [expected, next] = this.#input.of as readonly [Json, Json]
    const is = this.#output?.is ?? null
    if (isConflict(is)) {
      const seen = pinned(state, is.conflict)
      return seen.accepts && !couldMeet(seen.state, expected) ? seen : REFUSED
    }
    const met = metBy(state, expected)
    return met === undefined ? REFUSED : this.#written(met, next)
  }

  /** A write of a value that may be the one that is there. */
  #written(state: StrongKeyState, next: Json): Step<StrongKeyState> {
    const told = this.#output?.is ?? null
    if (typeof told !== 'number') {
      // What is not there cannot be taken away, and that makes no version.
      if (this.#call.f === 'remove' && isEqual(next, state.value ?? [])) return { accepts: true, state }
      return { accepts: true, state: this.#with(state, next, 'unknown') }
    }
    if (isUnchanged(state, next, told)) return { accepts: true, state }
    return told > state.last ? { accepts: true, state: this.#with(state, next, told) } : REFUSED
  }

  #with(state: StrongKeyState, next: Json, version: number | 'unknown'): StrongKeyState {
    const last = version === 'unknown' ? state.last : version
    return isEmptyOf(next) ? { ...gone(state), last } : { value: next, version, last, endsMs: this.#endsMs() }
  }

  #endsMs(): StrongKeyState['endsMs'] {
    const { lifeMs, atMs } = this.#input
    return lifeMs === undefined ? null : [atMs + lifeMs, (this.#output?.atMs ?? Infinity) + lifeMs]
  }
}

function gone(state: StrongKeyState): StrongKeyState {
  return { value: null, version: 0, last: state.last, endsMs: null }
}

function nextOf(f: string, value: Json, of: Json): Json {
  switch (f) {
    case 'set':
      return of
    case 'increment':
      // A counter that stands at 0 holds nothing.
      return ((value as number | null) ?? 0) + (of as number) || null
    case 'update':
      return ((value as number | null) ?? 0) + (of as number)
    case 'add':
      return [...new Set([...listOf(value), of as number])].sort((a, b) => a - b)
    case 'remove':
      return listOf(value).filter((element) => element !== of)
    default:
      throw new TypeError(`the model strong-key has no call ${f}`)
  }
}

function listOf(value: Json): readonly number[] {
  return (value as readonly number[] | null) ?? []
}

/** What changes nothing is no write, and tells the version that is there: 0 where there is no value. */
function isUnchanged(state: StrongKeyState, next: Json, told: number): boolean {
  if (told === 0) return isEmptyOf(next) && isEmptyOf(state.value)
  return told === state.version && isEqual(next, state.value)
}

/** A set without elements is no value. */
function isEmptyOf(value: Json): boolean {
  return value === null || (Array.isArray(value) && value.length === 0)
}

function isConflict(is: Json): is is { readonly conflict: number } {
  return typeof is === 'object' && is !== null && 'conflict' in is
}

/** The state, if its version can be that: then it is known from now on. */
function pinned(state: StrongKeyState, version: number): Step<StrongKeyState> {
  if (state.version === version) return { accepts: true, state }
  if (state.version !== 'unknown' || version <= state.last) return REFUSED
  return { accepts: true, state: { ...state, version, last: version } }
}

/** The state with what is known of it if the expectation is met; `undefined` if it cannot be. */
function metBy(state: StrongKeyState, expected: Json): StrongKeyState | undefined {
  if (expected === 'absent') return state.value === null ? state : undefined
  const wanted = expected as { readonly version?: number; readonly value?: Json }
  if (wanted.version === undefined)
    return state.value !== null && isEqual(state.value, wanted.value ?? null) ? state : undefined
  const step = pinned(state, wanted.version)
  return step.accepts ? step.state : undefined
}

/** Whether the expectation would have been met, for all that is known. */
function couldMeet(state: StrongKeyState, expected: Json): boolean {
  return metBy(state, expected) !== undefined && state.version !== 'unknown'
}
