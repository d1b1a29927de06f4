/** What chance hits too seldom, and what a set is for: it spares loads. */
import { fail } from '../explorer.ts'
import { type Key } from '../keys.ts'
import { asked, filled, load, loaded, read, serve } from './loads.ts'
import { digested, evict, forget, invalidate, receive, set } from './operations.ts'
import { settle } from './rest.ts'
import { deliver } from './steps.ts'
import { type Config, type Replica, World } from './world.ts'

const BASIC: Config = { replicas: 3, cluster: false, since: false, volatile: false, salt: 1, profile: 0 }

type Go = (w: World, ...replicas: Replica[]) => void

const CASES: Readonly<Record<string, readonly [Partial<Config>, Go]>> = {
  'a set that nobody contradicts is a copy everywhere, without a load': [
    {},
    (w) => {
      commitAndSet(w, w.replicas[0]!)
      deliverAll(w)
      for (const r of w.replicas) read(w, r, 'a')
      wantLoads(w, 0)
    },
  ],
  'a set replaces the copy of a load, and the load in flight leaves it alone': [
    {},
    (w, a, b) => {
      read(w, b, 'a')
      execute(w)
      commitAndSet(w, a)
      deliverAll(w)
      answer(w)
      if (serve(w, b, 'a') !== 1) fail('the copy of the set is gone')
      read(w, b, 'a')
      wantLoads(w, 1)
    },
  ],
  'a set after a set that its writer had seen': [
    {},
    (w, a, b) => {
      commitAndSet(w, a)
      deliverAll(w)
      commitAndSet(w, b)
      deliverAll(w)
      for (const r of w.replicas) read(w, r, 'a')
      wantLoads(w, 0)
    },
  ],
  'two concurrent sets: one load on each replica': [
    {},
    (w, a, b) => {
      commitAndSet(w, a)
      commitAndSet(w, b)
      deliverAll(w)
      for (const r of w.replicas) read(w, r, 'a')
      wantLoads(w, 3)
    },
  ],
  'a set that arrives after a load which began after another one': [
    {},
    (w, a, b, c) => {
      const first = commitAndSet(w, a)
      const second = commitAndSet(w, b)
      receive(w, c, second)
      load(w, c, 'a', [])
      execute(w)
      answer(w)
      receive(w, c, first)
      read(w, c, 'a')
    },
  ],
  'a set that arrives where a later one was let go': [
    {},
    (w, a, b, c) => {
      const first = commitAndSet(w, a)
      receive(w, c, commitAndSet(w, b))
      evict(w, c, 'a')
      receive(w, c, first)
      read(w, c, 'a')
    },
  ],
  'an older invalidation was forgotten before the set arrives': [
    {},
    (w, a, b, c) => {
      const old = commitAndSet(w, a)
      w.commit('a')
      receive(w, c, invalidate(w, b, 'a*'))
      forget(w, c, true)
      receive(w, c, old)
      read(w, c, 'a')
    },
  ],
  'a digest overtakes a set that was written before it': [
    {},
    (w, a, b, c) => {
      const old = commitAndSet(w, a)
      w.commit('a')
      const invalidation = invalidate(w, b, 'a')
      receive(w, a, invalidation)
      receive(w, c, invalidation)
      digested(w, c, { type: 'digest', to: c.id, from: a.id, applied: { ...a.applied } })
      receive(w, c, old)
      read(w, c, 'a')
    },
  ],
  'a fill of a load that began before a set which the asker knows': [
    { cluster: true },
    (w, a, b) => {
      load(w, b, 'a', [])
      execute(w)
      commitAndSet(w, a)
      evict(w, a, 'a')
      read(w, a, 'a')
      take(w, 'ask')
      answer(w)
      take(w, 'fill')
      read(w, a, 'a')
    },
  ],
  'four replicas, 25 readers each, one load': [
    { cluster: true, replicas: 4 },
    (w) => {
      for (const r of w.replicas) for (let i = 0; i < 25; i++) read(w, r, 'a')
      while (w.net.length > 0) take(w, 'ask')
      execute(w)
      answer(w)
      while (w.net.length > 0) take(w, 'fill')
      wantLoads(w, 1)
      for (const r of w.replicas) if (serve(w, r, 'a') === undefined) fail(`${r.id} has no copy`)
    },
  ],
}

export const DIRECTED: Readonly<Record<string, (mutant: string) => void>> = Object.fromEntries(
  Object.entries(CASES).map(([name, [config, go]]) => [
    name,
    (mutant: string): void => {
      const w = new World({ ...BASIC, ...config }, mutant)
      go(w, ...w.replicas)
      settle(w)
    },
  ]),
)

const commitAndSet = (w: World, r: Replica, key: Key = 'a'): ReturnType<typeof set> => set(w, r, key, w.commit(key))

function deliverAll(w: World): void {
  for (const message of [...w.net]) deliver(w, message, false)
}

function execute(w: World): void {
  const request = w.requests.shift()!
  w.replies.push({ ...request, row: w.database[request.key] })
}

function answer(w: World): void {
  const reply = w.replies.shift()!
  loaded(w, w.replica(reply.from)!, reply)
}

/** Delivers the first message of this type. */
function take(w: World, type: 'ask' | 'fill'): void {
  const message = w.net.find((m) => m.type === type)
  if (message === undefined) return
  w.net.splice(w.net.indexOf(message), 1)
  const r = w.replica(message.to)!
  if (message.type === 'ask') asked(w, r, message)
  else if (message.type === 'fill') filled(w, r, message)
}

function wantLoads(w: World, wanted: number): void {
  if (w.counts['loads'] !== wanted) fail(`${w.counts['loads']} loads instead of ${wanted}`)
}
