/** Cases A to I: a cache in front of a source, with replicas that hear each other. See /docs/data-layer.md. */
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Cluster, ClusterOptions, Contestant, Replica } from '../rivals/contestant.ts'
import { countedLoads } from './counted-loads.ts'
import { Source } from '../rivals/source.ts'
import { answer, become, expect } from './verdict.ts'

export interface CaseWorld {
  readonly contestant: Contestant
  readonly prefix: string
  readonly redisUrl?: string
  /** Only whether it comes right is asked, on a machine that may be busy, and not within which time. */
  readonly isPatient: boolean
}

export interface Case {
  readonly letter: string
  readonly steps: string
  /** Who cannot do it without Redis. */
  readonly needsRedis: 'all' | 'rivals' | 'nobody'
  run(world: CaseWorld): Promise<void>
}

const ROW = '1'
const OTHER_ROW = '2'
const OLD = 'old'
const NEW = 'new'

type Options = Partial<ClusterOptions> & Pick<ClusterOptions, 'source'>

async function withCluster(
  { contestant, isPatient: _, ...world }: CaseWorld,
  options: Options,
  steps: (replicas: readonly [Replica, Replica, Replica], cluster: Cluster) => Promise<void>,
): Promise<void> {
  const opening = contestant.open({ count: 1, ...world, ...options })
  const cluster = await answer(opening, 'opening')
  try {
    await steps(cluster.replicas as [Replica, Replica, Replica], cluster)
  } finally {
    await cluster.close()
  }
}

function sourceWith(value: unknown): Source {
  const source = new Source()
  source.set(ROW, value)
  return source
}

/** What replicas read, in words. */
async function reads(replicas: readonly Replica[], row = ROW): Promise<string> {
  const values: unknown[] = []
  for (const replica of replicas) values.push(await answer(replica.read(row), 'a read'))
  return values.map(String).join(', ')
}

/** Looks once, when the time is over; who is patient looks until it is right. */
async function later(
  { isPatient }: CaseWorld,
  afterMs: number,
  look: () => Promise<string>,
  right: string,
): Promise<string> {
  if (isPatient) return become(look, right)
  await pause(afterMs)
  return look()
}

async function write(source: Source, replica: Replica, value: unknown): Promise<void> {
  source.set(ROW, value)
  await answer(replica.write(ROW, value), 'a write')
}

async function a(world: CaseWorld): Promise<void> {
  const source = sourceWith(OLD)
  const options = { source, isRedisStore: true }
  await withCluster(world, options, ([writer]) => write(source, writer, OLD))
  await withCluster(world, { ...options, count: 2 }, async ([a, b]) => {
    b.holdAnswers()
    const slow = b.read(ROW)
    await pause(50)
    await write(source, a, NEW)
    await pause(100)
    b.release()
    await answer(slow, 'the read')
    const atOnce = await reads([b])
    await pause(500)
    const later = await reads([b])
    expect(atOnce === NEW && later === NEW, `${atOnce}, and ${later} 500 ms later`)
  })
}

async function b(world: CaseWorld): Promise<void> {
  const source = sourceWith(OLD)
  await withCluster(world, { source, count: 2 }, async ([a, b]) => {
    source.delayMs = 200
    const before = b.read(ROW)
    await pause(100)
    source.set(ROW, NEW)
    await answer(b.invalidate(ROW), 'the invalidation')
    await answer(before, 'the load')
    await pause(50)
    const got = await reads([b, a])
    expect(got === `${NEW}, ${NEW}`, `${got} (who loaded, another replica)`)
  })
}

async function c(world: CaseWorld): Promise<void> {
  const loads = await answer(countedLoads(world), 'the reads', 20_000)
  expect(loads === 1, `${loads} loads`)
}

async function d(world: CaseWorld): Promise<void> {
  const source = sourceWith(OLD)
  await withCluster(world, { source, count: 2 }, async ([a, b]) => {
    await reads([a, b])
    b.cutOff()
    await pause(100)
    await write(source, a, NEW)
    await pause(300)
    b.rejoin()
    const got = await later(world, 1500, () => reads([b]), NEW)
    expect(got === NEW, got)
  })
}

async function e(world: CaseWorld): Promise<void> {
  const value = { id: 7, name: 'Ada' }
  const source = sourceWith(value)
  await withCluster(world, { source, count: 2, isPlain: true, isRedisStore: true }, async ([a, b]) => {
    const [first, second] = [await answer(a.read(ROW), 'a read'), await answer(a.read(ROW), 'a read')]
    // What Warp was given goes to the store behind the reader.
    await pause(200)
    const others = [await answer(b.read(ROW), 'a read'), await answer(b.read(ROW), 'a read')]
    for (const got of [first, second, ...others]) expect(isDeepStrictEqual(got, value), JSON.stringify(got))
  })
}

