/** What one integer of a schedule does. */
import { spread } from '../explorer.ts'
import { KEYS, type Key, TARGETS } from '../keys.ts'
import { changeIsolation, crash, deliver, evict, start, sync } from './life.ts'
import { compact, end, expire, grant, renew, write } from './operations.ts'
import { load, read } from './reading.ts'
import { type Lease, type Replica, type World } from './world.ts'

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

const withLease =
  (step: (w: World, r: Replica, lease: Lease, a: number) => string): Step =>
  (w, { r, a }) => {
    const leases = [...r.leases.values()]
    const lease = leases[leases.length === 0 ? 0 : (a >>> 4) % leases.length]
    return lease && step(w, r, lease, a)
  }

const STEPS: readonly (readonly [number, Step])[] = [
  [14, tick],
  [8, ifUp((w, { r, key }) => (read(w, r, key), `${r.id} reads ${key}`))],
  [5, ifUp((w, { r, key }) => (write(w, r, 'put', { lease: '', target: key }), `${r.id} puts ${key}`))],
  [3, ifUp((_w, { r, key }) => (load(r, key), `${r.id} loads ${key}`))],
  [3, ifUp((w, { r }) => (grant(w, r), `${r.id} grants a lease`))],
  [5, ifUp(withLease(attach))],
  [8, ifUp(withLease((w, r, lease) => (renew(w, r, lease), `${r.id} renews ${lease.id} of ${lease.owner}`)))],
  [1, ifUp(withLease((w, r, lease) => (end(w, r, lease, 'revoke'), `${r.id} revokes ${lease.id}`)))],
  [9, deliverStep],
  [3, ifUp(syncStep)],
  [1, ifUp((w, { r }) => (compact(w, r), `${r.id} compacts`))],
  [1, crashOrStart],
  [1, isolateOrHeal],
  [1, lossOrLongPause],
  [1, evictStep],
]

const KINDS: readonly Step[] = STEPS.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))
const numbersOf = (...steps: readonly number[]): readonly number[] =>
  steps.map((n) => STEPS.slice(0, n).reduce((sum, [weight]) => sum + weight, 0))

/** Swarm: each run favours some kinds of steps. */
export const PROFILES: readonly (readonly number[])[] = [
  Array.from({ length: 64 }, (_, i) => i),
  spread(numbersOf(0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 6, 6, 8, 8, 8, 9, 9)),
  spread(numbersOf(0, 0, 0, 1, 1, 2, 4, 5, 6, 6, 7, 8, 8, 9, 9, 10, 10)),
  spread(numbersOf(0, 0, 0, 1, 1, 2, 4, 5, 6, 6, 8, 8, 9, 9, 11, 11, 12, 13, 14)),
]

export function step(w: World, n: number): void {
  const r = w.replicas[((n >>> 6) & 3) % w.replicas.length]!
  const kind = KINDS[PROFILES[w.config.profile]![n & 63]!]!
  const said = kind(w, { r, key: KEYS[(n >>> 8) & 1]!, a: n >>> 9 })
  if (said !== undefined) w.say(`${String(w.now).padStart(4)}  ${said}`)
}

function tick(w: World, { a }: Drawn): string {
  pass(w, 1 + (a % 12))
  return 'time passes'
}

/** Time passes, and whoever has to end a lease does. */
export function pass(w: World, time: number): void {
  w.now += time
  for (const r of w.replicas) if (r.up) expire(w, r)
}

function attach(w: World, r: Replica, lease: Lease, a: number): string {
  const target = TARGETS[a % 5]!
  if (!lease.end) write(w, r, 'attach', { lease: lease.id, target })
  return `${r.id} attaches ${target} to ${lease.id}`
}

function deliverStep(w: World, { a }: Drawn): string | undefined {
  const message = w.net[w.net.length === 0 ? 0 : a % w.net.length]
  if (!message) return undefined
  deliver(w, message)
  const what = message.applied ? 'a sync' : `${message.operations[0]!.kind} ${message.operations[0]!.lease}`
  return `${message.to} receives ${what} from ${message.from}, sent at ${message.at}`
}

function syncStep(w: World, { r, a }: Drawn): string | undefined {
  const to = w.replicas[a % w.replicas.length]!
  if (to === r) return undefined
  sync(w, r, to)
  return `${r.id} sends ${to.id} all it has`
}

function crashOrStart(w: World, { r, a }: Drawn): string {
  if (a % 2 === 0) {
    start(w, r)
    return `${r.id} starts`
  }
  const others = w.members().filter((x) => x !== r && !x.gone)
  const losesLog = w.config.volatile && a % 4 === 1 && others.length > 0
  crash(w, r, losesLog)
  return `${r.id} crashes${losesLog ? ', its log is lost' : ''}`
}

function isolateOrHeal(w: World, { r }: Drawn): string {
  changeIsolation(w, r)
  return `${r.id} is ${r.isolated ? 'cut off' : 'reached again'}`
}

function lossOrLongPause(w: World, { a }: Drawn): string | undefined {
  if (a % 2 === 0)
    return w.net.splice(w.net.length === 0 ? 0 : (a >>> 1) % w.net.length, 1).length > 0
      ? 'a message is lost'
      : undefined
  pass(w, 30 + (a % 64))
  return 'much time passes'
}

function evictStep(w: World, { r, a }: Drawn): string | undefined {
  if (a % 3 === 0) return undefined
  evict(w, r)
  return w.ended.has(r.id) ? `${r.id} is evicted` : undefined
}
