/** The store's answers, and what follows from them. */
import { type Key, matches } from '../../keys.ts'
import { joinInto } from '../../vectors.ts'
import { answerAskers } from './cluster.ts'
import { flush, flushed } from './flushing.ts'
import { fold } from '../folding.ts'
import { answerWaiters, load } from './loads.ts'
import { type Merged, merged } from '../rows.ts'
import { tried, tryToStore } from './through.ts'
import { type Flight, type KeyState, type Replica, type Reply, type Row, type World } from '../world.ts'

export function takeReply(w: World, reply: Reply): void {
  const r = w.replica(reply.to)
  const state = r?.keys.get(reply.key)
  const flight = state?.flight
  if (!r?.up || !state || flight?.id !== reply.id) return
  state.flight = null
  if (reply.type === 'get') loaded(w, r, reply.key, { flight, row: reply.row! })
  else cased(w, r, flight, reply)
}

function loaded(w: World, r: Replica, key: Key, { flight, row }: { flight: Flight; row: Row }): void {
  const state = w.keyOf(r, key)
  if (w.countsOperations) state.stored = { ...row.V }
  else joinInto(state.stored, row.V)
  state.row = row
  if (row.tip && !w.is('load-not-observed')) r.clock = Math.max(r.clock, row.tip.stamp)
  const taken = merged(w, state, row)
  const isVoid = isVoidLoad(w, r, key, flight)
  if (!isVoid) keep(w, r, state, { taken, flight })
  else if (!w.mutant.startsWith('void-by-')) state.row = null
  const late = answerWaiters(w, r, key, { state: fold(w.kind, taken.base, taken.ops), flight, isVoid })
  answerAskers(w, r, key, flight, row)
  if (late.length > 0) load(w, r, key, late)
  else if (flight.then === 'through' && state.row) tryToStore(w, r, key, state.row)
  else if (flight.then === 'flush' && state.row) flush(w, r, key)
}

/** The copy counts from where the load began. */
function keep(w: World, r: Replica, state: KeyState, { taken, flight }: { taken: Merged; flight: Flight }): void {
  const countsFromEnd = w.is('void-ignored') || w.mutant.startsWith('void-by-')
  state.base = taken.base
  state.ops = taken.ops
  state.copy = { begin: countsFromEnd ? r.position : flight.begin, V: taken.V, expired: false }
}

function isVoidLoad(w: World, r: Replica, key: Key, flight: Flight): boolean {
  const isLaterThan = (wall: number): boolean =>
    r.remembered.some(({ operation: o }) => matches(o.target, key) && o.stamp > wall)
  if (w.is('void-ignored')) return false
  if (w.is('void-by-end-stamp')) return isLaterThan(w.now * 20 + r.skew)
  if (w.is('void-by-begin-stamp')) return isLaterThan(flight.beginWall)
  return flight.isVoid
}

function cased(w: World, r: Replica, flight: Flight, reply: Reply): void {
  const { key } = reply
  const isDone = reply.isDone === true
  flushed(w, r, key, { flight, isDone })
  if (flight.isThrough)
    tried(w, r, key, { isFence: flight.isFence === true, isDone, isRefused: reply.isRefused === true })
  if (flight.waiters.length > 0 || flight.remote.length > 0) load(w, r, key, flight.waiters).remote = flight.remote
}
