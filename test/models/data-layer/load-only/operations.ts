/** Sets and invalidations: how they are written, what they do where they enter, and what may be forgotten of them. */
import { KEYS, type Key, each } from '../keys.ts'
import { type Vector, covers, dotOf, has, isNext, join, joinInto, raise } from '../vectors.ts'
import {
  type Digest,
  type Operation,
  type Replica,
  type World,
  entryOf,
  isOfKey,
  means,
  rememberedOf,
} from './world.ts'

export function invalidate(w: World, r: Replica, target: string): Operation {
  return write(w, r, { kind: 'invalidate', target, row: 0, announces: { ...w.database } })
}

/** What the writer vouches for: this row was the database's at a moment after everything in the context was applied. */
export function set(w: World, r: Replica, key: Key, row: number): Operation {
  w.count('sets')
  return write(w, r, { kind: 'set', target: key, row, announces: each((k) => (k === key ? row : 0)) })
}

/** A set whose value was committed after that position: it becomes an invalidation if anything of the key came in between. */
// eslint-disable-next-line max-params -- who sets what to which row, and since when
export function setSince(w: World, r: Replica, key: Key, row: number, since: number): Operation {
  const entry = r.entries.get(key)
  const moved =
    rememberedOf(r, key, w.tagOf(key, row)).some((i) => i.position > since) ||
    (entry !== undefined && entry.lastSet > since) ||
    (r.floorPosition > since && !w.is('since-ignores-floor'))
  if (!moved || w.is('since-ignored')) return set(w, r, key, row)
  w.count('withdrawn')
  return invalidate(w, r, key)
}

function write(w: World, r: Replica, draft: Pick<Operation, 'kind' | 'target' | 'row' | 'announces'>): Operation {
  r.clock = Math.max(r.clock + 1, w.now * 20)
  const context = { ...r.applied }
  const changes = Object.fromEntries(Object.entries(context).filter(([id, s]) => id !== r.id && r.written[id] !== s))
  const ofKey = {}
  for (const x of r.log) if (x.kind === 'set' && x.target === draft.target) raise(ofKey, x)
  const o = { ...draft, r: r.id, s: (context[r.id] ?? 0) + 1, stamp: r.clock, context, changes, ofKey }
  r.written = context
  w.operations.push(o)
  enter(w, r, o)
  for (const x of w.others(r)) w.net.push({ type: 'operation', to: x.id, operation: o })
  return o
}

export function receive(w: World, r: Replica, o: Operation): boolean {
  if (has(r.applied, o)) return true
  if (!isNext(r.applied, o)) return false
  enter(w, r, o)
  return true
}

function enter(w: World, r: Replica, o: Operation): void {
  raise(r.applied, o)
  learn(r, o.r, o.changes)
  r.clock = Math.max(r.clock, o.stamp)
  r.position++
  r.log.push(o)
  r.known.push(o)
  for (const key of KEYS) {
    // Which rows a tag means is known when they come.
    if (!isOfKey(o.target, key)) continue
    const flight = r.flights.get(key)
    if (flight !== undefined && !(o.kind === 'set' && w.is('set-spares-flights'))) flight.voidSince ??= r.position
    if (o.kind === 'set') enterSet(w, r, key, o)
  }
  if (o.kind === 'invalidate') r.remembered.push({ operation: o, position: r.position })
}

/** What a replica had seen when it wrote something: it only grows. */
function learn(r: Replica, id: string, seen: Readonly<Vector>): void {
  r.vectors.set(id, joinInto(r.vectors.get(id) ?? {}, seen))
}

/** A digest tells what later operations of its sender have seen: it counts when all that were written before are here. */
export function digested(w: World, r: Replica, { from, applied }: Digest): void {
  if ((r.applied[from] ?? 0) >= (applied[from] ?? 0) || w.is('digest-counts-at-once')) learn(r, from, applied)
}

/** The whole vector of the writer, as far as it is known here. What is not known counts as not seen. */
function seenBy(r: Replica, o: Operation): Readonly<Vector> {
  if (o.r === r.id) return o.context
  return joinInto({ ...r.vectors.get(o.r), [o.r]: o.s - 1 }, o.ofKey)
}

/** A set voids what was there, and is a copy itself if its writer had seen all that could have voided it. */
function enterSet(w: World, r: Replica, key: Key, o: Operation): void {
  const entry = entryOf(r, key)
  const seen = seenBy(r, o)
  const fits = unaware(w, r, key, { o, seen }) === undefined
  w.count(fits ? 'installed' : 'unfit')
  if (fits || !w.is('unfit-set-not-counted')) entry.sets = setsWith(w, entry.sets, { o, seen })
  entry.lastSet = r.position
  entry.lastStamp = Math.max(entry.lastStamp, o.stamp)
  if (fits) entry.copy = { row: o.row, begin: r.position, isOfSet: true, expired: false }
  else if (!w.is('unfit-set-spares-copy')) entry.copy = null
}

interface Seen {
  readonly o: Operation
  readonly seen: Readonly<Vector>
}

/** What the writer of the set had not seen, if anything. */
function unaware(w: World, r: Replica, key: Key, { o, seen }: Seen): string | undefined {
  const { sets, copy, lastStamp } = entryOf(r, key)
  const remembered = w.is('set-ignores-tags')
    ? r.remembered.filter((i) => isOfKey(i.operation.target, key))
    : rememberedOf(r, key, w.tagOf(key, o.row))
  if (!w.is('set-over-invalidation') && !remembered.every((i) => has(seen, i.operation))) return 'an invalidation'
  if (!w.is('set-below-floor') && !covers(seen, r.forgottenInvalidations)) return 'what was forgotten'
  if (w.is('later-stamp-wins')) return o.stamp > lastStamp ? undefined : 'a later stamp'
  if (w.is('compared-with-present-copy') && copy?.isOfSet !== true) return undefined
  return covers(seen, sets) ? undefined : 'a set'
}

function setsWith(w: World, sets: Readonly<Vector>, { o, seen }: Seen): Vector {
  if (covers(seen, sets) || w.is('last-set-alone')) return dotOf(o)
  return join(sets, dotOf(o))
}

// -- letting go --------------------------------------------------------------------------------------------------------------

/** Forgets the older half of the index: matching copies that began before are swept. */
export function forget(w: World, r: Replica, all: boolean): void {
  const count = all ? r.remembered.length : Math.ceil(r.remembered.length / 2)
  for (const { operation, position } of r.remembered.splice(0, count)) {
    if (!w.is('forgets-without-floor')) raise(r.forgottenInvalidations, operation)
    r.floorPosition = Math.max(r.floorPosition, position)
    if (operation.target.startsWith('tag')) r.tagFloor = Math.max(r.tagFloor, position)
    for (const key of KEYS) {
      const entry = r.entries.get(key)
      const copy = entry?.copy
      const isMeant = copy && means(operation.target, key, w.tagOf(key, copy.row))
      if (isMeant && copy.begin < position && !w.is('forgets-without-sweep')) entry.copy = null
    }
  }
}

/** An entry may leave at any time, also under a flight. What it says of sets goes into the vector of the forgotten. */
export function evict(w: World, r: Replica, key: Key): void {
  const entry = r.entries.get(key)
  if (entry === undefined) return
  r.entries.delete(key)
  if (!w.is('evicts-sets-without-floor')) joinInto(r.forgottenInvalidations, entry.sets)
  r.floorPosition = Math.max(r.floorPosition, entry.lastSet)
  const flight = r.flights.get(key)
  if (flight !== undefined && w.is('evicts-void-of-flight')) flight.voidSince = undefined
}
