import { expect, test } from 'vitest'
import { openWarp, type Change, type Watch, type WatchOptions } from '../../adapters/node/index.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { WatchHub } from '../../src/watch/watch.ts'
import { FOLLOWER_MS_MAX } from '../../src/log/holds.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { openEngine } from '../support/open-engine.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'user:*': register<number>(),
  'hits:*': counter(),
  'temporary:*': { strategy: register<number>(), retain: 'latest' },
} as const

function open() {
  return openWarp({ keys, env: virtualEnv() })
}

/** Takes `count` changes; fails if there are fewer. */
async function take<Value>(watch: Watch<Value>, count: number): Promise<Change<Value>[]> {
  const changes: Change<Value>[] = []
  const iterator = watch[Symbol.asyncIterator]()
  while (changes.length < count) {
    const next = await Promise.race([iterator.next(), nothing()])
    if (next.done === true) throw new Error(`the watch ended after ${changes.length} of ${count} changes`)
    changes.push(next.value)
  }
  return changes
}

/** Rejects once the event loop has gone round so often that whatever was on its way would be here. */
async function nothing(): Promise<never> {
  for (let i = 0; i < 1000; i++) await new Promise((resolve) => setImmediate(resolve))
  throw new Error('no change came')
}

function shown(changes: readonly Change[]): unknown[] {
  return changes.map((change) =>
    change.kind === 'gap' ? `gap of ${change.missedCount}` : `${change.key} v${change.version}`,
  )
}

test("a watch of one key sees its changes, in order, with operation, version and value, and nobody else's", async () => {
  const warp = await open()
  const watch = warp.key('user:1').watch()
  await warp.set('user:1', 10)
  await warp.set('user:10', 99)
  await warp.set('user:1', 11)
  await warp.delete('user:1')
  const changes = await take(watch, 3)
  expect(shown(changes)).toEqual(['user:1 v1', 'user:1 v2', 'user:1 v3'])
  const operations = changes.map((change) => (change.kind === 'value' ? change.operation : undefined))
  expect(operations.map((operation) => [operation?.kind, operation?.payload])).toEqual([
    ['update', 10],
    ['update', 11],
    ['delete', undefined],
  ])
  expect(operations[0]?.dot).toEqual({ replica: warp.replica, sequence: 1 })
  expect(changes.every((change) => change.kind === 'value' && change.value === undefined)).toBe(true)
  await warp.close()
})

test('a watch of a pattern sees the keys that match it, and the value is that of now', async () => {
  const warp = await open()
  const watch = warp.watch('hits:*')
  await warp.key('hits:a').increment(1)
  await warp.set('user:1', 1)
  await warp.key('hits:b').increment(2)
  await warp.key('hits:a').increment(3)
  const changes = await take(watch, 3)
  expect(shown(changes)).toEqual(['hits:a v1', 'hits:b v1', 'hits:a v2'])
  expect(changes.map((change) => change.kind === 'value' && change.value)).toEqual([4, 2, 4])
  await warp.close()
})

test('a watch begins with what is written after it', async () => {
  const warp = await open()
  await warp.set('user:1', 1)
  const watch = warp.watch('user:*')
  await warp.set('user:1', 2)
  expect(shown(await take(watch, 1))).toEqual(['user:1 v2'])
  await warp.close()
})

test('a waiting consumer is woken once for a burst, and gets it all', async () => {
  const warp = await open()
  const watch = warp.watch('user:*')
  const first = watch[Symbol.asyncIterator]().next()
  for (let i = 0; i < 100; i++) void warp.set(`user:${i}`, i)
  expect((await first).value).toMatchObject({ key: 'user:0' })
  expect(shown(await take(watch, 99)).at(-1)).toBe('user:99 v1')
  await warp.close()
})

