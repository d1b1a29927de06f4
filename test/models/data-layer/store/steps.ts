/** What one integer of a schedule does. */
import { spread } from '../explorer.ts'
import { KEYS, type Key, TARGETS, TARGETS_OF } from '../keys.ts'
import { joinInto } from '../vectors.ts'
import { ask } from './replica/cluster.ts'
import { execute, outsiderWrites, purge } from './database.ts'
import { flush } from './replica/flushing.ts'
import { compact, evict, forget, pruneIds } from './replica/letting-go.ts'
import { crash, deliver, start, sync } from './replica/life.ts'
import { read, timeout } from './replica/loads.ts'
import { type Draft, invalidate, write } from './replica/operations.ts'
import { takeReply } from './replica/replies.ts'
import { resume, through } from './replica/through.ts'
import { type Replica, type World } from './world.ts'

interface Drawn {
  readonly r: Replica
  readonly key: Key
  /** What is left of the integer: chooses among several. */
  readonly a: number
}

export type StepName =
  | 'read'
  | 'write'
  | 'flush'
  | 'execute'
  | 'reply'
  | 'deliver'
  | 'outsider'
  | 'invalidate'
  | 'sync'
  | 'timeout'
  | 'compact'
  | 'evict'
  | 'end of life'
  | 'crash'
  | 'view'
  | 'loss'
  | 'rare'

/** Does the step and says what it did, or does nothing. */
type Step = (w: World, drawn: Drawn) => string | undefined

const ifUp =
  (step: Step): Step =>
  (w, drawn) =>
    drawn.r.up ? step(w, drawn) : undefined

const STEPS: readonly (readonly [number, StepName, Step])[] = [
  [9, 'read', ifUp(readsStep)],
  [7, 'write', ifUp(writeStep)],
  [6, 'flush', ifUp((w, { r, key }) => (flush(w, r, key), `${r.id} flushes ${key}`))],
  [10, 'execute', executeStep],
  [9, 'reply', replyStep],
  [8, 'deliver', deliverStep],
  [2, 'outsider', outsiderStep],
  [3, 'invalidate', ifUp(invalidateStep)],
  [1, 'sync', ifUp(syncStep)],
  [1, 'timeout', ifUp((w, { r, key }) => (timeout(w, r, key), `${r.id} times out on ${key}`))],
  [1, 'compact', ifUp(compactStep)],
  [2, 'evict', ifUp((w, { r, key }) => (evict(w, r, key), `${r.id} evicts ${key}`))],
  [1, 'end of life', endOfLife],
  [1, 'crash', crashOrStart],
  [1, 'view', changeOfView],
  [1, 'loss', lossStep],
  [1, 'rare', rareStep],
]

const KINDS: readonly { readonly name: StepName; readonly step: Step }[] = STEPS.flatMap(([weight, name, step]) =>
  Array.from({ length: weight }, () => ({ name, step })),
)

/** Swarm: each run favours some kinds of steps. */
const READING = [0, 1, 2, 22, 23, 24, 25, 32, 33, 34, 35, 41, 42, 43, 44, 45, 49, 51, 52, 51, 54, 54, 56, 56, 56, 59]
const STORING = [
  ...[0, 1, 2, 9, 10, 16, 17, 18, 22, 23, 24, 25, 26, 32, 33, 34, 35, 36, 41, 42, 43, 44, 45],
  ...[54, 54, 54, 56, 57, 58, 57, 59],
]
const FAULTS = [
  ...[0, 1, 9, 10, 11, 16, 17, 18, 19, 22, 23, 24, 25, 26, 32, 33, 34, 35, 41, 42, 43, 54],
  ...[55, 55, 60, 60, 61, 62, 62, 63, 63, 57],
]
const LOST_LOGS = [
  ...[0, 9, 10, 11, 16, 17, 22, 23, 24, 32, 33, 34, 41, 42],
  ...[54, 54, 54, 54, 54, 56, 56, 56, 56, 56, 57, 60, 60, 63, 63, 63, 63, 63],
]
export const PROFILES: readonly (readonly number[])[] = [
  Array.from({ length: 64 }, (_, i) => i),
  spread(READING),
  spread(STORING),
  spread(FAULTS),
  spread(LOST_LOGS),
]
export const LOSES_LOGS = 4

/** What an integer of a schedule means. */
export interface ReadStep {
  readonly name: StepName
  /** Which replica. */
  readonly r: number
  readonly key: number
  readonly a: number
  readonly step: Step
}

export function readStep(n: number, profile: number): ReadStep {
  return { ...KINDS[PROFILES[profile]![n & 63]!]!, r: (n >>> 6) & 3, key: (n >>> 8) & 1, a: n >>> 9 }
}

export function step(w: World, n: number): void {
  w.now++
  const { r, key, a, step: does } = readStep(n, w.config.profile)
  const said = does(w, { r: w.replicas[r % w.replicas.length]!, key: KEYS[key]!, a })
  if (said !== undefined) w.say(`${String(w.now).padStart(3)}  ${said}`)
}

function readsStep(w: World, { r, key }: Drawn): string {
  if (w.config.cluster) ask(w, r, key)
  else read(w, r, key)
  return `${r.id} reads ${key}`
}

