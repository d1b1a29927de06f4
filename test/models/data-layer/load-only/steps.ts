/** What one integer of a schedule does. */
import { spread } from '../explorer.ts'
import { KEYS, type Key, TARGETS } from '../keys.ts'
import { asked, filled, loaded, read, refresh, timeout } from './loads.ts'
import { digested, evict, forget, invalidate, receive, set, setSince } from './operations.ts'
import { type Message, type Replica, type World, forgetAll, freshReplica } from './world.ts'

interface Drawn {
  readonly r: Replica
  readonly key: Key
  /** What is left of the integer: chooses among several. */
  readonly a: number
}

/** Does the step and says what it did, or does nothing. */
type Step = (w: World, drawn: Drawn) => string | undefined

const ifUp =
  (step: Step): Step =>
  (w, drawn) =>
    drawn.r.up ? step(w, drawn) : undefined

const STEPS: readonly (readonly [number, Step])[] = [
  [9, ifUp((w, { r, key }) => (read(w, r, key), `${r.id} reads ${key}`))],
  [3, ifUp((w, { r, key }) => (refresh(w, r, key), `${r.id} refreshes ${key}`))],
  [7, ifUp(setStep)],
  [9, execute],
  [9, reply],
  [9, (w, { a }) => deliverOne(w, a)],
  [3, outsider],
  [3, ifUp((w, { r, a }) => announce(w, r, a))],
  [1, ifUp((w, { r, a }) => (invalidate(w, r, TARGETS[a % 5]!), `${r.id} invalidates ${TARGETS[a % 5]!}`))],
  [1, ifUp(syncOrDigest)],
  [1, ifUp((_w, { r, key }) => (timeout(r, key), `${r.id} gives up on ${key}`))],
  [1, ifUp((w, { r, a }) => (forget(w, r, a % 2 === 0), `${r.id} forgets invalidations`))],
  [2, ifUp((w, { r, key }) => (evict(w, r, key), `${r.id} lets ${key} go`))],
  [1, endOfLife],
  [1, crashOrStart],
  [1, changeOfView],
  [1, lossOfMessage],
  [1, lossOfReply],
  [1, dropCopy],
]

const KINDS: readonly Step[] = STEPS.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))

/** Swarm: each run favours some kinds of steps. */
const numbersOf = (...steps: readonly number[]): readonly number[] =>
  steps.map((n) => STEPS.slice(0, n).reduce((sum, [weight]) => sum + weight, 0))
export const PROFILES: readonly (readonly number[])[] = [
  Array.from({ length: 64 }, (_, i) => i),
  spread(numbersOf(0, 0, 0, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5)), // sets and loads
  spread(numbersOf(0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 7, 7, 11, 12, 13)), // invalidations, and letting go
  spread(numbersOf(0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 9, 10, 12, 14, 14, 15, 16, 17)), // faults
]

export function step(w: World, n: number): void {
  w.now++
  const r = w.replicas[((n >>> 6) & 3) % w.replicas.length]!
  const kind = KINDS[PROFILES[w.config.profile]![n & 63]!]!
  const said = kind(w, { r, key: KEYS[(n >>> 8) & 1]!, a: n >>> 9 })
  if (said !== undefined) w.say(`${String(w.now).padStart(3)}  ${said}`)
}

/** Position, commit and set are three steps, where a set counts since a position. Without: one. Some sets bring what was only read. */
function setStep(w: World, { r, key, a }: Drawn): string {
  if (!w.config.since) {
    const row = a % 3 === 0 ? w.database[key] : w.commit(key, a % 4 === 1)
    const o = set(w, r, key, row)
    return `${r.id} commits and sets ${key}=${row} (${o.r}:${o.s})`
  }
  const begun = r.begun.get(key)
  if (begun === undefined) {
    r.begun.set(key, { position: r.position, row: undefined })
    return `${r.id} takes its position for ${key}`
  }
  if (begun.row === undefined) {
    begun.row = a % 3 === 0 ? w.database[key] : w.commit(key, a % 4 === 1)
    return `${r.id} commits ${key}=${begun.row}`
  }
  r.begun.delete(key)
  const o = setSince(w, r, key, begun.row, begun.position)
  return `${r.id} sets ${key}=${begun.row} since its position: ${o.kind} ${o.r}:${o.s}`
}

function execute(w: World, { a }: Drawn): string | undefined {
  const [request] = w.requests.splice(indexIn(w.requests, a), 1)
  if (request === undefined) return undefined
  w.replies.push({ ...request, row: w.database[request.key] })
  return `the database answers ${request.from}: ${request.key}=${w.database[request.key]}`
}

function reply(w: World, { a }: Drawn): string | undefined {
  const [answer] = w.replies.splice(indexIn(w.replies, a), 1)
  if (answer === undefined) return undefined
  const r = w.replica(answer.from)
  if (r !== undefined) loaded(w, r, answer)
  return `${answer.from} gets the answer ${answer.key}=${answer.row}`
}