test('a watch resumes from every cursor with exactly what came after it', async () => {
  const warp = await open()
  const watch = warp.watch('user:*')
  for (let i = 0; i < 30; i++) {
    await warp.set(`user:${i % 3}`, i)
    await warp.key('hits:x').increment()
  }
  const changes = await take(watch, 30)
  for (let i = 0; i < 29; i++) {
    const resumed = warp.watch('user:*', { from: (changes[i] as Change).cursor })
    expect(shown(await take(resumed, 29 - i))).toEqual(shown(changes.slice(i + 1)))
    resumed.close()
  }
  await warp.close()
})

test('a resumed watch goes on with the present', async () => {
  const warp = await open()
  const watch = warp.watch('user:*')
  for (let i = 0; i < 600; i++) await warp.set('user:1', i)
  const [first] = await take(watch, 1)
  const resumed = warp.watch('user:*', { from: (first as Change).cursor })
  const half = await take(resumed, 300)
  for (let i = 0; i < 10; i++) await warp.set('user:2', i)
  const rest = await take(resumed, 309)
  expect(shown([...half, ...rest])).toEqual([
    ...Array.from({ length: 599 }, (_, i) => `user:1 v${i + 2}`),
    ...Array.from({ length: 10 }, (_, i) => `user:2 v${i + 1}`),
  ])
  await warp.close()
})

test('a watch of one key resumes behind a version of it', async () => {
  const warp = await open()
  for (let i = 0; i < 5; i++) await warp.set('user:1', i)
  for (const version of [0, 1, 4]) {
    const watch = warp.watch('user:1', { from: { version } })
    expect(shown(await take(watch, 5 - version))).toEqual(
      Array.from({ length: 5 - version }, (_, i) => `user:1 v${version + i + 1}`),
    )
  }
  const atHead = warp.watch('user:1', { from: { version: 5 } })
  const unborn = warp.watch('user:9', { from: { version: 0 } })
  await warp.set('user:9', 9)
  await warp.set('user:1', 5)
  expect(shown(await take(atHead, 1))).toEqual(['user:1 v6'])
  expect(shown(await take(unborn, 1))).toEqual(['user:9 v1'])
  const future = warp.watch('user:1', { from: { version: 99 } })
  expect(shown(await take(future, 1))).toEqual(['gap of undefined'])
  expect(() => warp.watch('user:*', { from: { version: 1 } })).toThrow(
    expect.objectContaining({ code: 'WARP_E_CONFIG' }),
  )
  await warp.close()
})

test.each([['1'.repeat(16) + '@70'], ['nonsense'], ['']])(
  'a cursor of another log is answered with a gap: %s',
  async (from) => {
    const warp = await open()
    await warp.set('user:1', 1)
    const watch = warp.watch('user:*', { from })
    await warp.set('user:1', 2)
    const [gap, change] = await take(watch, 2)
    expect(shown([gap as Change, change as Change])).toEqual(['gap of undefined', 'user:1 v2'])
    await warp.close()
  },
)

test('a cursor beyond the end of the log, for operations that a crash took, is answered with a gap', async () => {
  const files = memoryFiles({ persistent: true })
  const first = await openWarp({ keys, env: virtualEnv(), log: { name: 'memory', open: () => Promise.resolve(files) } })
  await first.set('user:1', 1, { ack: 'durable' })
  const before = files.copy()
  const watch = first.watch('user:*')
  await first.set('user:1', 2, { ack: 'durable' })
  await first.set('user:1', 3, { ack: 'durable' })
  const [, lost] = await take(watch, 2)
  await first.close()
  const warp = await openWarp({ keys, env: virtualEnv(), log: { name: 'memory', open: () => Promise.resolve(before) } })
  const resumed = warp.watch('user:*', { from: (lost as Change).cursor })
  expect(shown(await take(resumed, 1))).toEqual(['gap of undefined'])
  await warp.close()
})