function writeStep(w: World, { r, key, a }: Drawn): string {
  if (w.config.through && a % 4 === 1) {
    through(w, r, key, draft(w, a))
    return `${r.id} writes ${key} through`
  }
  if (r.pending.has(key) && a % 4 === 2) {
    resume(w, r, key)
    return `${r.id} goes on with ${key}`
  }
  const o = write(w, r, key, draft(w, a))
  joinInto(r.seen[key], { [o.r]: o.s })
  const verb = o.kind === 'delete' ? 'deletes' : `writes ${o.removes ? '-' : ''}${o.payload ?? ''} to`
  return `${r.id} ${verb} ${key}  (${o.r}:${o.s} @${o.stamp})`
}

export function draft(w: World, a: number): Draft {
  const n = ++w.unique
  if (a % 6 === 0) return { kind: 'delete', payload: undefined, removes: false }
  if (w.kind === 'counter') return { kind: 'write', payload: 1 + (a % 5), removes: false }
  if (w.kind === 'set') return { kind: 'write', payload: 'xyz'[a % 3], removes: a % 5 === 1 }
  return { kind: 'write', payload: `w${n}`, removes: false }
}

function executeStep(w: World, { a }: Drawn): string | undefined {
  const request = w.requests.splice(indexIn(w.requests, a), 1)[0]
  if (request === undefined) return undefined
  execute(w, request)
  return `the store executes ${request.type} ${request.key} of ${request.from}`
}

function replyStep(w: World, { a }: Drawn): string | undefined {
  const reply = w.replies.splice(indexIn(w.replies, a), 1)[0]
  if (reply === undefined) return undefined
  takeReply(w, reply)
  const { row } = reply
  const what = row ? `= ${row.value ?? 'nothing'} ${JSON.stringify(row.V)}` : reply.isDone ? '(done)' : '(refused)'
  return `${reply.to} gets the answer to ${reply.type} ${reply.key} ${what}`
}

function deliverStep(w: World, { a }: Drawn): string | undefined {
  const message = w.net[indexIn(w.net, a)]
  if (message === undefined) return undefined
  deliver(w, message, a % 7 === 0)
  const what = message.type === 'operation' ? `${message.operation.r}:${message.operation.s}` : message.key
  return `${message.to} receives ${message.type} ${what}`
}

function outsiderStep(w: World, { key }: Drawn): string | undefined {
  if (!w.config.outsiders) return undefined
  outsiderWrites(w, key)
  return `an outsider sets ${key}=${w.store[key]!.value ?? ''}`
}

function invalidateStep(w: World, { r, a }: Drawn): string | undefined {
  const owed = w.owed.splice(indexIn(w.owed, a), 1)[0]
  if (owed === undefined && a % 3 !== 0) return undefined
  const target = owed === undefined ? TARGETS[a % 5]! : TARGETS_OF[owed][a % 3]!
  invalidate(w, r, target)
  return `${r.id} invalidates ${target}`
}

function syncStep(w: World, { r, a }: Drawn): string | undefined {
  const x = w.replicas[a % w.replicas.length]!
  if (!x.up || x === r) return undefined
  sync(w, r, x)
  return `${r.id} syncs from ${x.id}`
}

function compactStep(w: World, { r, key, a }: Drawn): string {
  if ((a & 1) === 1) compact(w, r, key)
  else forget(w, r)
  return (a & 1) === 1 ? `${r.id} compacts ${key}` : `${r.id} forgets invalidations`
}

function endOfLife(_w: World, { r, key }: Drawn): string | undefined {
  const copy = r.keys.get(key)?.copy
  if (!copy) return undefined
  copy.expired = true
  return `the life of ${key} ends on ${r.id}`
}

function crashOrStart(w: World, { r, a }: Drawn): string {
  if (a % 3 !== 0) {
    start(w, r)
    return `${r.id} starts`
  }
  const isAlone = w.replicas.filter((x) => x.up).length < 2
  const losesLog = w.config.volatile && w.lost.size === 0 && a % 2 === 0 && !isAlone
  crash(w, r, losesLog)
  return `${r.id} crashes${losesLog ? ', its log is lost' : ''}`
}

function changeOfView(w: World, { r, a }: Drawn): string {
  const slot = a % w.replicas.length
  if (!r.view.delete(slot) && slot !== r.slot) r.view.add(slot)
  return `${r.id} changes its mind about ${'ABCD'[slot]!}`
}

function lossStep(w: World, { a }: Drawn): string | undefined {
  if (w.net.splice(indexIn(w.net, a), 1).length > 0) return 'a message is lost'
  return lossOfReply(w, a)
}

function lossOfReply(w: World, a: number): string | undefined {
  return w.replies.splice(indexIn(w.replies, a), 1).length > 0 ? 'a reply is lost' : undefined
}

function rareStep(w: World, { key, a }: Drawn): string | undefined {
  if (a % 2 === 0) return pruneIds(w)
  if (a % 4 === 1) return lossOfReply(w, a)
  purge(w, key)
  return `the tombstone of ${key} is purged`
}

const indexIn = (list: readonly unknown[], a: number): number => (list.length === 0 ? 0 : a % list.length)
