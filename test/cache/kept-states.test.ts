/** States that are kept beside long chains: what a read then costs, and when they do not count. */
import { afterEach, expect, test } from 'vitest'
import { counter, custom, set } from '../../crdt/index.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Slot } from '../../src/keys/key-table.ts'
import { readInSteps } from '../../src/store/read-steadily.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from '../engine/engine-fixture.ts'
import { CountedWork } from '../merge/counted-work.ts'
import { openEngine, type OpenEngine } from '../support/open-engine.ts'

const opened: OpenEngine[] = []

async function open(keys: KeyMap, files: MemoryFiles): Promise<OpenEngine> {
  const one = await openEngine(keys, { files })
  opened.push(one)
  return one
}

afterEach(async () => {
  for (const one of opened.splice(0)) await one.engine.close()
})

function disk(): MemoryFiles {
  return memoryFiles({ persistent: true })
}

function slotOf({ engine }: OpenEngine, key: string): Slot {
  return engine.store.keys.find(key) as Slot
}

/** Reads as `get` does, and lets the engine do what it does afterwards. */
async function get(one: OpenEngine, key: string): Promise<unknown> {
  const reading = readInSteps(one.engine.store, slotOf(one, key), () => undefined)
  await one.env.runUntilIdle()
  const value = await reading
  await one.env.runUntilIdle()
  return value
}

/** How many operations of a key have to be read to fold it. */
function operationsRead({ engine: { store } }: OpenEngine, key: string): number {
  const slot = store.keys.find(key) as Slot
  const work = new CountedWork()
  work.finish(store.values.foldSteps(slot, { ...store.chain(slot) }, work))
  // Each is met on the way back, and counts twice when it is applied.
  return work.total / 3
}

function keptCount({ engine }: OpenEngine): number {
  let count = 0
  engine.log.scan(0, ({ kind }) => {
    if (kind === RECORD_KIND.kept) count++
    return true
  })
  return count
}

const COUNTERS: KeyMap = { 'n:*': { strategy: counter(), retain: 'all' } }

test('E20: the first read after an opening or an eviction reads what is new since the state that is kept', async () => {
  const files = disk()
  const first = await open(COUNTERS, files)
  for (let i = 0; i < 400_000; i++) void first.write('n:1', 'increment', 1)
  first.engine.store.values.drop(slotOf(first, 'n:1'))
  expect(await get(first, 'n:1')).toBe(400_000)
  for (let i = 0; i < 10; i++) void first.write('n:1', 'increment', 1)
  first.engine.store.values.drop(slotOf(first, 'n:1'))
  expect(operationsRead(first, 'n:1')).toBe(10)
  await first.engine.log.settled('logged')

  const crashed = files.copy()
  await first.engine.close()
  for (const folder of [files, crashed]) {
    const again = await open(COUNTERS, folder)
    expect(operationsRead(again, 'n:1')).toBe(10)
    expect(again.read('n:1')).toBe(400_010)
  }
}, 60_000)

test('a state is kept once in thousands of operations, and is a small part of the log', async () => {
  const one = await open(COUNTERS, disk())
  for (let i = 0; i < 20_000; i++) {
    void one.write('n:1', 'increment', 1)
    if (i % 100 === 99) await get(one, 'n:1')
  }
  expect(keptCount(one)).toBeGreaterThan(2)
  expect(keptCount(one)).toBeLessThan(6)
})

test('a state that takes as much as its operations is not kept', async () => {
  const one = await open({ 's:*': { strategy: set<string>(), retain: 'all' } }, disk())
  for (let i = 0; i < 6000; i++) void one.write('s:1', 'add', `member ${i}`)
  expect(((await get(one, 's:1')) as Set<string>).size).toBe(6000)
  expect(keptCount(one)).toBe(0)
})

test('a state made by another fold does not count', async () => {
  const sum = (factor: number, foldsAs: string): AnyStrategy => ({
    ...counter(),
    kind: 'sum',
    code: 77,
    foldsAs,
    apply: (state: number, { payload }: { payload: number }) => state + payload * factor,
    encodeState: (state: number) => state,
    decodeState: (state: number) => state,
    read: (state: number) => state,
  })
  const files = disk()
  const once = await open({ '*': sum(1, 'one') }, files)
  for (let i = 0; i < 5; i++) void once.write('k', 'increment', 1)
  once.read('k')
  expect(once.engine.store.values.kept.keep(slotOf(once, 'k'))).toBe(true)
  await once.engine.close()
  const alike = await open({ '*': sum(1, 'one') }, files.copy())
  expect(operationsRead(alike, 'k')).toBe(0)
  const twice = await open({ '*': sum(2, 'two') }, files)
  expect(twice.read('k')).toBe(10)
})