test('a consumer that lags is told how many it missed, and the cursor of the gap leads on', async () => {
  const warp = await open()
  const watch = warp.watch('user:*', { pendingCountMax: 5 })
  for (let i = 0; i < 8; i++) await warp.set('user:1', i)
  const [gap] = await take(watch, 1)
  expect(shown([gap as Change])).toEqual(['gap of 8'])
  await warp.set('user:1', 8)
  expect(shown(await take(watch, 1))).toEqual(['user:1 v9'])
  expect(shown(await take(warp.watch('user:*', { from: (gap as Change).cursor }), 1))).toEqual(['user:1 v9'])
  await warp.close()
})

test('as many changes as the bound allows make no gap', async () => {
  const warp = await open()
  const watch = warp.watch('user:*', { pendingCountMax: 5 })
  for (let i = 0; i < 5; i++) await warp.set('user:1', i)
  expect(shown(await take(watch, 5)).at(-1)).toBe('user:1 v5')
  await warp.close()
})

test('thousands of writes to other keys make no gap for a consumer that is idle, waiting or slow', async () => {
  const warp = await open()
  const [idle, waiting, slow] = [1, 2, 3].map((key) => warp.watch(`user:${key}`, { pendingCountMax: 3 })) as [
    Watch,
    Watch,
    Watch,
  ]
  const next = waiting[Symbol.asyncIterator]().next()
  for (const key of [1, 2, 3]) await warp.set(`user:${key}`, 1)
  for (let i = 0; i < 3000; i++) void warp.key('hits:x').increment()
  for (const key of [1, 3]) await warp.set(`user:${key}`, 2)
  expect(shown(await take(slow, 1))).toEqual(['user:3 v1'])
  for (let i = 0; i < 3000; i++) void warp.key('hits:x').increment()
  expect(shown(await take(slow, 1))).toEqual(['user:3 v2'])
  expect(shown(await take(idle, 2))).toEqual(['user:1 v1', 'user:1 v2'])
  expect((await next).value).toMatchObject({ key: 'user:2', version: 1 })
  await warp.close()
})

test('compaction leaves alone what a lagging watch has not seen', async () => {
  const warp = await open()
  const lagging = warp.watch('temporary:*', { pendingCountMax: 5000 })
  for (let i = 0; i < 3000; i++) void warp.set('temporary:1', i)
  expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 0 })
  const changes = await take(lagging, 3000)
  expect(shown(changes)).toEqual(Array.from({ length: 3000 }, (_, i) => `temporary:1 v${i + 1}`))
  expect(changes.map((change) => change.kind === 'value' && change.operation.payload)).toEqual(
    Array.from({ length: 3000 }, (_, i) => i),
  )
  expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 3000 })
  await warp.close()
})

test('compaction waits for no consumer longer than the bound, and no longer than it is there', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env })
  const [stuck, elsewhere] = [warp.watch('temporary:*'), warp.watch('user:*')]
  for (let i = 0; i < 10; i++) void warp.set('temporary:1', i)
  for (const passedMs of [0, FOLLOWER_MS_MAX]) {
    await env.advance(passedMs)
    expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 0 })
  }
  await env.advance(1)
  expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 10 })
  expect(shown(await take(stuck, 1))).toEqual(['gap of undefined'])
  const closed = warp.watch('temporary:*')
  for (let i = 0; i < 10; i++) void warp.set('temporary:1', i)
  await take(stuck, 10)
  closed.close()
  expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 10 })
  expect(warp.stats().watchesCount).toBe(2)
  elsewhere.close()
  await warp.close()
})

test('a watch that was idle at the end of the log is not taken to have been stuck there', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env })
  const watch = warp.watch('temporary:1')
  await warp.compact()
  await env.advance(2 * FOLLOWER_MS_MAX)
  for (let i = 0; i < 10; i++) void warp.set('temporary:1', i)
  expect(await warp.compact()).toMatchObject({ droppedOperationsCount: 0 })
  expect(shown(await take(watch, 10)).at(-1)).toBe('temporary:1 v10')
  await warp.close()
})

