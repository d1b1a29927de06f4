import * as Y from 'yjs'
import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import { openEngine } from '../support/open-engine.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'r:*': register<string>(),
  'c:*': counter(),
  's:*': set<number>(),
  'm:*': custom<string>((old, next) => (old + next).slice(-50)),
  'd:*': yjs(),
}

const WRITES = [
  ['r:', 'set', (n: number) => 'x'.repeat(n % 40)],
  ['c:', 'increment', (n: number) => n],
  ['s:', 'add', (n: number) => n % 30],
  ['m:', 'set', (n: number) => `${n}`],
  ['d:', 'change', (n: number) => (doc: Y.Doc) => doc.getText('t').insert(0, `${n % 10}`)],
] as const

test('neither bound is ever exceeded, whatever is read and written, and what was evicted folds to the same value', async () => {
  const random = seededRandom('bounds')
  const unbounded = await openEngine(keys)
  const bounded = await openEngine(keys, { cache: { entriesMax: 12, bytesMax: 400 } })
  const { residency } = bounded.engine.store.values
  for (let i = 0; i < 4000; i++) {
    const [prefix, verb, argument] = random.pick(WRITES)
    const key = prefix + random.below(10)
    if (random.chance(0.5)) {
      const n = random.below(1000)
      await Promise.all([unbounded, bounded].map((each) => each.write(key, verb, argument(n))))
    } else expect(shown(bounded.read(key))).toEqual(shown(unbounded.read(key)))
    expect(residency.count).toBeLessThanOrEqual(12)
    expect(residency.bytes).toBeLessThanOrEqual(400)
  }
  expect(residency.evictions).toBeGreaterThan(500)
  expect(unbounded.engine.store.values.residency.evictions).toBe(0)
})

function shown(value: unknown): unknown {
  return value instanceof Y.Doc ? value.getText('t').toJSON() : value
}

test('a value heavier than the whole cache is served, not kept, and drives nothing out', async () => {
  const { engine, read, write } = await openEngine({ '*': register<string>() }, { cache: { bytesMax: 100 } })
  await write('small', 'set', 'x'.repeat(10))
  read('small')
  await write('large', 'set', 'x'.repeat(1000))
  expect(read('large')).toBe('x'.repeat(1000))
  const { misses } = engine.store.values
  read('small')
  expect(engine.store.values.misses).toBe(misses)
  expect(engine.store.values.residency.count).toBe(1)
})

test('a counter weighs a number, however often it was incremented', async () => {
  const { engine, read, write } = await openEngine({ '*': counter() }, { cache: { bytesMax: 100 } })
  for (let i = 0; i < 200; i++) await write('hits', 'increment', 1)
  expect(read('hits')).toBe(200)
  const { misses } = engine.store.values
  expect(read('hits')).toBe(200)
  expect(engine.store.values.misses).toBe(misses)
})

test('documents that are only written count against the bound as well', async () => {
  const { engine, write } = await openEngine({ '*': yjs() }, { cache: { entriesMax: 5 } })
  for (let i = 0; i < 20; i++) await write(`doc ${i}`, 'change', (doc: Y.Doc) => doc.getText('t').insert(0, 'x'))
  expect(engine.store.values.residency.count).toBe(5)
  expect(engine.store.values.residency.evictions).toBe(15)
})

test('on zipf 0.99 with room for a tenth of the keys at least 77 % of reads are hits', async () => {
  const keysCount = 100_000
  const warp = await openWarp({
    keys: { '*': register<number>() },
    cache: { entriesMax: keysCount / 10 },
    env: virtualEnv(),
  })
  const names = Array.from({ length: keysCount }, (_, i) => `key ${i}`)
  for (const [i, name] of names.entries()) void warp.set(name, i)
  const pick = zipf(keysCount, 0.99)
  for (let i = 0; i < 300_000; i++) warp.peek(names[pick()] as string)
  const before = warp.stats().cache.missesCount
  const reads = 100_000
  for (let i = 0; i < reads; i++) warp.peek(names[pick()] as string)
  expect(1 - (warp.stats().cache.missesCount - before) / reads).toBeGreaterThanOrEqual(0.77)
  expect(warp.stats().cache.entriesCount).toBe(keysCount / 10)
  await warp.close()
})

test('a scan over many keys leaves the hot ones in memory', async () => {
  const warp = await openWarp({ keys: { '*': register<number>() }, cache: { entriesMax: 100 }, env: virtualEnv() })
  for (let i = 0; i < 5000; i++) void warp.set(`key ${i}`, i)
  const readHot = (): void => {
    for (let i = 0; i < 50; i++) warp.peek(`key ${i}`)
  }
  readHot()
  readHot()
  for (let i = 1000; i < 5000; i++) {
    warp.peek(`key ${i}`)
    if (i % 40 === 0) readHot()
  }
  const before = warp.stats().cache.missesCount
  readHot()
  expect(warp.stats().cache.missesCount - before).toBeLessThanOrEqual(5)
  await warp.close()
})

/** Ranks drawn with probability proportional to 1 / rank^skew, spread over the keys. */
function zipf(count: number, skew: number): () => number {
  const random = seededRandom('zipf')
  const sums = new Float64Array(count)
  let sum = 0
  for (let i = 0; i < count; i++) sums[i] = sum += 1 / (i + 1) ** skew
  return () => {
    const wanted = random.float() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] as number) < wanted) low = middle + 1
      else high = middle
    }
    return (low * 7919) % count
  }
}

test('housekeeping is no traffic: compact() and keys() count nothing, keep nothing and push nothing out', async () => {
  const keys = {
    'c:*': { strategy: counter(), retain: 'latest' },
    'r:*': { strategy: register(), retain: 'latest' },
  } as const
  const warp = await openWarp({ keys, cache: { entriesMax: 10 }, env: virtualEnv() })
  for (let i = 0; i < 40; i++) {
    await warp.key(`c:${i}`).increment()
    await warp.set(`r:${i}`, i)
  }
  for (let i = 0; i < 10; i++) await warp.get(`r:${i}`)
  const before = warp.stats().cache
  for await (const key of warp.keys('*')) expect(key).toMatch(/^[cr]:/)
  await warp.compact()
  for await (const key of warp.keys('*')) expect(key).toMatch(/^[cr]:/)
  expect(warp.stats().cache).toEqual(before)
  for (let i = 0; i < 10; i++) await warp.get(`r:${i}`)
  expect(warp.stats().cache.missesCount).toBe(before.missesCount)
  await warp.close()
})
