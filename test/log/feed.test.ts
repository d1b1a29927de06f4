import { expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { FOLLOWER_BYTES_MAX, Holds, type Follower } from '../../src/log/holds.ts'
import { Feed, type Followed, type Interest } from '../../src/log/feed/feed.ts'
import { Budget, STEP } from '../../src/operation/budget.ts'
import type { KeyStore } from '../../src/store/key-store.ts'
import { NO_OPTIONS, Writer } from '../../src/store/write-road/writer.ts'
import { WatchHub } from '../../src/watch/watch.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { openEngine } from '../support/open-engine.ts'

const keys = {
  'hits:*': counter(),
  'user:*': register<number>(),
  'temporary:*': { strategy: register<number>(), retain: 'latest' },
  'mine:*': { strategy: counter(), mode: 'local' },
} as const

const EVERYTHING: Interest = { text: '*', matches: () => true, key: undefined }

const only = (key: string): Interest => ({ text: key, matches: (other) => other === key, key })

/** Reads to the end, and says what each step cost. */
function readAll(feed: Feed): { seen: Followed[]; steps: number[] } {
  const seen: Followed[] = []
  const steps: number[] = []
  for (let isAtEnd = false; !isAtEnd;) {
    const before = feed.readCount
    isAtEnd = feed.read(new Budget(virtualEnv()), ({ key, slot, version, position }) => {
      seen.push({ key, slot, version, position })
      return true
    })
    steps.push(feed.readCount - before)
  }
  return { seen, steps }
}

/** Counts the records that are read from a log from now on. */
function countReads({ log }: KeyStore): () => number {
  let count = 0
  const [record, scan] = [log.record.bind(log), log.scan.bind(log)]
  log.record = (position) => {
    count++
    return record(position)
  }
  log.scan = (from, visit) =>
    scan(from, (view) => {
      count++
      return visit(view)
    })
  return () => count
}

test('32,000 operations of one key are read with their versions, each once, in steps', async () => {
  const { engine, write } = await openEngine(keys)
  const feed = new Feed(engine.store, only('hits:1'))
  for (let i = 0; i < 32_000; i++) void write('hits:1', 'increment')
  const { seen, steps } = readAll(feed)
  expect(seen.map(({ version }) => version)).toEqual(Array.from({ length: 32_000 }, (_, i) => i + 1))
  expect(feed.readCount).toBeLessThanOrEqual(32_000 + steps.length)
  expect(Math.max(...steps)).toBeLessThanOrEqual(STEP.operations + 1)
})

test('from the middle of a key the version is counted back once, in steps as well', async () => {
  const { engine, write } = await openEngine(keys)
  for (let i = 0; i < 16_000; i++) void write('hits:1', 'increment')
  const feed = new Feed(engine.store, EVERYTHING)
  for (let i = 0; i < 16_000; i++) void write('hits:1', 'increment')
  const { seen, steps } = readAll(feed)
  expect(seen.map(({ version }) => version)).toEqual(Array.from({ length: 16_000 }, (_, i) => 16_001 + i))
  expect(feed.readCount).toBeLessThanOrEqual(2 * 16_000 + 2 * steps.length)
  expect(Math.max(...steps)).toBeLessThanOrEqual(STEP.operations + 1)
})

test('versions are those of the receipts, wherever a feed begins, also after keys were folded, forgotten and written again', async () => {
  const random = seededRandom('versions of feeds')
  const { engine, write } = await openEngine(keys)
  const written = new Map<number, { key: string; version: number }>()
  const feeds: Feed[] = []
  for (let i = 0; i < 400; i++) {
    const key = `${random.pick(['hits', 'user', 'temporary', 'mine'])}:${random.below(3)}`
    const verb = /hits|mine/.test(key) ? 'increment' : random.chance(0.2) ? 'delete' : 'set'
    const version = verb === 'delete' ? await remove(engine.store, key) : (await write(key, verb, i)).version
    const slot = engine.store.keys.find(key)
    if (version !== undefined && slot !== undefined) written.set(engine.store.keys.head[slot]!, { key, version })
    if (random.chance(0.05)) await engine.compact()
    if (random.chance(0.1)) feeds.push(new Feed(engine.store, EVERYTHING))
  }
  feeds.push(new Feed(engine.store, EVERYTHING))
  feeds[0]?.moveTo({ position: 1, isSeen: false })
  let seenCount = 0
  for (const feed of feeds) {
    for (const { key, version, position } of readAll(feed).seen) {
      expect({ key, version }).toEqual(written.get(position))
      seenCount++
    }
  }
  expect(seenCount).toBeGreaterThan(1000)
})

async function remove(store: KeyStore, key: string): Promise<number | undefined> {
  const slot = store.keys.find(key)
  if (slot === undefined) return undefined
  const receipt = await new Writer(store, undefined).delete({ key, keyspace: store.keyspaceOf(key), slot }, NO_OPTIONS)
  return receipt.version
}

test.each([
  ['a live watch', undefined],
  ['a watch that resumes', { version: 0 }],
])('%s that is 32,000 operations of one key behind costs work in proportion', async (_, from) => {
  const { engine, env, write } = await openEngine(keys)
  const { store, holds } = engine
  const hub = new WatchHub({ store, holds, logName: () => 'a', onReset: () => () => undefined })
  void write('hits:1', 'increment')
  const pendingCountMax = 100_000
  const watch = hub.watchKey('hits:1', { pendingCountMax, ...(from === undefined ? {} : { from }) })
  const iterator = watch[Symbol.asyncIterator]()
  for (let i = 1; i < 32_000; i++) void write('hits:1', 'increment')
  const reads = countReads(store)
  let last = 0
  while (last < 32_000) {
    const next = iterator.next()
    await env.advance(0)
    const { value } = await next
    if (value?.kind !== 'value') throw new Error('a gap')
    expect(value.version).toBe(from === undefined && last === 0 ? 2 : last + 1)
    last = value.version
  }
  expect(reads()).toBeLessThan(4 * 32_000)
  hub.close()
})

test('a live watch that is far beyond its bound knows it after two steps, and how far it was behind', async () => {
  const { engine, env, write } = await openEngine(keys)
  const { store, holds } = engine
  const hub = new WatchHub({ store, holds, logName: () => 'a', onReset: () => () => undefined })
  const watches = [hub.watchKey('hits:1'), hub.watch('*')]
  for (let i = 0; i < 32_000; i++) void write('hits:1', 'increment')
  const reads = countReads(store)
  const told = watches.map((watch) => watch[Symbol.asyncIterator]().next())
  await env.advance(0)
  expect(await Promise.all(told)).toMatchObject([
    { value: { kind: 'gap', missedCount: 32_000 } },
    { value: { kind: 'gap', missedCount: undefined } },
  ])
  expect(reads()).toBeLessThan(4 * (STEP.operations + 100))
  hub.close()
})

test('whoever follows is waited for by time and by bytes, for its own keys only', async () => {
  const env = virtualEnv()
  const holds = new Holds(env)
  const segment = 2 ** 32
  const log = { end: 2 * segment + 500, segments: () => [1, 2].map((number) => ({ number, bytes: 1000 })) }
  const follower: Follower & { unseenFrom: number } = {
    name: 'a test',
    unseenFrom: segment + 100,
    follows: (key) => key === 'mine',
  }
  const letGo = holds.follow(follower)
  holds.review(log)
  expect([holds.foldableBefore('mine'), holds.foldableBefore('other')]).toEqual([segment + 100, log.end])
  expect(holds.list()).toEqual([{ name: 'a test', sinceMs: env.now(), from: segment + 100 }])
  const large = { ...log, segments: () => [{ number: 1, bytes: FOLLOWER_BYTES_MAX + 101 }] }
  holds.review(large)
  expect(holds.foldableBefore('mine')).toBe(log.end)
  follower.unseenFrom = segment + 101
  holds.review(large)
  expect(holds.foldableBefore('mine')).toBe(segment + 101)
  letGo()
  holds.review(log)
  expect(holds.foldableBefore('mine')).toBe(Infinity)
})
