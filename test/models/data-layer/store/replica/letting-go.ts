/** Letting go of invalidations, of copies, of whole keys, and of ids that have ended. */
import { KEYS, type Key, matches } from '../../keys.ts'
import { covers, joinInto, raise } from '../../vectors.ts'
import { fold } from '../folding.ts'
import { isStable } from './operations.ts'
import { type KeyState, type Remembered, type Replica, type World, isDirty, knownOf } from '../world.ts'

/** Forgets the invalidations that are stable: copies begun before are swept, loads under way stay void. */
export function forget(w: World, r: Replica): void {
  const keep = r.remembered.filter((i) => !isStable(w, r, i.operation) && !w.is('forgets-unstable'))
  const gone = r.remembered.filter((i) => !keep.includes(i))
  for (const i of gone) sweep(w, r, i)
  // A load under way keeps the invalidations by which its later readers are judged.
  const isNeeded = ({ operation: o }: Remembered): boolean =>
    KEYS.some((key) => r.keys.get(key)?.flight && matches(o.target, key))
  r.remembered = [...keep, ...gone.filter(isNeeded)]
}

function sweep(w: World, r: Replica, { operation, position }: Remembered): void {
  raise(r.forgottenInvalidations, operation)
  if (!w.is('forgets-without-floor')) raise(r.forgotten, operation)
  for (const key of KEYS) {
    const state = r.keys.get(key)
    if (!state || !matches(operation.target, key)) continue
    if (state.copy && state.copy.begin < position) state.copy = null
    if (state.flight && state.flight.begin < position) state.flight.isVoid = true
  }
}

/** Folds what is stable and stored into the base. */
export function compact(w: World, r: Replica, key: Key): void {
  const state = r.keys.get(key)
  if (!state || state.flight || state.ops.length === 0 || state.base.name === null) return
  if (!state.ops.every((o) => isStable(w, r, o))) return
  if (isDirty(state) && !w.is('compacts-unstored')) return
  state.base = fold(w.kind, state.base, state.ops)
  state.ops = []
}

/** A key that is stable and stored leaves whole. What is left is the floor of the replica. */
export function evict(w: World, r: Replica, key: Key): void {
  const state = r.keys.get(key)
  if (!state || !mayGo(w, r, key, state)) return
  if (!w.is('evicts-without-floor')) joinInto(r.forgotten, knownOf(state))
  r.forgottenStamp = Math.max(r.forgottenStamp, state.base.tip?.stamp ?? 0, ...state.ops.map((o) => o.stamp))
  r.log = r.log.filter((o) => o.key !== key)
  r.keys.delete(key)
  if (state.flight) w.keyOf(r, key).flight = state.flight
  w.count('evictions')
}

function mayGo(w: World, r: Replica, key: Key, state: KeyState): boolean {
  const isAllStable = r.log.every((o) => o.key !== key || isStable(w, r, o))
  return (
    (!state.flight || w.is('evicts-under-load')) &&
    (!isDirty(state) || w.is('evicts-unstored')) &&
    (isAllStable || w.is('evicts-unstable'))
  )
}

/** Membership prunes an id that has ended when every member has applied all that anybody has of it. */
export function pruneIds(w: World): string | undefined {
  for (const id of w.lost) {
    const last = Math.max(0, ...w.replicas.map((x) => x.applied[id] ?? 0))
    if (!w.members().every((x) => covers(x.applied, { [id]: last }))) continue
    if (!w.pruned.has(id)) {
      w.pruned.set(id, last)
      return `${id} is pruned`
    }
    if (w.forgottenIds.has(id) || (!w.is('forgets-id-that-is-held') && isHeld(w, id))) continue
    w.forgottenIds.add(id)
    w.count('idsForgotten')
    return `${id} may be forgotten by rows`
  }
  return undefined
}

/** A member with an operation of the id that is not folded into its base would take a row without the id for one without it. */
const isHeld = (w: World, id: string): boolean =>
  w.members().some((x) => KEYS.some((key) => x.keys.get(key)?.ops.some((o) => o.r === id)))