function deliverOne(w: World, a: number): string | undefined {
  const message = w.net[indexIn(w.net, a)]
  if (message === undefined) return undefined
  deliver(w, message, a % 7 === 0)
  const what = textOf(message)
  return `${message.to} receives ${message.type} ${what}`
}

function textOf(message: Message): string {
  if (message.type === 'operation') return `${message.operation.r}:${message.operation.s}`
  return message.type === 'digest' ? `of ${message.from}` : message.key
}

/** An operation that comes too early stays on its way. */
export function deliver(w: World, message: Message, doubled: boolean): void {
  const r = w.replica(message.to)
  if (r?.up) {
    if (message.type === 'ask') asked(w, r, message)
    else if (message.type === 'fill') filled(w, r, message)
    else if (message.type === 'digest') digested(w, r, message)
    else if (!receive(w, r, message.operation)) return
  }
  if (!doubled) w.net.splice(w.net.indexOf(message), 1)
}

function outsider(w: World, { key, a }: Drawn): string {
  // Whoever announces by tag names the tag of the row that is no more.
  w.owed.push({ key, tag: w.tags[key].at(-1)! })
  const row = w.commit(key, a % 3 === 0)
  return `an outsider commits ${key}=${row} (${w.tagOf(key, row)})`
}

function announce(w: World, r: Replica, a: number): string | undefined {
  const [owed] = w.owed.splice(indexIn(w.owed, a), 1)
  if (owed === undefined) return undefined
  const target = targetOf(owed, a)
  invalidate(w, r, target)
  return `${r.id} invalidates ${target} after the outsider's commit`
}

export const targetOf = ({ key, tag }: World['owed'][number], a: number): string => [key, 'a*', tag][a % 3]!

function syncOrDigest(w: World, { r, a }: Drawn): string | undefined {
  const x = w.replicas[a % w.replicas.length]!
  if (!x.up || x === r) return undefined
  if ((a >>> 3) % 2 === 0) {
    w.net.push({ type: 'digest', to: x.id, from: r.id, applied: { ...r.applied } })
    return `${r.id} tells ${x.id} what it has applied`
  }
  sync(w, r, x)
  return `${r.id} syncs from ${x.id}`
}

export function sync(w: World, r: Replica, x: Replica): void {
  for (const o of x.log) receive(w, r, o)
  digested(w, r, { type: 'digest', to: r.id, from: x.id, applied: { ...x.applied } })
}

function endOfLife(_w: World, { r, key }: Drawn): string | undefined {
  const copy = r.entries.get(key)?.copy
  if (!copy) return undefined
  copy.expired = true
  return `the life of ${key} ends on ${r.id}`
}

/** A copy may go at any time; what is known of sets stays. */
function dropCopy(_w: World, { r, key }: Drawn): string | undefined {
  const entry = r.entries.get(key)
  if (!entry?.copy) return undefined
  entry.copy = null
  return `${r.id} drops its copy of ${key}`
}

function crashOrStart(w: World, { r, a }: Drawn): string {
  if (a % 3 !== 0) {
    start(w, r)
    return `${r.id} starts`
  }
  const alone = w.replicas.filter((x) => x.up).length < 2
  const loses = w.config.volatile && w.lost.size === 0 && a % 2 === 0 && !alone
  crash(w, r, loses)
  return `${r.id} crashes${loses ? ', its log is lost' : ''}`
}

function crash(w: World, r: Replica, loses: boolean): void {
  if (!r.up) return
  r.up = false
  // Whoever committed and did not come to say so has to say it later.
  for (const [key, begun] of r.begun) if (begun.row !== undefined) w.owed.push({ key, tag: key })
  forgetAll(w, r)
  if (!loses) return
  r.gone = true
  w.lost.add(r.id)
}

export function start(w: World, r: Replica): void {
  if (r.up) return
  if (!r.gone) {
    r.up = true
    return
  }
  const peer = w.replicas.find((x) => x.up && x !== r)
  if (peer === undefined) return
  const joiner = freshReplica(r.slot, 'ABCD'[r.slot]! + String(++w.unique))
  joiner.applied = { ...peer.applied }
  joiner.clock = peer.clock
  joiner.position = peer.position
  joiner.log = [...peer.log]
  joiner.known = [...peer.known]
  joiner.forgottenInvalidations = { ...peer.forgottenInvalidations }
  forgetAll(w, joiner)
  w.replicas[r.slot] = joiner
}

function changeOfView(w: World, { r, a }: Drawn): string | undefined {
  const slot = a % w.replicas.length
  if (slot === r.slot) return undefined
  if (!r.view.delete(slot)) r.view.add(slot)
  return `${r.id} changes its mind about ${'ABCD'[slot]!}`
}

function lossOfMessage(w: World, { a }: Drawn): string | undefined {
  return w.net.splice(indexIn(w.net, a), 1).length > 0 ? 'a message is lost' : undefined
}

function lossOfReply(w: World, { a }: Drawn): string | undefined {
  return w.replies.splice(indexIn(w.replies, a), 1).length > 0 ? 'a reply is lost' : undefined
}

const indexIn = (list: readonly unknown[], a: number): number => (list.length === 0 ? 0 : a % list.length)
