import { afterEach, describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { custom } from '../../../crdt/custom.ts'
import { add, StoreWorld } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

describe('reading through a store', () => {
  test('a row is read once and then from memory', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    world.put('k:1', { name: 'Ada' })
    expect(await warp.get('k:1')).toEqual({ name: 'Ada' })
    expect(await warp.get('k:1')).toEqual({ name: 'Ada' })
    expect(warp.peek('k:1')).toEqual({ name: 'Ada' })
    expect(world.store.stats().reads).toBe(1)
  })

  test('reads of one turn are one request', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    for (let i = 0; i < 50; i++) world.put(`k:${i}`, i)
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => warp.get(`k:${i}`)))
    expect(all).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(world.store.stats()).toMatchObject({ reads: 1, readKeys: 50 })
    warp.invalidateLocal('k:*')
    const keys = Array.from({ length: 50 }, (_, i) => `k:${i}`)
    expect((await warp.getMany(keys)).size).toBe(50)
    expect(world.store.stats()).toMatchObject({ reads: 2, readKeys: 100 })
  })
})

describe('writing behind', () => {
  test('a write is read at once and comes to the store a little later, with others', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    for (let i = 0; i < 30; i++) await warp.set(`k:${i}`, { i })
    expect(await warp.get('k:7')).toEqual({ i: 7 })
    expect(world.row('k:7')).toBeUndefined()
    await world.env.advance(100)
    expect(world.row('k:7')).toEqual({ i: 7 })
    expect(world.store.stats().writes).toBe(1)
    expect(warp.stats().stores).toMatchObject([{ unstoredKeysCount: 0, flushedCount: 30 }])
  })

  test('what the codec of the store cannot keep is refused before anything exists', async () => {
    world = new StoreWorld()
    const { warp, events } = await world.join('a', { alone: true })
    const handle = warp.key('k:1') as unknown as { set(value: unknown): Promise<unknown> }
    const refused = expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }) as Error
    for (const value of [new Date(0), { deep: [Number.NaN] }, 1n, Uint8Array.of(1)]) {
      await expect(warp.set('k:1', value)).rejects.toThrow(refused)
      await expect(handle.set(value)).rejects.toThrow(refused)
      await expect(
        warp.setMany([
          ['k:2', 'good'],
          ['k:1', value],
        ]),
      ).rejects.toThrow(refused)
      expect(() => warp.write('k:1', value)).toThrow(refused)
    }
    await expect(warp.set('k:1', (() => 1) as never)).rejects.toThrow(/value is a function/)
    expect([warp.peek('k:1'), warp.peek('k:2')]).toEqual([undefined, undefined])
    await warp.set('k:1', { kept: 1, left: undefined })
    await world.env.advance(1000)
    expect(world.row('k:1')).toEqual({ kept: 1 })
    expect(events.filter(({ kind }) => kind === 'primary:rejected')).toEqual([])
  })

  test('a delete leaves a tombstone, and a later write takes its place', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 1)
    await world.env.advance(100)
    await warp.delete('k:1')
    expect(await warp.get('k:1')).toBeUndefined()
    await world.env.advance(100)
    expect(world.store.row('k:1')).toMatchObject({ value: undefined })
    await warp.set('k:1', 2)
    await world.env.advance(100)
    expect(world.row('k:1')).toBe(2)
  })

  test('J: both sides of a cut write and flush; the store gets the merged value', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.network.cut('a', 'b')
    await a!.set('k:1', 'from a')
    await world.env.advance(10)
    await b!.set('k:1', 'from b')
    await world.env.advance(1000)
    world.network.heal()
    await world.env.advance(10_000)
    expect(world.row('k:1')).toBe('from b')
    expect(await a!.get('k:1')).toBe('from b')
    expect(await b!.get('k:1')).toBe('from b')
  })

  test('a watch of a counter shows the whole value, and not what the log holds of it', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, strategy: counter() })
    world.put('k:1', 100)
    const watch = warp.watch('k:1')
    const seen = (async () => {
      for await (const change of watch) return 'value' in change ? change.value : undefined
      return undefined
    })()
    expect(await warp.get('k:1')).toBe(100)
    await add(warp, 'k:1', 1)
    await world.env.runUntilIdle()
    expect(await seen).toBe(101)
  })

  test('K: increments of all replicas reach the store once each', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { strategy: counter() })
    world.put('k:1', 100)
    world.network.cut('a', 'b')
    for (let i = 0; i < 5; i++) await add(a, 'k:1', 1)
    await add(b, 'k:1', 10)
    await world.env.advance(1000)
    await add(a, 'k:1', 1)
    world.network.heal()
    await world.env.advance(20_000)
    expect(world.row('k:1')).toBe(116)
    expect([await a!.get('k:1'), await b!.get('k:1')]).toEqual([116, 116])
  })

  test('a merge function of a user is folded over the row, and all end with what the store says', async () => {
    world = new StoreWorld()
    const strategy = custom<readonly string[]>((old, next) => [...old, ...next])
    const [a, b] = await world.joinAll(['a', 'b'], { strategy })
    world.put('k:1', ['row'])
    world.network.cut('a', 'b')
    await a!.set('k:1', ['a'])
    await b!.set('k:1', ['b'])
    await world.env.advance(1000)
    world.network.heal()
    await world.env.advance(20_000)
    const row = world.row('k:1') as string[]
    expect([...row].sort()).toEqual(['a', 'b', 'row'])
    expect(await a!.get('k:1')).toEqual(row)
    expect(await b!.get('k:1')).toEqual(row)
  })

  test('answers are lost and requests fail: everything is there once', async () => {
    world = new StoreWorld(7)
    world.store.set({ latencyMs: 5, replyMs: 5, failure: 0.2, lostReply: 0.2 })
    const [a, b] = await world.joinAll(['a', 'b'], { strategy: counter() })
    for (let i = 0; i < 40; i++) {
      await add(a, `k:${i % 5}`, 1)
      await add(b, `k:${i % 5}`, 1)
      await world.env.advance(20)
    }
    await world.env.advance(60_000)
    world.store.set({ failure: 0, lostReply: 0 })
    await world.env.advance(60_000)
    expect([0, 1, 2, 3, 4].map((i) => world.row(`k:${i}`))).toEqual([16, 16, 16, 16, 16])
  })
})
