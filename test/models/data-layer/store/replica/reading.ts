/** What a replica may serve from memory. */
import { type Key } from '../../keys.ts'
import { type Vector, covers, has } from '../../vectors.ts'
import { type Base, type Operation, fold, orderMatters } from '../folding.ts'
import { type KeyState, type Replica, type World, rememberedOf } from '../world.ts'

export function isVoided(r: Replica, key: Key, begin: number): boolean {
  return rememberedOf(r, key).some((i) => i.position > begin)
}

export function serve(w: World, r: Replica, key: Key, stale = false): Base | undefined {
  const state = r.keys.get(key)
  if (state === undefined) return undefined
  const { copy } = state
  if (copy && (stale || !copy.expired) && !isVoided(r, key, copy.begin) && (stale || !isUnsettled(w, state, copy.V)))
    return fold(w.kind, state.base, state.ops)
  return standsAlone(w, r, key, state)
}

/** Of registers: a write whose writer had seen every invalidation is news, whatever the store holds. */
function standsAlone(w: World, r: Replica, key: Key, state: KeyState): Base | undefined {
  if (w.kind !== 'register' || state.ops.length === 0) return undefined
  const top = fold('register', state.base, state.ops)
  const last = state.ops.find((o) => o.r === top.tip?.r && o.s === top.tip.s)
  if (last === undefined || has(state.base.V, last)) return undefined
  // Else the store may hold a later one that was let go of here.
  const isNewer = !has(r.forgotten, last) && last.stamp > r.forgottenStamp
  if (!isNewer && !w.is('late-write-served-alone')) return undefined
  if (w.is('write-served-alone')) return top
  const seesAll = rememberedOf(r, key).every((i) => has(last.context, i.operation))
  return seesAll && covers(last.context, r.forgottenInvalidations) ? top : undefined
}

/** Concurrent operations of a kind in which order matters, which the store has not settled. */
function isUnsettled(w: World, state: KeyState, V: Readonly<Vector>): boolean {
  if (w.is('unsettled-served')) return false
  return state.ops.some((o) => !has(V, o) && orderMatters(w.kind, o) && isConcurrentWithSome(state, o))
}

function isConcurrentWithSome({ base, ops }: KeyState, u: Operation): boolean {
  const beneath = Object.entries(base.V).some(([r, s]) => r !== u.r && (u.context[r] ?? 0) < s)
  if (beneath && !has(base.V, u)) return true
  return ops.some((o) => o !== u && o.r !== u.r && !has(u.context, o) && !has(o.context, u))
}