test('of a merge function a state is kept as long as the process lives', async () => {
  const files = disk()
  const merged = (word: string): KeyMap => ({ '*': custom<string[]>((old, next) => [...old, word, ...next]) })
  const before = await open(merged('then'), files)
  for (const letter of ['a', 'b', 'c']) void before.write('k', 'set', [letter])
  before.read('k')
  before.engine.store.values.kept.keep(slotOf(before, 'k'))
  before.engine.store.values.drop(slotOf(before, 'k'))
  expect(operationsRead(before, 'k')).toBe(0)
  expect(before.read('k')).toEqual(['a', 'then', 'b', 'then', 'c'])
  await before.engine.close()
  const after = await open(merged('and'), files)
  expect(after.read('k')).toEqual(['a', 'and', 'b', 'and', 'c'])
})

test('a pattern that says how long values live does not use what was folded without that', async () => {
  const files = disk()
  const env = virtualEnv()
  const first = await openEngine(COUNTERS, { files, env })
  void first.write('n:1', 'increment', 1)
  await env.advance(1000)
  void first.write('n:1', 'increment', 1)
  first.read('n:1')
  first.engine.store.values.kept.keep(slotOf(first, 'n:1'))
  await first.engine.close()
  const living = await openEngine({ 'n:*': { strategy: counter(), retain: 'all', ttlMs: 500 } }, { files, env })
  expect(living.read('n:1')).toBe(1)
  await living.engine.close()
})

test('an operation that belongs before the kept state in canonical order has the key folded anew', async () => {
  const env = virtualEnv()
  const a = await TestEngine.open({ retain: 'all', env })
  const b = await TestEngine.open({ retain: 'all', env: env.fork({ label: 'b' }) })
  void b.set('list:1', ['first'])
  await env.advance(10)
  void a.set('list:1', ['second'])
  await env.advance(10)
  void a.set('list:1', ['third'])
  expect(a.get('list:1')).toEqual(['second', 'third'])
  const { values, keys } = a.engine.store
  const slot = keys.find('list:1') as Slot
  expect(values.kept.keep(slot)).toBe(true)
  values.drop(slot)
  await a.pull(b)
  expect(a.get('list:1')).toEqual(['first', 'second', 'third'])
  values.drop(slot)
  expect(a.get('list:1')).toEqual(['first', 'second', 'third'])
  await a.close()
  await b.close()
})

test('what compaction has folded away, and a key that was forgotten, leave no state that counts', async () => {
  const one = await open({ 'n:*': { strategy: counter(), retain: 'latest' } }, disk())
  const { values, keys } = one.engine.store
  for (const key of ['n:1', 'n:2']) {
    for (let i = 0; i < 5; i++) void one.write(key, 'increment', 1)
    one.read(key)
    values.kept.keep(slotOf(one, key))
  }
  expect(keys.kept.size).toBe(2)
  await one.engine.compact()
  expect(keys.kept.size).toBe(0)
  expect(one.read('n:1')).toBe(5)
  one.engine.store.removeKey(slotOf(one, 'n:2'))
  void one.write('n:2', 'increment', 1)
  expect(one.read('n:2')).toBe(1)
})

test('rewriting drops states that later ones have replaced, and leaves the last', async () => {
  const one = await openEngine(COUNTERS, { files: disk(), segmentBytes: 4096 })
  const { values, log } = one.engine.store
  void one.write('n:1', 'increment', 1)
  one.read('n:1')
  for (let i = 0; i < 100; i++) values.kept.keep(slotOf(one, 'n:1'))
  expect(keptCount(one)).toBe(100)
  for (let left = 100; log.segments().at(-1)?.number !== 1 && left > 0; left--) void one.write('n:1', 'increment', 1)
  for (let i = 0; i < 100; i++) void one.write('n:1', 'increment', 1)
  const compacting = one.engine.compact()
  await one.env.runUntilIdle()
  await compacting
  expect(keptCount(one)).toBe(1)
  values.drop(slotOf(one, 'n:1'))
  expect(one.read('n:1')).toBe(201)
  await one.engine.close()
})

test('while everything is held, no state is kept, and it is kept afterwards', async () => {
  const one = await open(COUNTERS, disk())
  for (let i = 0; i < 5000; i++) void one.write('n:1', 'increment', 1)
  const hold = one.engine.holds.take('a test')
  expect(await get(one, 'n:1')).toBe(5000)
  expect(keptCount(one)).toBe(0)
  hold.release()
  one.engine.store.values.residency.outdate(slotOf(one, 'n:1'))
  expect(await get(one, 'n:1')).toBe(5000)
  expect(keptCount(one)).toBe(1)
})
