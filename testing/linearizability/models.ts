/**
 * Models of the usual objects. The calls that each knows are in docs/histories.md; a call that it
 * does not know, or with parameters of another shape, is `WARP_E_CONFIG`: such a history is not
 * wrong, it is judged by the wrong model.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import type { Call } from '../history/history.ts'
import { type Json, canonicalText, isEqual } from '../history/json.ts'
import { REFUSED, type SequentialModel, type Step } from './model.ts'

/** What `call` returned is `expected`, or nobody knows what it returned. */
function returned<State>(call: Call, expected: Json, state: State): Step<State> {
  const fits = call.outcome !== 'ok' || isEqual(call.output, expected)
  return fits ? { accepts: true, state } : REFUSED
}

function unknown(model: string, call: Call): never {
  const text = `the model ${model} has no call ${call.f} with such parameters (call ${call.index}); see docs/histories.md`
  throw new WarpError('WARP_E_CONFIG', text, { details: { model, f: call.f, call: call.index } })
}

function amountOf(model: string, call: Call): number {
  return typeof call.input === 'number' ? call.input : unknown(model, call)
}

/** Two inputs in an array. */
function pairOf(model: string, call: Call): readonly [Json, Json] {
  const { input } = call
  if (!Array.isArray(input) || input.length !== 2) return unknown(model, call)
  return [input[0] as Json, input[1] as Json]
}

/**
 * `read` returns the value, `write v`, and `cas [from, to]`, which returns whether it wrote.
 * Jepsen's `cas`, which returns its own input, is taken for one that wrote.
 */
export const registerModel: SequentialModel<Json> = {
  name: 'register',
  initial: null,
  apply(value, call) {
    if (call.f === 'read') return returned(call, value, value)
    if (call.f === 'write') return { accepts: true, state: call.input }
    if (call.f !== 'cas') return unknown('register', call)
    const [from, to] = pairOf('register', call)
    const writes = isEqual(from, value)
    const state = writes ? to : value
    return Array.isArray(call.output) && writes ? { accepts: true, state } : returned(call, writes, state)
  },
}

/** `add n`, `addAndGet n`, which returns the new value, and `read`. Begins with 0. */
export const counterModel: SequentialModel<number> = {
  name: 'counter',
  initial: 0,
  apply(value, call) {
    if (call.f === 'read') return returned(call, value, value)
    if (call.f === 'add') return { accepts: true, state: value + amountOf('counter', call) }
    if (call.f !== 'addAndGet') return unknown('counter', call)
    const sum = value + amountOf('counter', call)
    return returned(call, sum, sum)
  },
  identity: (value) => value,
}

/**
 * `add v`, `remove v`, `has v`, which returns whether it is there, and `read`, which returns the
 * elements in any order. Begins empty.
 */
export const setModel: SequentialModel<readonly string[]> = {
  name: 'set',
  initial: [],
  apply(elements, call) {
    if (call.f === 'read') return readElements(elements, call)
    const element = canonicalText(call.input)
    const has = elements.includes(element)
    if (call.f === 'has') return returned(call, has, elements)
    const others = has ? elements.filter((other) => other !== element) : elements
    if (call.f === 'remove') return { accepts: true, state: others }
    if (call.f !== 'add') return unknown('set', call)
    return { accepts: true, state: has ? elements : [...elements, element].sort() }
  },
  identity: (elements) => elements.join(','),
}

function readElements(elements: readonly string[], call: Call): Step<readonly string[]> {
  if (call.outcome === 'ok') {
    if (!Array.isArray(call.output)) return REFUSED
    const seen = call.output.map((element: Json) => canonicalText(element)).sort()
    if (seen.length !== elements.length || seen.some((element, i) => element !== elements[i])) return REFUSED
  }
  return { accepts: true, state: elements }
}

/**
 * First in, first out: `enqueue v`, and `dequeue`, which returns the oldest element, or `null` if
 * there is none. Elements are not `null`.
 */
export const queueModel: SequentialModel<readonly Json[]> = {
  name: 'queue',
  initial: [],
  apply(elements, call) {
    if (call.f === 'enqueue') return { accepts: true, state: [...elements, call.input] }
    if (call.f !== 'dequeue') return unknown('queue', call)
    return returned(call, elements[0] ?? null, elements.slice(1))
  },
}

/**
 * A lock that hands out fencing tokens: `acquire`, which returns a token higher than all before it,
 * or `null` if the lock is held; `release t` and `expire t`, which return whether `t` was the
 * holder's. Of an indeterminate `acquire` nobody knows whether it got the lock, or which token.
 */
export const lockModel: SequentialModel<LockState> = {
  name: 'lock',
  initial: { holder: null, last: 0 },
  apply(state, call) {
    if (call.f === 'acquire') return acquire(state, call)
    if (call.f !== 'release' && call.f !== 'expire') return unknown('lock', call)
    return release(state, amountOf('lock', call), call)
  },
  identity: ({ holder, last }) => `${holder ?? 'free'} ${last}`,
}

export interface LockState {
  /** The token of the holder; `'unknown'` if it is one that nobody was told. */
  readonly holder: number | 'unknown' | null
  /** The highest token that is known. */
  readonly last: number
}

function acquire({ holder, last }: LockState, call: Call): Step<LockState> {
  if (holder !== null) return returned(call, null, { holder, last })
  if (call.outcome !== 'ok') return { accepts: true, state: { holder: 'unknown', last } }
  if (typeof call.output !== 'number' || call.output <= last) return REFUSED
  return { accepts: true, state: { holder: call.output, last: call.output } }
}

/** The unknown holder's token may be this one or not, so both answers fit. */
function release(state: LockState, token: number, call: Call): Step<LockState> {
  const free = { holder: null, last: Math.max(state.last, token) }
  if (state.holder === 'unknown' && token > state.last)
    return { accepts: true, state: call.outcome === 'ok' && call.output !== true ? state : free }
  const isHolder = state.holder === token
  return returned(call, isHolder, isHolder ? free : state)
}

/**
 * A register behind fencing tokens: `write [token, v]` returns whether it wrote, which it does
 * unless it has seen a higher token; `read` returns the value. What was written with an old token
 * never comes after what was written with a newer one.
 */
export const fencedRegisterModel: SequentialModel<FencedState> = {
  name: 'fenced-register',
  initial: { token: 0, value: null },
  apply(state, call) {
    if (call.f === 'read') return returned(call, state.value, state)
    if (call.f !== 'write') return unknown('fenced-register', call)
    const [token, value] = pairOf('fenced-register', call)
    if (typeof token !== 'number') return unknown('fenced-register', call)
    const writes = token >= state.token
    return returned(call, writes, writes ? { token, value } : state)
  },
  identity: ({ token, value }) => `${token} ${canonicalText(value)}`,
}

export interface FencedState {
  readonly token: number
  readonly value: Json
}
