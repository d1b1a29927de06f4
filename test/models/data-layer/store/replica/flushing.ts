/** Flushing: the row as it is with what it lacks on top, by compare-and-set. */
import { type Key } from '../../keys.ts'
import { has, joinInto, sum } from '../../vectors.ts'
import { type Operation, fold } from '../folding.ts'
import { load } from './loads.ts'
import { isBlind, isIn, merged, vectorFor } from '../rows.ts'
import {
  type Flight,
  type KeyState,
  type Replica,
  type Row,
  type World,
  isDirty,
  knownOf,
  newFlight,
} from '../world.ts'

export function flush(w: World, r: Replica, key: Key): void {
  const state = r.keys.get(key)
  if (!state || state.flight || !isDirty(state)) return
  if (w.is('count-version')) flushByCount(w, r, key, state)
  else if (state.row) flushOver(w, r, key, { state, row: state.row })
  else load(w, r, key, []).then = 'flush'
}

function flushOver(w: World, r: Replica, key: Key, { state, row }: { state: KeyState; row: Row }): void {
  const { base, ops } = merged(w, state, row)
  const open = ops.filter((o) => !isIn(w, row.V, o))
  if (open.length === 0) {
    joinInto(state.stored, row.V)
    if (w.is('row-silence-means-contained')) joinInto(state.stored, knownOf(state))
    return
  }
  if (!open.every((o) => isShared(w, r, o))) return // wait for a first acknowledgement
  const flight = { ...newFlight(w, r, 'cas'), open }
  const next = nextRow(w, { base, ops, token: flight.id, writer: r.id })
  // A lost reply: the same amounts once more, on the row as it is now.
  const again = w.is('delta-retried') && state.retry ? fold(w.kind, { ...row, V: {} }, state.retry) : undefined
  flight.next = again ? { ...next, value: again.value, digest: again.value } : next
  send(w, r, key, { state, flight, row })
}

interface Parts {
  readonly base: Parameters<typeof fold>[1]
  readonly ops: readonly Operation[]
  readonly token: number
  readonly writer: string
}

/** A flush on top of something that an operation of it had not seen gives the row a new name. */
export function nextRow(w: World, { base, ops, token, writer }: Parts): Row {
  const { value, V, tip } = fold(w.kind, base, ops)
  const isNamed = isBlind(w, base, ops) && !w.is('base-not-renamed')
  const name = isNamed ? `${writer}/${token}` : base.name
  return { value, V: vectorFor(w, V), tip, name, digest: value, token, version: sum(V) }
}

export function send(w: World, r: Replica, key: Key, what: { state: KeyState; flight: Flight; row: Row }): void {
  const { state, flight, row } = what
  const { next, isFence } = flight
  state.flight = flight
  w.count('flushes')
  const { token, value } = row
  w.requests.push({ type: 'cas', key, from: r.id, id: flight.id, token, value, next: next!, isFence: isFence === true })
}

/** Only for a mutant: the number of operations is the version, and the row is not read first. */
function flushByCount(w: World, r: Replica, key: Key, state: KeyState): void {
  const flight = newFlight(w, r, 'cas')
  const { value, V, tip } = fold(w.kind, state.base, state.ops)
  flight.next = { value, V, tip, name: '0', digest: value, token: flight.id, version: sum(V) }
  send(w, r, key, { state, flight, row: w.rowOf(key) })
}

/** Where logs are in memory only, what goes to the store is known to two: else a crash changes the store and nobody knows. */
function isShared(w: World, r: Replica, o: Operation): boolean {
  if (!w.config.volatile || w.is('flushes-unshared')) return true
  return w.members().some((x) => x !== r && (x.id === o.r || has(r.acks.get(x.id) ?? {}, o)))
}

/** The store has answered a flush: done, or refused because the row was another one. */
export function flushed(w: World, r: Replica, key: Key, { flight, isDone }: { flight: Flight; isDone: boolean }): void {
  const state = w.keyOf(r, key)
  state.retry = undefined
  state.row = null
  if (!isDone && !w.is('refused-counts-as-stored')) return
  const next = flight.next!
  if (w.countsOperations) state.stored = { ...next.V }
  else {
    joinInto(state.stored, next.V)
    for (const x of w.others(r)) w.net.push({ type: 'stored', to: x.id, key, V: next.V })
  }
  const isLate = w.is('flush-copy-at-ack')
  if (flight.isVoid && !isLate) return
  state.row = next
  const { base, ops } = merged(w, state, next)
  state.base = base
  state.ops = ops
  state.copy = { begin: isLate ? r.position : flight.begin, V: next.V, expired: false }
}
