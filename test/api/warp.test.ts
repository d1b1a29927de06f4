import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { max } from '../../crdt/extremum.ts'
import { multiValue } from '../../crdt/multi-value.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { text } from '../../crdt/sequence/text.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'user:*': { strategy: register<{ readonly name: string }>(), ttlMs: 60_000 },
  'hits:*': counter(),
  'cart:*': set<string>(),
  'notes:*': custom<readonly string[]>((old, next) => [...old, ...next]),
  'text:*': text(),
  'list:*': list<number>(),
  'best:*': max<number>(),
  'either:*': multiValue<number>(),
  'record:*': map({ hits: counter(), name: register<string>() }),
  'mine:*': { strategy: counter(), mode: 'local' },
} as const

const open = () => openWarp({ keys, env: virtualEnv() })

test('every strategy is written through its own verbs and read as its own value', async () => {
  const warp = await open()
  await warp.set('user:1', { name: 'A' })
  await warp.key('hits:1').increment(3)
  await warp.key('hits:1').decrement()
  await warp.key('cart:1').add('x', 'y')
  await warp.key('cart:1').remove('x')
  await warp.set('notes:1', ['a'])
  await warp.set('notes:1', ['b'])
  await warp.key('text:1').insert(0, 'hello')
  await warp.key('list:1').push(1, 2)
  await warp.set('best:1', 5)
  await warp.set('best:1', 3)
  await warp.set('either:1', 7)
  await warp.key('record:1').update('hits', 'increment', 2)
  await warp.key('record:1').update('name', 'set', 'N')
  await warp.key('mine:1').increment()
  const values = {
    'user:1': { name: 'A' },
    'hits:1': 2,
    'cart:1': new Set(['y']),
    'notes:1': ['a', 'b'],
    'text:1': 'hello',
    'list:1': [1, 2],
    'best:1': 5,
    'either:1': [7],
    'record:1': { hits: 2, name: 'N' },
    'mine:1': 1,
  } as const
  for (const [key, value] of Object.entries(values) as [keyof typeof values, unknown][]) {
    expect(await warp.get(key)).toEqual(value)
    expect(warp.peek(key)).toEqual(value)
  }
  await warp.close()
})

test('what was never written, or has been deleted, is undefined and stays in the log', async () => {
  const warp = await open()
  expect([await warp.get('user:1'), warp.peek('user:1')]).toEqual([undefined, undefined])
  expect(warp.stats().keysCount).toBe(0)
  await warp.set('user:1', { name: 'A' })
  await warp.delete('user:1')
  expect([await warp.get('user:1'), warp.peek('user:1')]).toEqual([undefined, undefined])
  expect(warp.stats()).toMatchObject({ keysCount: 1, log: { operationsCount: 2 }, operations: { writtenCount: 2 } })
  await warp.close()
})

test('a deleted counter, set and record begin again from nothing', async () => {
  const warp = await open()
  for (const round of [1, 2]) {
    await warp.key('hits:1').increment(5)
    await warp.key('cart:1').add(`x${round}`)
    await warp.key('record:1').update('hits', 'increment', 5)
    expect([warp.peek('hits:1'), warp.peek('cart:1'), warp.peek('record:1')]).toEqual([
      5,
      new Set([`x${round}`]),
      { hits: 5 },
    ])
    for (const key of ['hits:1', 'cart:1', 'record:1'] as const) await warp.delete(key)
    expect([warp.peek('hits:1'), warp.peek('cart:1'), warp.peek('record:1')]).toEqual([undefined, undefined, undefined])
  }
  await warp.close()
})

test('the same is read after a restart, also of keys that never leave this replica', async () => {
  const files = memoryFiles({ persistent: true })
  const log = { name: 'memory', open: () => Promise.resolve(files.copy()) }
  const first = await openWarp({ keys, env: virtualEnv(), log: { name: 'memory', open: () => Promise.resolve(files) } })
  await first.key('hits:1').increment(2)
  await first.key('mine:1').increment(3)
  await first.set('notes:1', ['a'])
  await first.close()
  const warp = await openWarp({ keys, env: virtualEnv(), log })
  expect(await Promise.all([warp.get('hits:1'), warp.get('mine:1'), warp.get('notes:1')])).toEqual([2, 3, ['a']])
  await warp.key('mine:1').increment()
  expect((await warp.key('mine:1').increment()).version).toBe(3)
  expect(await warp.get('mine:1')).toBe(5)
  await warp.close()
})

test('an engine says what it can do and how it is', async () => {
  const warp = await open()
  expect(warp.capabilities()).toEqual({
    modes: ['local', 'eventual'],
    acks: ['memory'],
    persistent: false,
    transports: [],
    compareAndSet: ['local'],
    linearizable: ['local'],
    locks: 'process',
  })
  await warp.set('user:1', { name: 'A' })
  warp.peek('user:1')
  warp.peek('user:1')
  expect(warp.stats()).toMatchObject({
    replica: warp.replica,
    keysCount: 1,
    cache: { entriesCount: 1, missesCount: 1, evictionsCount: 0 },
    compaction: { holds: [], replicas: [] },
  })
  await warp.close()
})

test('what holds compaction back is named while it does', async () => {
  const warp = await open()
  await warp.set('user:1', { name: 'A' })
  const lines = warp.export()[Symbol.asyncIterator]()
  await lines.next()
  expect(warp.stats().compaction.holds).toEqual([
    { name: expect.stringContaining('export'), sinceMs: expect.any(Number) },
  ])
  await lines.return?.()
  expect(warp.stats().compaction.holds).toEqual([])
  await warp.close()
})

test.each([
  ['cache.entriesMax', { cache: { entriesMax: 0 } }],
  ['cache.bytesMax', { cache: { bytesMax: Number.NaN } }],
  ['clockDriftMsMax', { clockDriftMsMax: -1 }],
])('an option out of its range is refused at open: %s', async (_name, options) => {
  await expect(openWarp({ keys, ...options })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('a closed engine refuses every call with one code, and closing again changes nothing', async () => {
  const warp = await open()
  await warp.set('user:1', { name: 'A' })
  await warp.close()
  await warp.close()
  await warp[Symbol.asyncDispose]()
  const closed = expect.objectContaining({ code: 'WARP_E_CLOSED' }) as Error
  const calls = [
    () => warp.get('user:1'),
    () => warp.get('user:2'),
    () => warp.set('user:1', { name: 'B' }),
    () => warp.delete('user:2'),
    () => warp.getAt('user:1', { version: 1 }),
    () => warp.explain('user:1'),
    () => warp.compact(),
    () => warp.log('user:1')[Symbol.asyncIterator]().next(),
  ]
  for (const call of calls) await expect(call()).rejects.toThrow(closed)
  expect(() => warp.peek('user:1')).toThrow(closed)
  expect(() => warp.watch('user:1')).toThrow(closed)
})
