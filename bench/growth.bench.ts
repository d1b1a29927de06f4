/**
 * Whether one write and one read stay as cheap as they were: ten and a hundred times the keys, ten
 * and a hundred times the operations of a key, and up to 32 replicas that have written. With the
 * keys a plain Map gets slower as well, since they no longer fit the processor's caches; it is
 * shown beside.
 */
import { counter, register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { BenchReplica } from './support/replica.ts'
import type { Series } from './support/svg.ts'
import { formatNs } from './support/table.ts'
import { type User, userKeys, userOf } from './support/users.ts'

export const question = 'Does a write or a read get dearer as there are more keys, longer logs, more replicas?'

const TIMES = [1, 10, 100]
const REPLICAS = [2, 4, 8, 16, 32]
const ROUNDS = 5

interface Cost {
  readonly times: number
  readonly writeNs: number
  readonly readNs: number
}

export async function run(context: BenchContext): Promise<void> {
  const halves = REPLICAS.map((count) => count / 2)
  const courses = [
    await openEach(TIMES, (times) => byKeys(context, context.size(10_000, 50) * times)),
    await openEach(TIMES, (times) => byKeysInMap(context, context.size(10_000, 50) * times)),
    await openEach(TIMES, (times) => byLogLength(context, context.size(1000, 10) * times)),
    await openEach(halves, (times) => byReplicas(context, times * 2, 2)),
    await openEach(halves, (times) => byReplicas(context, times * 2, times * 2)),
  ]
  const [keys = [], map = [], log = [], replicas = [], writers = []] = measure(courses)
  report(context, 'keys, from 10,000', keys)
  context.goal(
    'write, 100 × the keys, in units of what it does to a Map',
    grownBy(keys, 'writeNs') / grownBy(map, 'writeNs'),
    { atMost: 1.5 },
  )
  context.goal(
    'read, 100 × the keys, in units of what it does to a Map',
    grownBy(keys, 'readNs') / grownBy(map, 'readNs'),
    { atMost: 1.5 },
  )
  report(context, 'keys of a plain Map, from 10,000', map)
  report(context, 'operations of each key, from 1,000', log)
  context.goal('write, 100 × the log', grownBy(log, 'writeNs'), { atMost: 1.5 })
  context.goal('read, 100 × the log', grownBy(log, 'readNs'), { atMost: 1.5 })
  report(context, 'replicas, from 2, two of which have written each key', replicas)
  context.goal('write, 32 replicas instead of 2', grownBy(replicas, 'writeNs'), { atMost: 1.5 })
  context.goal('read, 32 replicas instead of 2', grownBy(replicas, 'readNs'), { atMost: 1.5 })
  report(
    context,
    'replicas, from 2, all of which have written each key: every operation names what it has seen of each',
    writers,
  )
  context.figure('growth', {
    title: 'Cost of one write and one read',
    x: { label: 'times as many keys, operations, replicas', scale: 'log' },
    y: { label: 'nanoseconds', scale: 'log' },
    series: [
      line('write / keys', keys, 'writeNs'),
      line('write / log length', log, 'writeNs'),
      line('write / replicas', replicas, 'writeNs'),
      line('read / keys', keys, 'readNs'),
      line('read / log length', log, 'readNs'),
      line('read / replicas', replicas, 'readNs'),
    ],
  })
}

/** Something to be measured: passes of many writes and of many reads. */
interface Course {
  readonly operations: number
  write(): void
  /**
   * Makes ready for reads: the first read folds what was written, the second marks what is in
   * memory as read.
   */
  settle(): void
  read(): void
}

type Sized = Course & { readonly times: number }

async function openEach(sizes: readonly number[], open: (times: number) => Promise<Course>): Promise<Sized[]> {
  const courses: Sized[] = []
  for (const times of sizes) courses.push({ times, ...(await open(times)) })
  return courses
}

/** Medians over rounds in which all sizes take turns. The first round is not counted. */
function measure(groups: readonly (readonly Sized[])[]): Cost[][] {
  const taken = new Map(groups.flat().map((course) => [course, { writes: [] as number[], reads: [] as number[] }]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [course, { writes, reads }] of taken) {
      // What the course before has left is not this one's to clear away.
      void globalThis.gc?.({ type: 'minor' })
      writes.push(timed(course.operations, course.write))
      course.settle()
      reads.push(timed(course.operations, course.read))
    }
  }
  return groups.map((group) =>
    group.map((course) => {
      const { writes = [], reads = [] } = taken.get(course) ?? {}
      return { times: course.times, writeNs: quantile(writes.slice(1), 0.5), readNs: quantile(reads.slice(1), 0.5) }
    }),
  )
}

function report(context: BenchContext, what: string, costs: readonly Cost[]): void {
  const rows = costs.map(({ times, writeNs, readNs }) => [`× ${times}`, formatNs(writeNs), formatNs(readNs)])
  context.report(what, ['', 'a write', 'a read'], rows)
}

function grownBy(costs: readonly Cost[], field: 'writeNs' | 'readNs'): number {
  return (costs.at(-1) as Cost)[field] / (costs[0] as Cost)[field]
}

function line(name: string, costs: readonly Cost[], field: 'writeNs' | 'readNs'): Series {
  return { name, points: costs.map((cost) => [cost.times, Math.max(0.1, cost[field])]) }
}

async function byKeys(context: BenchContext, count: number): Promise<Course> {
  const keys = userKeys(count)
  const replica = await BenchReplica.open({ 'user:*': register<User>() })
  keys.forEach((key, i) => replica.write(key, userOf(i)))
  return courseOf(
    context,
    keys,
    (key, user) => replica.write(key, user),
    (key) => replica.read(key),
  )
}

async function byKeysInMap(context: BenchContext, count: number): Promise<Course> {
  const keys = userKeys(count)
  const map = new Map<string, User>(keys.map((key, i) => [key, userOf(i)]))
  return courseOf(
    context,
    keys,
    (key, user) => map.set(key, { ...user }),
    (key) => map.get(key),
  )
}

/**
 * A hundred keys that have so many operations each, read after each of the writes that are timed.
 */
async function byLogLength(context: BenchContext, length: number): Promise<Course> {
  const keys = userKeys(context.size(40, 4))
  const replica = await BenchReplica.open({ 'user:*': counter() })
  for (let i = 0; i < length; i++) for (const key of keys) replica.write(key, 1)
  const before = keys.map((key) => replica.read(key))
  context.check(
    before.every((count) => count === length),
    'every increment is counted',
  )
  return courseOf(
    context,
    keys,
    (key) => replica.write(key, 1),
    (key) => replica.read(key),
  )
}

/**
 * Each key has been written by so many of the replicas, this one not counted, so its vector names
 * them.
 */
async function byReplicas(context: BenchContext, count: number, writersPerKey: number): Promise<Course> {
  const keys = userKeys(context.size(1000, 20))
  const replica = await BenchReplica.open({ 'user:*': register<User>() })
  const others = count - 1
  for (let other = 0; other < others; other++) {
    const writer = await BenchReplica.open({ 'user:*': register<User>() })
    keys.forEach((key, i) => {
      const isWriter = (i - other + count) % others < writersPerKey - 1
      if (isWriter) writer.write(key, userOf(i))
    })
    for (const envelope of writer.envelopes()) replica.admit(envelope)
    await writer.close()
  }
  return courseOf(
    context,
    keys,
    (key, user) => replica.write(key, user),
    (key) => replica.read(key),
  )
}

/** Writes and reads spread evenly over the keys. */
function courseOf(
  context: BenchContext,
  keys: readonly string[],
  write: (key: string, user: User) => void,
  read: (key: string) => unknown,
): Course {
  const random = context.random('growth')
  const order = Array.from({ length: context.size(50_000, 100) }, () => random.pick(keys))
  const users = Array.from({ length: 1024 }, (_, i) => userOf(i))
  return {
    operations: order.length,
    write: () => order.forEach((key, i) => write(key, users[i & 1023] as User)),
    settle() {
      for (let i = 0; i < 2; i++) for (const key of keys) read(key)
    },
    read: () => order.forEach((key) => read(key)),
  }
}

function timed(operations: number, run: () => void): number {
  const startedAt = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - startedAt) / operations
}