test('a watch of one key is told how many operations compaction has taken away', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env })
  const watch = warp.watch('temporary:1')
  for (let i = 0; i < 7; i++) await warp.set('temporary:1', i)
  expect(shown(await take(watch, 2)).at(-1)).toBe('temporary:1 v2')
  await warp.compact()
  await env.advance(FOLLOWER_MS_MAX + 1)
  await warp.compact()
  for (let i = 0; i < 2000; i++) void warp.set('temporary:1', i)
  expect(shown(await take(watch, 1))).toEqual(['gap of 2005'])
  await warp.close()
})

test('a resuming watch is told that compaction has taken away what it has not seen', async () => {
  const warp = await open()
  const other = warp.watch('user:*')
  await warp.set('user:1', 0)
  const [first] = await take(other, 1)
  const { cursor } = first as Change
  for (let i = 0; i < 1500; i++) void warp.set('temporary:1', i)
  await warp.compact()
  expect(shown(await take(warp.watch('temporary:1', { from: cursor }), 1))).toEqual(['gap of undefined'])
  expect(shown(await take(warp.watch('temporary:*', { from: cursor }), 1))).toEqual(['gap of undefined'])
  await warp.set('user:1', 1)
  expect(shown(await take(warp.watch('user:1', { from: cursor }), 1))).toEqual(['user:1 v2'])
  expect(shown(await take(other, 1))).toEqual(['user:1 v2'])
  await warp.close()
})

test('a resuming watch is told when a key may have been deleted and forgotten since', async () => {
  const warp = await open()
  const watch = warp.watch('user:*')
  await warp.set('temporary:1', 1)
  await warp.set('user:1', 0)
  const [first] = await take(watch, 1)
  const { cursor } = first as Change
  await warp.delete('temporary:1')
  await warp.compact()
  expect(warp.stats().keysCount).toBe(1)
  expect(shown(await take(warp.watch('temporary:1', { from: cursor }), 1))).toEqual(['gap of undefined'])
  expect(shown(await take(warp.watch('temporary:*', { from: cursor }), 1))).toEqual(['gap of undefined'])
  await warp.set('temporary:1', 2)
  expect(shown(await take(warp.watch('temporary:1', { from: cursor }), 1))).toEqual(['gap of undefined'])
  await warp.set('user:1', 1)
  expect(shown(await take(warp.watch('user:1', { from: cursor }), 1))).toEqual(['user:1 v2'])
  await warp.close()
})

test('an aborted signal ends the watch without an error, before, while and after waiting', async () => {
  const warp = await open()
  const ended = { done: true, value: undefined }
  expect(await iterate(warp.watch('user:*', { signal: AbortSignal.abort() })).next()).toEqual(ended)
  const controller = new AbortController()
  const waiting = iterate(warp.watch('user:*', { signal: controller.signal }))
  const next = waiting.next()
  controller.abort()
  expect(await next).toEqual(ended)
  expect(await waiting.next()).toEqual(ended)
  expect(warp.stats().watchesCount).toBe(0)
  await warp.close()
})

function iterate<Value>(watch: Watch<Value>): AsyncIterator<Change<Value>> {
  return watch[Symbol.asyncIterator]()
}

test('leaving the loop closes the watch', async () => {
  const warp = await open()
  const watch = warp.watch('user:*')
  await warp.set('user:1', 1)
  for await (const change of watch) {
    expect(change.kind).toBe('value')
    break
  }
  expect(warp.stats().watchesCount).toBe(0)
  watch.close()
  await warp.close()
})

test('two watches see the same changes, each at its own pace, and one consumer is all that a watch has', async () => {
  const warp = await open()
  const [fast, slow] = [warp.watch('user:*'), warp.watch('user:*')]
  await warp.set('user:1', 1)
  expect(shown(await take(fast, 1))).toEqual(['user:1 v1'])
  await warp.set('user:1', 2)
  expect(shown(await take(slow, 2))).toEqual(
    shown([...(await take(warp.watch('user:1', { from: { version: 0 } }), 2))]),
  )
  const iterator = iterate(slow)
  const first = iterator.next()
  await expect(iterator.next()).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  slow.close()
  expect(await first).toEqual({ done: true, value: undefined })
  await warp.close()
})