async function f(world: CaseWorld): Promise<void> {
  const source = sourceWith(OLD)
  await withCluster(world, { source, lifeMs: 50, staleMs: 60_000, throttleMs: 300 }, async ([a]) => {
    await reads([a])
    await pause(1000)
    source.failure = new Error('the source is down')
    source.loadsCount = 0
    const got = await reads([a, a, a, a, a])
    expect(got === 'old, old, old, old, old', got)
    expect(source.loadsCount === 1, `the old value, and ${source.loadsCount} tries at the source`)
  })
}

async function g(world: CaseWorld): Promise<void> {
  const source = new Source()
  source.delayMs = 20
  source.set('loaded', 'from the source')
  await withCluster(world, { source, isRedisAway: true, isRedisStore: true }, async ([a], cluster) => {
    const timed = async (what: string, asked: Promise<unknown>): Promise<void> => {
      const since = performance.now()
      await answer(asked, what)
      const tookMs = performance.now() - since
      expect(world.isPatient || tookMs <= source.tookMs + 50, `${what} after ${tookMs.toFixed(0)} ms`)
    }
    source.set(ROW, NEW)
    await timed('set', a.write(ROW, NEW))
    await timed('getOrSet', a.read('loaded'))
    await cluster.appear()
    await pause(5000)
    await withCluster(world, { source, isRedisStore: true }, async ([b]) => {
      const got = await reads([a, b])
      expect(got === `${NEW}, ${NEW}`, `${got} once Redis was there`)
    })
  })
}

async function h(world: CaseWorld): Promise<void> {
  const source = new Source()
  source.failure = new Error('no connection')
  await withCluster(world, { source }, async ([a]) => {
    const rejection = a.read('row-7').then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const got = await answer(rejection, 'the read')
    expect('error' in got, `it read ${'value' in got ? String(got.value) : ''}`)
    const errors = chain('error' in got ? got.error : undefined)
    expect(errors.includes(source.failure), `threw another error`)
    const namesKey = errors.some((error) => error !== source.failure && JSON.stringify(words(error)).includes('row-7'))
    expect(namesKey, "the source's error, which does not say of which key")
  })
}

/** An error and its causes. */
function chain(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...chain(error.cause)] : []
}

function words(error: unknown): unknown {
  return error instanceof Error ? [error.message, Object.entries(error).filter(([name]) => name !== 'cause')] : error
}

const AHEAD_MS = 400

async function i(world: CaseWorld): Promise<void> {
  const source = sourceWith(OLD)
  source.set(OTHER_ROW, OLD)
  await withCluster(world, { source, count: 3, tag: 'page', aheadMs: AHEAD_MS }, async ([a, b, c]) => {
    await reads([b])
    b.cutOff()
    await pause(100)
    source.delayMs = 200
    const loading = c.read(OTHER_ROW)
    await pause(100)
    for (const row of [ROW, OTHER_ROW]) source.set(row, NEW)
    await answer(a.invalidateTag?.('page') ?? Promise.resolve(), 'the invalidation')
    await clockAhead(world, () => answer(loading, 'the load'))
    await pause(300)
    b.rejoin()
    const look = async (): Promise<string> => [await reads([b]), await reads([c, a], OTHER_ROW)].join(', ')
    const right = `${NEW}, ${NEW}, ${NEW}`
    const got = await later(world, 5000, look, right)
    expect(got === right, `${got} (who was away, who loaded, another replica)`)
  })
}

/** Caches without a clock of their own read that of the process, so theirs is ahead while the load ends. */
async function clockAhead(world: CaseWorld, work: () => Promise<unknown>): Promise<void> {
  const { now } = Date
  if (world.contestant.name !== 'Warp') Date.now = () => now() + AHEAD_MS
  try {
    await work()
  } finally {
    Date.now = now
  }
}

export const CACHING_CASES: readonly Case[] = [
  { letter: 'A', steps: 'an old answer of Redis arrives after a write of another replica', needsRedis: 'all', run: a },
  { letter: 'B', steps: 'the key is invalidated while a load of it runs', needsRedis: 'rivals', run: b },
  { letter: 'C', steps: 'a cold key, 4 processes × 25 callers', needsRedis: 'rivals', run: c },
  { letter: 'D', steps: 'cut off from the bus during a write, 1.5 s after it is back', needsRedis: 'rivals', run: d },
  { letter: 'E', steps: 'plain objects through both tiers, kept as they are', needsRedis: 'all', run: e },
  { letter: 'F', steps: 'five reads behind the life, the source down', needsRedis: 'nobody', run: f },
  { letter: 'G', steps: 'Redis not there from the start, and there later', needsRedis: 'all', run: g },
  { letter: 'H', steps: 'the source fails, nothing cached', needsRedis: 'nobody', run: h },
  {
    letter: 'I',
    steps: 'a tag invalidated, one replica cut off, one that loads with its clock ahead',
    needsRedis: 'rivals',
    run: i,
  },
]
