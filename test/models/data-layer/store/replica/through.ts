/** Writing through: the store decides first, and the write becomes an operation only afterwards. */
import { type Key } from '../../keys.ts'
import { has, joinInto } from '../../vectors.ts'
import { type Operation } from '../folding.ts'
import { nextRow, send } from './flushing.ts'
import { load } from './loads.ts'
import { type Draft, spread, tick } from './operations.ts'
import { merged } from '../rows.ts'
import { type Flight, type KeyState, type Pending, type Replica, type Row, type World, newFlight } from '../world.ts'

export function through(w: World, r: Replica, key: Key, draft: Draft): void {
  if (r.pending.has(key) || w.config.volatile) return
  const stamp = tick(w, r)
  const s = ++r.laneSequence
  const context = { ...r.applied, [r.lane]: s - 1 }
  const o: Operation = { ...draft, key, r: r.lane, s, stamp, context, target: '', ghost: { a: 0, b: 0 } }
  w.operations.push(o)
  // In the log, so a restart goes on with it.
  r.pending.set(key, { operation: o, tries: 0, fence: false })
  if (w.is('through-visible-first')) {
    const state = w.keyOf(r, key)
    state.ops = [...state.ops, o]
  }
  resume(w, r, key)
}

export function resume(w: World, r: Replica, key: Key): void {
  const state = w.keyOf(r, key)
  if (!r.pending.has(key) || state.flight) return
  if (state.row) tryToStore(w, r, key, state.row)
  else load(w, r, key, []).then = 'through'
}

export function tryToStore(w: World, r: Replica, key: Key, row: Row): void {
  const pending = r.pending.get(key)
  if (pending === undefined) return
  if (has(row.V, pending.operation)) {
    conclude(w, r, key, true)
    return
  }
  const state = w.keyOf(r, key)
  const flight: Flight = { ...newFlight(w, r, 'cas'), isThrough: true, isFence: pending.fence }
  flight.next = pending.fence ? fenceOver(w, row, flight.id) : rowWith(w, r, { state, row, pending, token: flight.id })
  if (!pending.fence) pending.tries++
  send(w, r, key, { state, flight, row })
}

/** Changes nothing but the token, so that an earlier try cannot land any more. */
function fenceOver(w: World, row: Row, token: number): Row {
  w.count('fences')
  return { ...row, token }
}

function rowWith(w: World, r: Replica, what: { state: KeyState; row: Row; pending: Pending; token: number }): Row {
  const { operation } = what.pending
  const { base, ops } = merged(w, what.state, what.row, [operation])
  return { ...nextRow(w, { base, ops: [...ops, operation], token: what.token, writer: r.id }), through: operation }
}

/** The answer of the store to a try. Refused on a later try: first a fence, since an earlier one may still land. */
export function tried(
  w: World,
  r: Replica,
  key: Key,
  answer: { isFence: boolean; isDone: boolean; isRefused: boolean },
): void {
  const pending = r.pending.get(key)
  if (pending === undefined) return
  if (answer.isDone) conclude(w, r, key, !answer.isFence)
  else if (answer.isRefused) {
    if (pending.tries === 1 || w.is('refusal-believed')) conclude(w, r, key, false)
    else pending.fence = true
  }
}

/** The write enters, or its number is closed; in the order of the lane. */
function conclude(w: World, r: Replica, key: Key, isStored: boolean): void {
  const { operation } = r.pending.get(key)!
  r.pending.delete(key)
  w.count(isStored ? 'through' : 'refused')
  if (!isStored) operation.kind = 'void'
  if (w.is('through-visible-first')) {
    const state = w.keyOf(r, key)
    state.ops = state.ops.filter((x) => x !== operation)
  }
  r.ready.push(operation)
  r.ready.sort((x, y) => x.s - y.s)
  while (r.ready[0]?.s === (r.applied[r.lane] ?? 0) + 1) {
    const next = r.ready.shift()!
    spread(w, r, next)
    if (next.kind !== 'void') joinInto(r.seen[next.key!], { [next.r]: next.s })
  }
}
