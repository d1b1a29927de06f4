/** Operations: how they are written, what they do where they enter, and when they are stable. */
import { fail } from '../../explorer.ts'
import { KEYS, type Key, each, matches } from '../../keys.ts'
import { type Vector, has, isNext, joinInto, raise } from '../../vectors.ts'
import { type Operation, byStamp, isWrite } from '../folding.ts'
import { type Replica, type World } from '../world.ts'

export type Draft = Pick<Operation, 'kind' | 'payload' | 'removes'>

const PLAIN = { key: undefined, target: '', payload: undefined, removes: false, ghost: each(() => 0) }

export function write(w: World, r: Replica, key: Key, draft: Draft): Operation {
  const o = append(w, r, { ...PLAIN, ...draft, key })
  const tip = r.tips.get(key)
  if (w.kind === 'register' && tip !== undefined && byStamp(o, tip) < 0)
    fail(`I4: ${r.id} read ${key}, then wrote it, and the write sorts before what it had read`)
  spread(w, r, o)
  return o
}

export function invalidate(w: World, r: Replica, target: string): Operation {
  w.count('invalidations')
  const o = append(w, r, { ...PLAIN, kind: 'invalidate', target, ghost: each((key) => w.history[key].length - 1) })
  spread(w, r, o)
  return o
}

function append(w: World, r: Replica, draft: Omit<Operation, 'r' | 's' | 'stamp' | 'context'>): Operation {
  const o = { ...draft, r: r.id, s: (r.applied[r.id] ?? 0) + 1, stamp: tick(w, r), context: { ...r.applied } }
  w.operations.push(o)
  return o
}

export function tick(w: World, r: Replica): number {
  r.clock = Math.max(r.clock + 1, w.now * 20 + r.skew)
  return r.clock
}

/** Takes in what was written here, and sends it to everybody. */
export function spread(w: World, r: Replica, o: Operation): void {
  enter(w, r, o)
  for (const x of w.others(r)) w.net.push({ type: 'operation', to: x.id, operation: o, ack: ackOf(r), from: r.id })
}

export function receive(w: World, r: Replica, o: Operation): boolean {
  const isVoid = o.s > (w.pruned.get(o.r) ?? Infinity)
  if (has(r.applied, o) || isVoid) return true
  if (!isNext(r.applied, o)) return false
  enter(w, r, o)
  return true
}

function enter(w: World, r: Replica, o: Operation): void {
  raise(r.applied, o)
  r.clock = Math.max(r.clock, o.stamp)
  r.position++
  r.log.push(o)
  if (o.kind === 'invalidate') enterInvalidation(w, r, o)
  else if (isWrite(o)) {
    const state = w.keyOf(r, o.key!)
    state.ops = [...state.ops, o]
  }
}

function enterInvalidation(w: World, r: Replica, o: Operation): void {
  r.everKnown.push(o)
  const isUnremembered = w.is('pattern-not-remembered') && o.target.includes('*')
  if (!isUnremembered) r.remembered.push({ operation: o, position: r.position })
  for (const key of KEYS) {
    const state = r.keys.get(key)
    if (state === undefined || !matches(o.target, key)) continue
    if (isUnremembered) {
      state.copy = null
      continue
    }
    if (state.flight) state.flight.isVoid = true
    if (w.is('invalidation-drops-writes')) state.ops = []
  }
}

/** What a replica acknowledges: nothing that a write of its own which is still on its way to the store has not seen. */
export function ackOf(r: Replica): Vector {
  const ack = { ...r.applied }
  for (const o of [...[...r.pending.values()].map((p) => p.operation), ...r.ready])
    for (const id in ack) if (id !== r.id && id !== r.lane) ack[id] = Math.min(ack[id]!, o.context[id] ?? 0)
  return ack
}

export function isStable(w: World, r: Replica, o: Operation): boolean {
  for (const p of r.pending.values()) if (!has(p.operation.context, o) && p.operation.r !== o.r) return false
  return w.members().every((x) => (x === r ? has(r.applied, o) : hasAcknowledged(r, x, o)))
}

/** An acknowledgement counts once everything that its sender had written by then is here. */
function hasAcknowledged(r: Replica, x: Replica, o: Operation): boolean {
  const ack = r.acks.get(x.id)
  if (ack === undefined || !has(ack, o)) return false
  return [x.id, x.lane].every((id) => (r.applied[id] ?? 0) >= (ack[id] ?? 0))
}

export function noteAck(r: Replica, id: string, ack: Readonly<Vector>): void {
  r.acks.set(id, joinInto(r.acks.get(id) ?? {}, ack))
}