test('closing a watch settles whoever waits, and a second time does nothing', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env })
  const watch = warp.watch('user:*')
  const settled: unknown[] = []
  void iterate(watch)
    .next()
    .then((result) => settled.push(result))
  watch.close()
  watch.close()
  await env.advance(1)
  expect(settled).toEqual([{ done: true, value: undefined }])
  await warp.close()
})

test('a watch is told of a gap when the state is taken over from a peer', async () => {
  const [a, b] = await Promise.all([openEngine(keys), openEngine(keys)])
  const { store, holds } = b.engine
  const hub = new WatchHub({ store, holds, logName: () => 'b', onReset: (listener) => b.engine.onReset(listener) })
  const watch = hub.watch('user:*')
  await a.write('user:1', 'set', 1)
  const source = a.engine.exportSnapshot(1000)
  const target = b.engine.beginSnapshot(source.vector)
  for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
  target.finish()
  await b.write('user:1', 'set', 2)
  expect(shown(await take(watch, 2))).toEqual(['gap of undefined', 'user:1 v2'])
  hub.close()
})

test('a log that cannot be read ends the watch with the error, whether its consumer waits or comes later', async () => {
  const { engine, write } = await openEngine(keys)
  const { store, holds } = engine
  const hub = new WatchHub({ store, holds, logName: () => 'a', onReset: () => () => undefined })
  const [waiting, late] = [0, 0].map(() => iterate(hub.watch('user:*', { pendingCountMax: 1 })))
  const next = waiting?.next()
  const damage = new WarpError('WARP_E_LOG_CORRUPT', 'the record is damaged')
  store.log.scan = () => {
    throw damage
  }
  for (const value of [1, 2, 3]) await write('user:1', 'set', value)
  await expect(next).rejects.toBe(damage)
  await expect(late?.next()).rejects.toBe(damage)
  expect([await waiting?.next(), await late?.next(), hub.count]).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
    0,
  ])
})

test('closing the engine ends every watch', async () => {
  const warp = await open()
  const watches = [warp.watch('user:*'), warp.watch('user:1')]
  const waiting = watches.map((watch) => iterate(watch).next())
  await warp.close()
  expect(await Promise.all(waiting)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  expect(() => warp.watch('user:*')).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
})

test.each<[string, WatchOptions, string]>([
  ['', {}, 'WARP_E_PATTERN'],
  ['user:*', { pendingCountMax: 0 }, 'WARP_E_CONFIG'],
  ['user:*', { pendingCountMax: 1.5 }, 'WARP_E_CONFIG'],
])('a watch that makes no sense is refused: %s %o', async (pattern, options, code) => {
  const warp = await open()
  expect(() => warp.watch(pattern, options)).toThrow(expect.objectContaining({ code }))
  expect(warp.stats().watchesCount).toBe(0)
  await warp.close()
})

test('a watch sees each operation of a group with the version that it made, also two of one key', async () => {
  const { engine } = await openEngine(keys)
  const { store, holds } = engine
  const hub = new WatchHub({ store, holds, logName: () => 'a', onReset: () => () => undefined })
  const watch = hub.watch('hits:*')
  const keyspace = store.keyspaceOf('hits:1')
  const draft = (payload: number) => ({
    ...{ key: 'hits:1', keyspace, slot: store.keys.find('hits:1'), payload },
    kind: OPERATION_KIND.update,
  })
  store.appendAll([draft(1), draft(2)])
  store.append(draft(3))
  expect(shown(await take(watch, 3))).toEqual(['hits:1 v1', 'hits:1 v2', 'hits:1 v3'])
  hub.close()
})
