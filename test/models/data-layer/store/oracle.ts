/** Judges what is served and what the store gets, by the history that no replica can see. */
import { fail } from '../explorer.ts'
import { type Key, matches } from '../keys.ts'
import { type Vector, covers, has, join, joinInto } from '../vectors.ts'
import { type Base, type Operation, byStamp, fold, isWrite } from './folding.ts'
import { type Held, type Replica, type Row, type Waiter, type World } from './world.ts'

export interface Reader {
  readonly seen: Readonly<Vector>
  readonly known: number
}

export const readerOf = (r: Replica, key: Key): Waiter => ({
  seen: { ...r.seen[key] },
  known: r.everKnown.length,
  position: r.position,
})

export type How = 'hit' | 'load' | 'void' | 'cluster' | 'stale'

// eslint-disable-next-line max-params -- who was given what of which key, and when the read began
export function check(w: World, r: Replica, key: Key, state: Base, reader: Reader & { how: How }): void {
  w.count('checked')
  refusedIsNotServed(w, r, key, state)
  readsGoOn(w, r, key, state, reader)
  // The answer of a load that turned out void is given once and not kept.
  if (reader.how !== 'void') joinInto(r.seen[key], state.V)
  const before = r.tips.get(key)
  if (state.tip !== null && !(before !== undefined && byStamp(state.tip, before) < 0)) r.tips.set(key, state.tip)
  invalidationHolds(w, r, key, state, reader)
}

function refusedIsNotServed(w: World, r: Replica, key: Key, { value }: Base): void {
  if (w.kind === 'counter' || w.kind === 'set' || typeof value !== 'string') return
  const parts = value.split('w')
  for (const o of w.operations)
    if (o.key === key && o.kind === 'void' && o.payload !== undefined && parts.includes(String(o.payload).slice(1)))
      fail(`L: ${r.id} served the refused ${o.payload}`)
}

/** A read has what was written or read there before. A greater stamp of a register stands for the lesser ones. */
// eslint-disable-next-line max-params -- as `check`
function readsGoOn(w: World, r: Replica, key: Key, { V, tip }: Base, { seen, how }: Reader & { how: How }): void {
  const gone = join(w.purged[key], w.dropped[key])
  if (covers(join(V, gone), seen)) return
  const isCovered = (o: Operation): boolean =>
    !has(seen, o) || has(V, o) || has(gone, o) || (tip !== null && byStamp(o, tip) < 0)
  const hasAll = w.kind === 'register' && tip !== null && writesOf(w, key).every(isCovered)
  if (hasAll) return
  const what = `${JSON.stringify(V)} < ${JSON.stringify(seen)}`
  fail(`I4/I7: a read of ${key} on ${r.id} (${how}) lacks what was written or read there before: ${what}`)
}

// eslint-disable-next-line max-params -- as `check`
function invalidationHolds(w: World, r: Replica, key: Key, state: Base, { known, how }: Reader & { how: How }): void {
  const invalidations = r.everKnown.slice(0, known).filter((o) => matches(o.target, key))
  if (invalidations.length === 0) return
  const since = Math.max(...invalidations.map((o) => o.ghost[key]))
  if (w.kind === 'register' && state.tip !== null) {
    const { tip } = state
    const last = w.operations.find((o) => o.r === tip.r && o.s === tip.s)!
    if (invalidations.every((i) => has(last.context, i))) return
  }
  const isKnown = (o: Operation): boolean => has(r.applied, o) || has(state.V, o)
  for (const held of w.history[key].slice(since).reverse()) {
    const mine = writesOf(w, key).filter(isKnown)
    if (fold(w.kind, { ...held, name: '' }, mine).value === state.value) return
    const all = writesOf(w, key).filter((o) => has(held.V, o) || isKnown(o))
    if (fold(w.kind, held.base, all).value === state.value) return
  }
  fail(
    `I1: ${r.id} served ${key}=${state.value ?? 'nothing'} (${how}) after an invalidation known there; the store had moved on`,
  )
}

const writesOf = (w: World, key: Key): Operation[] => w.operations.filter((o) => o.key === key && isWrite(o))

/** The store moves on by what is right: its row with the operations on top, or all operations at their own places. */
export function judgeCommit(w: World, key: Key, next: Row, isFence: boolean): Held {
  const before = w.history[key].at(-1)!
  const V = join(next.V, w.dropped[key])
  if (!covers(V, before.V))
    fail(`I5/I8: the store goes back on ${key}: ${JSON.stringify(V)} over ${JSON.stringify(before.V)}`)
  const wasPurged = Object.keys(w.purged[key]).length > 0 && covers(w.purged[key], V)
  if (next.value !== undefined && wasPurged && !isFence)
    fail(`I8: the deleted ${key} comes back: ${JSON.stringify(next)}`)
  const operations = writesOf(w, key).filter((o) => has(V, o))
  const atPlace = fold(w.kind, before.base, operations)
  const onTop = fold(w.kind, { ...before, name: '' }, operations)
  const { value, tip } = next
  if (atPlace.value === value) return { value, V, tip, base: before.base }
  if (onTop.value !== value)
    fail(
      `I5: the store gets ${key}=${value ?? 'nothing'}; right is ${atPlace.value ?? 'nothing'} or ${onTop.value ?? 'nothing'}`,
    )
  return { value, V, tip, base: { value: before.value, V: before.V, tip: before.tip, name: '' } }
}
