import { describe, expect, it } from 'vitest'
import { counter, register, set } from '../../crdt/index.ts'
import { fileLog } from '../../adapters/file/index.ts'
import { checkLog, openWarp } from '../../adapters/node/index.ts'
import { memoryOrderedLog } from '../../adapters/memory/index.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<string>(), mode: 'strong' },
} as const

describe('strong keys of two replicas', () => {
  it('are read as the other has just written them', async () => {
    const order = memoryOrderedLog()
    await using a = await openWarp({ keys: KEYS, order })
    await using b = await openWarp({ keys: KEYS, order })
    const receipt = await a.set('stock:1', 7)
    expect(receipt).toMatchObject({ ack: 'broker', version: 1 })
    expect(await b.get('stock:1')).toBe(7)
    expect(await b.getVersioned('stock:1')).toEqual({ value: 7, version: 1 })
    await b.compareAndSet('stock:1', { version: 1 }, 8)
    expect(await a.tryCompareAndSet('stock:1', { version: 1 }, 9)).toEqual({ kind: 'conflict', version: 2 })
    expect(await a.get('stock:1')).toBe(8)
    await Promise.all([a, b].map((one) => one.key('hits:1').increment(2)))
    expect(await a.key('hits:1').get()).toBe(4)
    await a.key('tags:1').add('x')
    await b.key('tags:1').add('y')
    await b.key('tags:1').remove('x')
    expect(await a.get('tags:1')).toEqual(new Set(['y']))
    expect(await a.delete('stock:1')).toMatchObject({ ack: 'broker' })
    expect(await b.getVersioned('stock:1')).toEqual({ value: undefined, version: 0 })
  })

  it('lose no update', async () => {
    const order = memoryOrderedLog()
    await using a = await openWarp({ keys: KEYS, order })
    await using b = await openWarp({ keys: KEYS, order })
    const add = (one: typeof a): Promise<unknown> => one.update('stock:1', (count = 0) => count + 1)
    await Promise.all(Array.from({ length: 50 }, (_, i) => add(i % 2 === 0 ? a : b)))
    expect(await a.get('stock:1')).toBe(50)
    expect(await b.get('stock:1')).toBe(50)
  })
})

describe('an ordered log that is away', () => {
  it('is tried again once for all that wait, however many they are', async () => {
    const env = virtualEnv()
    const order = memoryOrderedLog({ env })
    const warp = await openWarp({ keys: KEYS, order, env, strong: { timeoutMs: 60_000 } })
    order.disconnect()
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 20; i++) {
      writes.push(warp.set(`stock:${i}`, i))
      await env.advance(130)
    }
    await env.advance(20_000)
    // A time limit for each of them, and one more.
    expect(env.timerCount).toBeLessThan(30)
    order.reconnect()
    await env.advance(200)
    await Promise.all(writes)
    await warp.close()
  })
})

describe('a replica that comes late', () => {
  const until = async (reached: () => boolean): Promise<void> => {
    for (let turns = 0; !reached(); turns++) {
      if (turns > 100_000) throw new Error('has not come about')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('takes a snapshot where the records have gone, and goes on from there', async () => {
    const order = memoryOrderedLog()
    const events: string[] = []
    const strong = { snapshotEvery: 20 }
    const observe = ({ kind }: { readonly kind: string }): void => void events.push(kind)
    await using a = await openWarp({ keys: KEYS, order, strong, observe })
    for (let i = 0; i < 45; i++) {
      await a.set(`stock:${i % 7}`, i)
      if (i % 5 === 0) await a.key('hits:1').increment()
    }
    await a.key('tags:1').add('x')
    await a.delete('stock:3')
    await until(() => events.includes('order:saved'))
    for (let i = 0; i < 45; i++) await a.set('stock:1', i)
    await until(() => events.filter((kind) => kind === 'order:saved').length > 1)
    await using b = await openWarp({ keys: KEYS, order, strong, observe })
    for (const key of ['stock:0', 'stock:1', 'stock:3'] as const)
      expect(await b.getVersioned(key)).toEqual(await a.getVersioned(key))
    expect(events).toContain('order:restored')
    expect(await b.key('hits:1').get()).toBe(9)
    await b.key('tags:1').add('y')
    expect(await a.get('tags:1')).toEqual(new Set(['x', 'y']))
  })
})

describe('a replica with a folder', () => {
  it('goes on where it was, with the versions that it had, and its folder is in order', async () => {
    const path = temporaryFolder()
    const order = memoryOrderedLog()
    await using other = await openWarp({ keys: KEYS, order })
    const open = () => openWarp({ keys: KEYS, order, log: fileLog({ path }) })
    const before = await open()
    await before.set('stock:1', 1)
    await before.key('tags:1').add('x')
    await before.delete('stock:1')
    await before.set('stock:2', 2)
    await before.close()
    await other.set('stock:3', 3)
    await using after = await open()
    expect(after.peek('stock:2')).toBe(2)
    for (const key of ['stock:1', 'stock:2', 'stock:3'] as const)
      expect(await after.getVersioned(key)).toEqual(await other.getVersioned(key))
    expect(await after.key('tags:1').get()).toEqual(new Set(['x']))
    await after.compact()
    await after.set('stock:1', 4)
    expect(await other.getVersioned('stock:1')).toEqual(await after.getVersioned('stock:1'))
    await after.close()
    for (const options of [{ logs: [fileLog({ path })], keys: KEYS }, fileLog({ path })])
      expect(await checkLog(options)).toMatchObject({ isSound: true, damageCount: 0 })
  })

  it('is refused with another ordered log than its own', async () => {
    const path = temporaryFolder()
    const open = (order = memoryOrderedLog()) => openWarp({ keys: KEYS, order, log: fileLog({ path }) })
    const first = await open()
    await first.set('stock:1', 1)
    await first.close()
    await expect(open()).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
  })
})

describe('a pattern that was of another mode before', () => {
  const asLocal = { 'hits:*': { strategy: counter(), mode: 'local' } } as const

  it('is refused as a strong one: what one replica wrote alone would be on no other', async () => {
    const path = temporaryFolder()
    const local = await openWarp({ keys: asLocal, log: fileLog({ path }) })
    await local.key('hits:1').increment(5)
    await local.close()
    const strong = openWarp({ keys: KEYS, order: memoryOrderedLog(), log: fileLog({ path }) })
    await expect(strong).rejects.toMatchObject({ code: 'WARP_E_CONFIG', details: { key: 'hits:1' } })
  })

  it('is refused as another one once it was strong', async () => {
    const path = temporaryFolder()
    const strong = await openWarp({ keys: KEYS, order: memoryOrderedLog(), log: fileLog({ path }) })
    await strong.key('hits:1').increment(5)
    await strong.close()
    const local = openWarp({ keys: asLocal, log: fileLog({ path }) })
    await expect(local).rejects.toMatchObject({ code: 'WARP_E_CONFIG', details: { key: 'hits:1' } })
  })
})
