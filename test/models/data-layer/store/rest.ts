/** The world heals and comes to rest; then the store and all replicas say the same. */
import { fail } from '../explorer.ts'
import { KEYS, type Key, TARGETS_OF } from '../keys.ts'
import { covers, has } from '../vectors.ts'
import { execute } from './database.ts'
import { isWrite } from './folding.ts'
import { flush } from './replica/flushing.ts'
import { compact, pruneIds } from './replica/letting-go.ts'
import { crash, deliver, start, sync } from './replica/life.ts'
import { read, timeout } from './replica/loads.ts'
import { invalidate, write } from './replica/operations.ts'
import { serve } from './replica/reading.ts'
import { takeReply } from './replica/replies.ts'
import { resume } from './replica/through.ts'
import { draft } from './steps.ts'
import { type KeyState, type Replica, type World } from './world.ts'

export function settle(w: World): void {
  w.say('---  healing')
  heal(w)
  exchange(w, 12)
  w.say('---  at rest')
  judgeAll(w)
  if (w.lost.size === 0) return
  forgetIds(w)
  judgeAll(w)
}

function exchange(w: World, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    for (const r of w.replicas) for (const x of w.others(r)) sync(w, r, x)
    drain(w)
    for (const r of w.replicas) for (const key of KEYS) finish(w, r, key)
    drain(w)
  }
}

function judgeAll(w: World): void {
  judgeLogs(w)
  for (const key of KEYS) judgeStore(w, key)
  for (const key of KEYS) for (const r of w.replicas) judgeAnew(w, r, key)
}

/** The ids whose logs were lost leave the rows with the next write; who starts afterwards does not know what is stored. */
function forgetIds(w: World): void {
  w.say('---  ids are forgotten, and all keys are written again')
  for (const r of w.replicas) for (const key of KEYS) compact(w, r, key)
  for (let said = pruneIds(w); said !== undefined; said = pruneIds(w)) w.say(`     ${said}`)
  for (const key of KEYS) write(w, w.replicas[0]!, key, draft(w, 2))
  exchange(w, 4)
  const last = w.replicas.at(-1)!
  crash(w, last, false)
  start(w, last)
  exchange(w, 4)
}

function heal(w: World): void {
  for (const r of [...w.replicas]) if (!r.gone) start(w, r)
  for (const r of [...w.replicas]) start(w, r)
  for (const r of w.replicas) r.view.clear()
  for (let key = w.owed.pop(); key !== undefined; key = w.owed.pop())
    invalidate(w, w.replicas[0]!, TARGETS_OF[key][w.owed.length % 3]!)
  deliverAll(w)
  // An invalidation that died with its author before anybody else had it was never acknowledged: its caller repeats it.
  const orphans = w.operations.filter((o) => o.kind === 'invalidate' && !w.replicas.some((x) => has(x.applied, o)))
  for (const o of orphans) invalidate(w, w.replicas[0]!, o.target)
}

/** Until nothing more can be delivered; what is left then comes by a sync. */
function deliverAll(w: World): void {
  for (let before = -1; w.net.length > 0 && w.net.length !== before;) {
    before = w.net.length
    for (const message of [...w.net].reverse()) if (w.net.includes(message)) deliver(w, message, false)
  }
  w.net.length = 0
}

function drain(w: World): void {
  for (let i = 0; i < 40 && w.requests.length + w.replies.length + w.net.length > 0; i++) {
    for (const request of w.requests.splice(0)) execute(w, request)
    for (const reply of w.replies.splice(0)) takeReply(w, reply)
    for (const message of [...w.net].reverse()) if (w.net.includes(message)) deliver(w, message, false)
  }
}

function finish(w: World, r: Replica, key: Key): void {
  const state = r.keys.get(key)
  if (state?.flight) timeout(w, r, key)
  if (r.pending.has(key)) resume(w, r, key)
  else if (state && flushesHere(w, r, key, state)) flush(w, r, key)
}

function flushesHere(w: World, r: Replica, key: Key, state: KeyState): boolean {
  if (!w.is('author-flushes')) return w.owner(r, key) === r
  return state.ops.some((o) => o.r === r.id && !has(state.stored, o))
}

function judgeLogs(w: World): void {
  for (const r of w.replicas) {
    for (const x of w.others(r))
      if (!covers(r.applied, x.applied))
        fail(`${r.id} never gets what ${x.id} has: ${JSON.stringify([r.applied, x.applied])}`)
    if (r.pending.size + r.ready.length > 0) fail(`a write through ${r.id} never comes to an end`)
  }
}

function judgeStore(w: World, key: Key): void {
  const row = w.rowOf(key)
  const isStored = (o: Parameters<typeof isWrite>[0]): boolean =>
    has(row.V, o) || has(w.purged[key], o) || has(w.dropped[key], o)
  for (const o of w.operations)
    if (o.key === key && isWrite(o) && w.replicas.some((x) => has(x.applied, o)) && !isStored(o))
      fail(`I3/I5: the store never gets ${o.r}:${o.s} of ${key}`)
  for (const r of w.replicas) judgeServed(w, r, key, 'at rest')
}

function judgeAnew(w: World, r: Replica, key: Key): void {
  const state = w.keyOf(r, key)
  if (state.copy) state.copy.expired = true
  read(w, r, key)
  drain(w)
  judgeServed(w, r, key, 'at rest, read anew,')
}

function judgeServed(w: World, r: Replica, key: Key, when: string): void {
  const served = serve(w, r, key)
  const { value } = w.rowOf(key)
  if (served && served.value !== value)
    fail(`${when} ${r.id} serves ${key}=${served.value ?? 'nothing'} and the store holds ${value ?? 'nothing'}`)
}
