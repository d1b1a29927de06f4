/** Reads and loads: here, and by the replica that owns the key. */
import { fail } from '../explorer.ts'
import { type Key } from '../keys.ts'
import { type Vector, covers, has, join } from '../vectors.ts'
import {
  type Ask,
  type Fill,
  type Flight,
  type Replica,
  type Waiter,
  type World,
  entryOf,
  means,
  rememberedOf,
} from './world.ts'

/** The row that may be served from memory. */
export function serve(w: World, r: Replica, key: Key): number | undefined {
  const copy = r.entries.get(key)?.copy
  if (!copy || copy.expired) return undefined
  const spared = copy.isOfSet && w.is('set-outlives-invalidation')
  if (!spared && rememberedOf(r, key, w.tagOf(key, copy.row)).some((i) => i.position > copy.begin)) return undefined
  return copy.row
}

export function read(w: World, r: Replica, key: Key): void {
  w.count('reads')
  const waiter = { known: r.known.length, position: r.position }
  const row = serve(w, r, key)
  if (row !== undefined) {
    w.count('hits')
    check(w, r, { key, row, known: waiter.known, how: 'hit' })
    return
  }
  const flight = r.flights.get(key)
  if (flight !== undefined) {
    flight.waiters.push(waiter)
    return
  }
  const owner = w.config.cluster ? w.owner(r, key) : r
  if (owner === r) load(w, r, key, [waiter])
  else ask(w, r, owner, key, waiter)
}

/** Loads although there is a copy: eager refresh, or a call that asks for it. */
export function refresh(w: World, r: Replica, key: Key): void {
  if (!r.flights.has(key)) load(w, r, key, [])
}

// eslint-disable-next-line max-params -- who loads what, for which readers, and what those who ask have seen
export function load(w: World, r: Replica, key: Key, waiters: Waiter[], need: Readonly<Vector> = {}): Flight {
  w.count('loads')
  const flight: Flight = {
    id: ++w.unique,
    kind: 'load',
    begin: r.position,
    vector: join(r.applied, need),
    voidSince: undefined,
    waiters,
    askers: [],
  }
  r.flights.set(key, flight)
  w.requests.push({ from: r.id, key, id: flight.id })
  return flight
}

/** The answer of the database. */
export function loaded(w: World, r: Replica, { key, id, row }: { key: Key; id: number; row: number }): void {
  const flight = r.flights.get(key)
  if (!r.up || flight?.id !== id) return
  r.flights.delete(key)
  flight.voidSince = voidSince(w, r, flight, { key, row })
  keep(w, r, key, { flight, row })
  const late: Waiter[] = []
  for (const waiter of flight.waiters) {
    const isLate = flight.voidSince !== undefined && waiter.position >= flight.voidSince
    if (isLate && !w.is('joins-void-load')) late.push(waiter)
    else check(w, r, { key, row, known: waiter.known, how: 'load' })
  }
  for (const asked of flight.askers) answer(w, r, asked, row, flight.vector)
  if (late.length > 0) serveOrLoad(w, r, key, late)
}

/** Invalidations by tag are looked for when the answer is there, and its tags with it. What was forgotten may be one. */
function voidSince(w: World, r: Replica, flight: Flight, { key, row }: { key: Key; row: number }): number | undefined {
  if (w.is('tags-of-answer-ignored')) return flight.voidSince
  const positions = rememberedOf(r, key, w.tagOf(key, row)).map((i) => i.position)
  if (r.tagFloor > flight.begin && !w.is('forgotten-tag-ignored')) positions.push(flight.begin + 1)
  const since = Math.min(flight.voidSince ?? Infinity, ...positions.filter((position) => position > flight.begin))
  return since === Infinity ? undefined : since
}

/** Of a void load nothing is kept, and nothing is dropped: a set may have brought a copy meanwhile. */
function keep(w: World, r: Replica, key: Key, { flight, row }: { flight: Flight; row: number }): void {
  const entry = entryOf(r, key)
  const isIgnored = w.is('void-ignored')
  if (flight.voidSince === undefined || isIgnored) {
    entry.copy = { row, begin: isIgnored ? r.position : flight.begin, isOfSet: false, expired: false }
    if (w.is('load-clears-sets')) entry.sets = {}
  } else if (w.is('void-answer-drops-copy')) entry.copy = null
}

