/** Reads, and the loads that they begin: one flight for each key and replica. */
import { type Key } from '../../keys.ts'
import { type Vector, has, join } from '../../vectors.ts'
import { type Base } from '../folding.ts'
import { check, readerOf } from '../oracle.ts'
import { serve } from './reading.ts'
import { type Flight, type Replica, type Waiter, type World, newFlight, rememberedOf } from '../world.ts'

export function read(w: World, r: Replica, key: Key): void {
  w.count('reads')
  const reader = readerOf(r, key)
  const state = serve(w, r, key)
  if (state !== undefined) {
    check(w, r, key, state, { ...reader, how: 'hit' })
    return
  }
  const { flight } = w.keyOf(r, key)
  // Joins a load that is under way; whether it is void for this reader is judged when it ends. A flush is waited for.
  if (flight) flight.waiters.push(reader)
  else load(w, r, key, [reader])
}

// eslint-disable-next-line max-params -- who loads what, for which readers and askers
export function load(w: World, r: Replica, key: Key, waiters: Waiter[], need: Readonly<Vector> = {}): Flight {
  w.count('loads')
  const flight = { ...newFlight(w, r, 'load', waiters), beginVector: join(r.applied, need) }
  w.keyOf(r, key).flight = flight
  w.requests.push({ type: 'get', key, from: r.id, id: flight.id })
  return flight
}

/** Gives the readers of a load its answer, and hands back those who began after it was void. */
export function answerWaiters(
  w: World,
  r: Replica,
  key: Key,
  answer: { state: Base; flight: Flight; isVoid: boolean },
): Waiter[] {
  const { state, flight, isVoid } = answer
  const late: Waiter[] = []
  for (const waiter of flight.waiters) {
    const came = rememberedOf(r, key).some((i) => i.position > flight.begin && i.position <= waiter.position)
    if (came && !w.is('joins-void-load')) late.push(waiter)
    else check(w, r, key, state, { ...waiter, how: isVoid ? 'void' : 'load' })
  }
  return late
}

/** The replica gives up waiting; the request may still be executed, at any time. */
export function timeout(w: World, r: Replica, key: Key): void {
  const state = r.keys.get(key)
  const flight = state?.flight
  if (!state || !flight) return
  if (w.is('delta-retried') && flight.type === 'cas') state.retry = flight.open
  state.flight = null
  state.row = null
  const stale = serve(w, r, key, true)
  if (stale !== undefined) for (const waiter of flight.waiters) check(w, r, key, stale, { ...waiter, how: 'stale' })
  w.say('   gave up')
}

export const seesAll = (r: Replica, key: Key, vector: Readonly<Vector>): boolean =>
  rememberedOf(r, key).every((i) => has(vector, i.operation))
