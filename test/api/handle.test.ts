import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'r:*': register<{ readonly name: string }>(),
  'c:*': counter(),
  's:*': set<string>(),
  'l:*': list<string>(),
  'm:*': map({ hits: counter(), tags: set<string>() }),
  'stock:*': boundedCounter(),
  'gone:*': { strategy: register<number>(), retain: 'latest' },
} as const

const open = () => openWarp({ keys, env: virtualEnv() })

test('the verbs and queries of a strategy are methods of its handles', async () => {
  const warp = await open()
  const cart = warp.key('s:1')
  await cart.add('x', 'y')
  await cart.remove('x')
  expect([await cart.get(), await cart.has('y'), await cart.has('x')]).toEqual([new Set(['y']), true, false])
  const record = warp.key('m:1')
  await record.update('hits', 'increment', 2)
  expect([record.peek(), await record.has('hits'), await record.has('tags')]).toEqual([{ hits: 2 }, true, false])
  const letters = warp.key('l:1')
  await letters.push('a', 'c')
  await letters.insert(1, 'b')
  expect(letters.peek()).toEqual(['a', 'b', 'c'])
  expect(await warp.key('stock:1').rights(warp.replica, 'increment')).toBeTypeOf('number')
  await warp.close()
})

test('a handle sees its key come, change and go', async () => {
  const warp = await open()
  const user = warp.key('r:1')
  expect([user.key, user.peek(), await user.get()]).toEqual(['r:1', undefined, undefined])
  await warp.set('r:1', { name: 'A' })
  expect([user.peek(), await user.get()]).toEqual([{ name: 'A' }, { name: 'A' }])
  expect(user.peek()).toBe(user.peek())
  await user.set({ name: 'B' })
  expect(warp.peek('r:1')).toEqual({ name: 'B' })
  await user.delete()
  expect([user.peek(), await user.get()]).toEqual([undefined, undefined])
  await warp.close()
})

test('a handle does not take the key for its own that has got its slot since', async () => {
  const warp = await open()
  const mine = warp.key('gone:1')
  await mine.set(1)
  expect(mine.peek()).toBe(1)
  await mine.delete()
  await warp.compact()
  expect(warp.stats().keysCount).toBe(0)
  await warp.set('gone:2', 2)
  expect(warp.peek('gone:2')).toBe(2)
  expect([mine.peek(), await mine.get()]).toEqual([undefined, undefined])
  expect((await mine.delete()).dot).toBeUndefined()
  await mine.set(3)
  expect([mine.peek(), warp.peek('gone:2')]).toEqual([3, 2])
  await warp.close()
})

test('history and watches through a handle are those of its key', async () => {
  const warp = await open()
  const user = warp.key('r:1')
  const watch = user.watch()
  await user.set({ name: 'A' })
  await warp.set('r:2', { name: 'other' })
  await user.set({ name: 'B' })
  const payloads: unknown[] = []
  for await (const { payload } of user.log({ newestFirst: true })) payloads.push(payload)
  expect(payloads).toEqual([{ name: 'B' }, { name: 'A' }])
  expect(await user.getAt({ version: 1 })).toEqual({ name: 'A' })
  expect((await user.explain()).operations).toHaveLength(2)
  expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({ key: 'r:1', version: 1 })
  await warp.close()
})

test("options fixed with a handle hold for its writes and nobody else's", async () => {
  const warp = await openWarp({ keys, env: virtualEnv(), log: fileLog({ path: temporaryFolder() }) })
  const plain = warp.key('c:1')
  const durable = plain.with({ ack: 'durable' })
  expect((await durable.increment()).ack).toBe('durable')
  expect((await plain.increment()).ack).toBe('logged')
  expect((await plain.with({ ack: 'memory' }).increment()).ack).toBe('memory')
  const aborted = durable.with({ signal: AbortSignal.abort() })
  await expect(aborted.increment()).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'failed' })
  expect(durable.peek()).toBe(3)
  await warp.close()
})

test('a strategy may not name a verb like what every handle has', async () => {
  const strategy = { ...counter(), verbs: { get: () => 1 } }
  await expect(openWarp({ keys: { '*': strategy } })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('nothing goes through a handle once the engine is closed', async () => {
  const warp = await open()
  const [written, unwritten] = [warp.key('c:1'), warp.key('c:2')]
  await written.increment()
  expect(written.peek()).toBe(1)
  await warp.close()
  const closed = expect.objectContaining({ code: 'WARP_E_CLOSED' }) as Error
  for (const handle of [written, unwritten]) {
    expect(() => handle.peek()).toThrow(closed)
    expect(() => handle.watch()).toThrow(closed)
    for (const call of [
      handle.get(),
      handle.increment(),
      handle.delete(),
      handle.explain(),
      handle.getAt({ version: 0 }),
    ]) {
      await expect(call).rejects.toThrow(closed)
    }
    await expect(handle.log()[Symbol.asyncIterator]().next()).rejects.toThrow(closed)
  }
})
