/** One load in the cluster: the replica that the hash names is asked, and the asker judges what it says. */
import { type Key } from '../../keys.ts'
import { type Vector, covers, join, joinInto } from '../../vectors.ts'
import { fold } from '../folding.ts'
import { load, read, seesAll } from './loads.ts'
import { check, readerOf } from '../oracle.ts'
import { isVoided, serve } from './reading.ts'
import { cleaned, merged } from '../rows.ts'
import {
  type Ask,
  type Fill,
  type Flight,
  type KeyState,
  type Replica,
  type Row,
  type World,
  knownOf,
  newFlight,
} from '../world.ts'

export function ask(w: World, r: Replica, key: Key): void {
  const reader = readerOf(r, key)
  const state = serve(w, r, key)
  if (state !== undefined) {
    check(w, r, key, state, { ...reader, how: 'hit' })
    return
  }
  const owner = w.owner(r, key)
  if (owner === r) {
    read(w, r, key)
    return
  }
  const mine = w.keyOf(r, key)
  if (mine.flight) return
  mine.flight = newFlight(w, r, 'ask', [reader])
  w.net.push({ type: 'ask', to: owner.id, key, from: r.id, id: mine.flight.id, need: join(r.applied, r.forgotten) })
}

export function asked(w: World, r: Replica, ask: Ask): void {
  const { key, need, from: to, id } = ask
  const state = w.keyOf(r, key)
  const { copy, base, flight } = state
  const isServable = copy && !copy.expired && !isVoided(r, key, copy.begin) && base.name !== null
  const isOlder = w.is('answers-from-older-copy')
  if (isServable && (covers(r.applied, need) || isOlder)) {
    const begin = isOlder ? join(r.applied, need) : { ...r.applied }
    w.net.push({ type: 'fill', to, key, id, row: base, known: knownOf(state), begin })
  } else if (!flight) load(w, r, key, [], need).remote.push(ask)
  else if (flight.type === 'load') flight.remote.push(ask)
  else w.net.push({ type: 'fill', to, key, id, row: undefined, known: {}, begin: {} })
}

/** Tells those who asked what the load has brought. */
// eslint-disable-next-line max-params -- who answers for which key, by which load, with what
export function answerAskers(w: World, r: Replica, key: Key, { remote, beginVector }: Flight, row: Row): void {
  const state = r.keys.get(key)
  for (const { from: to, id, need } of remote) {
    const begin = w.is('fill-stamped-at-end') ? join(r.applied, need) : beginVector
    w.net.push({ type: 'fill', to, key, id, row: cleaned(w, row), known: state ? knownOf(state) : {}, begin })
  }
}

export function filled(w: World, r: Replica, fill: Fill): void {
  const { key, row } = fill
  const state = r.keys.get(key)
  const flight = state?.flight
  if (!state || flight?.type !== 'ask' || flight.id !== fill.id) return
  state.flight = null
  if (row === undefined || !fits(w, r, state, fill)) {
    load(w, r, key, flight.waiters)
    return
  }
  const { base, ops } = merged(w, state, { ...row, digest: row.value, token: 0, version: 0 })
  state.base = base
  state.ops = ops
  joinInto(state.stored, row.V)
  if (row.tip && !w.is('load-not-observed')) r.clock = Math.max(r.clock, row.tip.stamp)
  state.copy = { begin: r.position, V: row.V, expired: false }
  const value = fold(w.kind, base, ops)
  for (const waiter of flight.waiters) check(w, r, key, value, { ...waiter, how: 'cluster' })
}

function fits(w: World, r: Replica, state: KeyState, { key, row, known, begin }: Fill): boolean {
  const { V } = row!
  return (
    (seesAll(r, key, begin) || w.is('fill-without-begin')) &&
    (covers(begin, r.forgotten) || w.is('fill-below-floor')) &&
    covers(V, state.base.V) &&
    covers(V, state.stored) &&
    (holdsKnown(r, state, V, known) || w.is('fill-without-known'))
  )
}

/** What the answerer knew beyond the row is held here as well, or not applied here yet; never applied here and let go. */
function holdsKnown(r: Replica, state: KeyState, V: Readonly<Vector>, known: Readonly<Vector>): boolean {
  const here = state.base.name === null ? V : join(V, knownOf(state))
  return Object.entries(known).every(([id, s]) => (here[id] ?? 0) >= s || (r.applied[id] ?? 0) <= (here[id] ?? 0))
}