/** Readers who began after the flight was void: a copy may have come meanwhile, with a set. */
function serveOrLoad(w: World, r: Replica, key: Key, waiters: Waiter[]): void {
  const row = serve(w, r, key)
  if (row === undefined) load(w, r, key, waiters)
  else for (const { known } of waiters) check(w, r, { key, row, known, how: 'copy that came meanwhile' })
}

/** The replica gives up waiting; the request may still be executed, and its answer is ignored. */
export function timeout(r: Replica, key: Key): void {
  r.flights.delete(key)
}

// -- one load in the cluster --------------------------------------------------------------------------------------------------

// eslint-disable-next-line max-params -- who asks whom for what, and for which reader
function ask(w: World, r: Replica, owner: Replica, key: Key, waiter: Waiter): void {
  const id = ++w.unique
  const need = join(r.applied, r.forgottenInvalidations)
  const begin = r.position
  r.flights.set(key, { id, kind: 'ask', begin, vector: {}, voidSince: undefined, waiters: [waiter], askers: [] })
  w.net.push({ type: 'ask', to: owner.id, from: r.id, key, id, need })
}

export function asked(w: World, r: Replica, message: Ask): void {
  const { key, need } = message
  const row = serve(w, r, key)
  const isNews = w.is('answers-from-older-copy')
  if (row !== undefined && (covers(r.applied, need) || isNews)) {
    answer(w, r, message, row, isNews ? join(r.applied, need) : r.applied)
    return
  }
  const flight = r.flights.get(key)
  if (flight === undefined) load(w, r, key, [], need).askers.push(message)
  else if (flight.kind === 'load') flight.askers.push(message)
  else answer(w, r, message, undefined, {})
}

// eslint-disable-next-line max-params -- who answers what, with what
function answer(w: World, r: Replica, to: Ask, row: number | undefined, begin: Readonly<Vector>): void {
  const stamped = w.is('fill-stamped-at-end') ? join(r.applied, to.need) : { ...begin }
  w.net.push({ type: 'fill', to: to.from, key: to.key, id: to.id, row, begin: stamped })
}

export function filled(w: World, r: Replica, fill: Fill): void {
  const { key, row, begin } = fill
  const flight = r.flights.get(key)
  if (flight?.kind !== 'ask' || flight.id !== fill.id) return
  r.flights.delete(key)
  if (row === undefined || !fillFits(w, r, { key, row, begin })) {
    serveOrLoad(w, r, key, flight.waiters)
    return
  }
  w.count('fills')
  entryOf(r, key).copy = { row, begin: r.position, isOfSet: false, expired: false }
  for (const { known } of flight.waiters) check(w, r, { key, row, known, how: 'cluster' })
}

interface Brought {
  readonly key: Key
  readonly row: number
  readonly begin: Readonly<Vector>
}

function fillFits(w: World, r: Replica, { key, row, begin }: Brought): boolean {
  const seesInvalidations = rememberedOf(r, key, w.tagOf(key, row)).every((i) => has(begin, i.operation))
  const seesFloor = covers(begin, r.forgottenInvalidations)
  const seesSets = covers(begin, r.entries.get(key)?.sets ?? {})
  return (
    (seesInvalidations || w.is('fill-ignores-invalidations')) &&
    (seesFloor || w.is('fill-below-floor')) &&
    (seesSets || w.is('fill-ignores-sets'))
  )
}

// -- the oracle ---------------------------------------------------------------------------------------------------------------

interface Served {
  readonly key: Key
  readonly row: number
  readonly known: number
  readonly how: string
}

/** No reader gets a row older than what was announced by an operation that was known there when the read began. */
export function check(w: World, r: Replica, { key, row, known, how }: Served): void {
  w.count('checked')
  for (const o of r.known.slice(0, known)) {
    if (!means(o.target, key, w.tagOf(key, row)) || o.announces[key] <= row) continue
    fail(`${r.id} served ${key}=${row} (${how}) and knew ${o.r}:${o.s}, which announces ${o.announces[key]}`)
  }
}
