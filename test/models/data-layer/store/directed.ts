/** Directed schedules: what chance hits too seldom. */
import { fail } from '../explorer.ts'
import { ask } from './replica/cluster.ts'
import { execute as executeRequest, outsiderWrites } from './database.ts'
import { flush } from './replica/flushing.ts'
import { evict, forget, pruneIds } from './replica/letting-go.ts'
import { crash, deliver, start, sync } from './replica/life.ts'
import { load, read, timeout } from './replica/loads.ts'
import { type Draft, invalidate, receive, write } from './replica/operations.ts'
import { serve } from './replica/reading.ts'
import { takeReply } from './replica/replies.ts'
import { settle } from './rest.ts'
import { resume, through } from './replica/through.ts'
import { type Config, type Message, type Replica, World } from './world.ts'

const BASIC: Config = {
  kind: 'register',
  replicas: 3,
  outsiders: true,
  volatile: false,
  cluster: true,
  through: false,
  salt: 1,
  profile: 0,
  skews: [0, 0, 0, 0],
}

type Go = (w: World, a: Replica, b: Replica, c: Replica) => void

const CASES: Readonly<Record<string, readonly [Partial<Config>, Go]>> = {
  'a load that began before an invalidation answers a replica that has forgotten it': [
    { replicas: 2 },
    (w, a, b) => {
      read(w, b, 'a')
      execute(w)
      outsiderWrites(w, 'a')
      w.owed = []
      receive(w, b, invalidate(w, a, 'a'))
      sync(w, a, b)
      forget(w, a)
      ask(w, a, 'a')
      take(w, 'ask', b)
      answer(w)
      take(w, 'fill', a)
      read(w, a, 'a')
    },
  ],
  'a load that read before a write answers a replica that has let the key go': [
    {},
    (w, a, b, c) => {
      read(w, b, 'a')
      execute(w)
      const held = w.replies.shift()!
      write(w, c, 'a', text('new'))
      flush(w, c, 'a')
      storeAnswers(w, 2)
      load(w, a, 'a', [{ seen: {}, known: 0, position: a.position }])
      storeAnswers(w, 1)
      evict(w, a, 'a')
      ask(w, a, 'a')
      take(w, 'ask', b)
      takeReply(w, held)
      take(w, 'fill', a)
      read(w, a, 'a')
    },
  ],
  'an old write arrives where a later row was read and let go': [
    { cluster: false },
    (w, _a, b, c) => {
      const first = write(w, b, 'a', text('first'))
      write(w, b, 'a', { kind: 'delete', payload: undefined, removes: false })
      flush(w, b, 'a')
      storeAnswers(w, 2)
      read(w, c, 'a')
      storeAnswers(w, 1)
      evict(w, c, 'a')
      receive(w, c, first)
      read(w, c, 'a')
    },
  ],
  'a try that was given up lands after a later try was refused': [
    { cluster: false, through: true },
    (w, a) => {
      through(w, a, 'a', text('wx'))
      storeAnswers(w, 1)
      const first = w.requests.shift()!
      timeout(w, a, 'a')
      resume(w, a, 'a')
      storeAnswers(w, 1)
      w.now = 4 // the store refuses now
      storeAnswers(w, 1)
      w.now = 5
      resume(w, a, 'a')
      if (w.requests.length > 0) storeAnswers(w, 2)
      executeRequest(w, first)
      answer(w)
      if (w.counts['refused'] !== 1) fail('L: the refusal is never reported')
    },
  ],
  'four replicas, 25 readers each, one load': [
    { replicas: 4 },
    (w, _a, b) => {
      for (const r of w.replicas) for (let i = 0; i < 25; i++) ask(w, r, 'a')
      for (let i = 0; i < 8; i++) take(w, 'ask', b)
      while (w.requests.length > 0) execute(w)
      while (w.replies.length > 0) answer(w)
      for (const r of w.replicas) take(w, 'fill', r)
      if (w.counts['loads'] !== 1) fail(`I6: ${w.counts['loads']} loads`)
      for (const r of w.replicas) if (!serve(w, r, 'a')) fail(`I6: ${r.id} has no copy`)
    },
  ],
  'an id that has ended is forgotten by the row, and its increments count once': [
    { kind: 'counter', cluster: false, outsiders: false, volatile: true },
    (w, a, b, c) => {
      write(w, c, 'a', { kind: 'write', payload: 5, removes: false })
      sync(w, a, c)
      sync(w, b, c)
      crash(w, c, true)
      start(w, c)
      for (let i = 0; i < 3; i++) for (const r of w.replicas) for (const x of w.others(r)) sync(w, r, x)
      flush(w, a, 'a')
      storeAnswers(w, 2)
      while (pruneIds(w) !== undefined);
      write(w, a, 'a', { kind: 'write', payload: 1, removes: false })
      sync(w, b, a)
      sync(w, a, b)
      flush(w, a, 'a')
      if (w.requests.length > 0) storeAnswers(w, w.requests[0]!.type === 'get' ? 2 : 1)
    },
  ],
  'an operation of an id that was pruned before it was stored': [
    { kind: 'counter', cluster: false, outsiders: false, volatile: true },
    (w, a, b, c) => {
      write(w, c, 'a', { kind: 'write', payload: 5, removes: false })
      sync(w, a, c)
      sync(w, b, c)
      crash(w, c, true)
      start(w, c)
      for (let i = 0; i < 3; i++) for (const r of w.replicas) for (const x of w.others(r)) sync(w, r, x)
      while (pruneIds(w) !== undefined);
      flush(w, a, 'a')
      storeAnswers(w, 2)
    },
  ],
}

export const DIRECTED: Readonly<Record<string, (mutant: string) => void>> = Object.fromEntries(
  Object.entries(CASES).map(([name, [config, go]]) => [
    name,
    (mutant: string): void => {
      // Mutants of another protocol count operations: they have no part in these schedules.
      if (mutant.startsWith('count-')) return
      const w = new World({ ...BASIC, ...config }, mutant)
      const [a, b, c] = w.replicas
      go(w, a!, b!, c!)
      settle(w)
    },
  ]),
)

const text = (payload: string): Draft => ({ kind: 'write', payload, removes: false })

function execute(w: World): void {
  executeRequest(w, w.requests.shift()!)
}

function answer(w: World): void {
  takeReply(w, w.replies.shift()!)
}

function storeAnswers(w: World, times: number): void {
  for (let i = 0; i < times && w.requests.length > 0; i++) {
    execute(w)
    answer(w)
  }
}

function take(w: World, type: Message['type'], to: Replica): void {
  const message = w.net.find((m) => m.type === type && m.to === to.id)
  if (message) deliver(w, message, false)
}
