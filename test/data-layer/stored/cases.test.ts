/** The acceptance cases of the data layer, before a primary store. Those of loaders: ../invalidation.test.ts. */
import { afterEach, describe, expect, test } from 'vitest'
import { register } from '../../../crdt/register.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { PrimaryStore } from '../../../src/ports/primary-store.ts'
import { StoreWorld, type AnyWarp } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

/** The store, with methods of its own. */
function functionStoreOf({ store }: StoreWorld): PrimaryStore {
  return {
    ...{ name: 'memory:broken', comparesAndSets: true, codec: store.codec },
    readRows: (keys, request) => store.readRows(keys, request),
    compareAndSet: (changes, request) => store.compareAndSet(changes, request),
    purge: (rows, request) => store.purge(rows, request),
    listKeys: (request) => store.listKeys(request),
  }
}

/** What a read gives, with the time that it needs. */
async function read(warp: AnyWarp | undefined, key: string): Promise<unknown> {
  const reading = (warp as AnyWarp).get(key)
  await world.env.advance(200)
  return reading
}

describe('cases', () => {
  test('A: an old answer that arrives after a write does not take its place', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.put('k:1', 'old')
    world.store.set({ replyMs: 150 })
    const slow = b!.get('k:1')
    await world.env.advance(10)
    await a!.set('k:1', 'new')
    await world.env.advance(50)
    expect(b!.peek('k:1')).toBe('new')
    await world.env.advance(500)
    expect(await slow).toBe('new')
    expect(await read(b, 'k:1')).toBe('new')
  })

  test('B: a load that began before an invalidation is kept nowhere', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.put('k:1', 'old')
    world.store.set({ replyMs: 100 })
    const before = b!.get('k:1')
    await world.env.advance(50)
    world.put('k:1', 'new')
    await a!.invalidate('k:1')
    await world.env.advance(20)
    const after = b!.get('k:1')
    await world.env.advance(1000)
    expect([await before, await after]).toEqual(['old', 'new'])
    expect(await read(b, 'k:1')).toBe('new')
  })

  test('D: a replica that was cut off reads what was written meanwhile', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    await a!.set('k:1', 'old')
    await world.env.advance(500)
    expect(await read(b, 'k:1')).toBe('old')
    world.network.cut('a', 'b')
    await a!.set('k:1', 'new')
    await world.env.advance(2000)
    world.network.heal()
    await world.env.advance(1500)
    expect(b!.peek('k:1')).toBe('new')
  })

  test('G: with a store that cannot be reached, writes and makers answer; later all is in step', async () => {
    world = new StoreWorld()
    world.store.set({ failure: 1 })
    const [a] = await world.joinAll(['a'])
    await a!.set('k:1', 1)
    const made = a!.getOrSet('k:2', () => 'made')
    await world.env.advance(200)
    expect(await made).toBe('made')
    expect(await a!.get('k:1')).toBe(1)
    world.store.set({ failure: 0 })
    await world.env.advance(60_000)
    expect([world.row('k:1'), world.row('k:2')]).toEqual([1, 'made'])
  })

  test('G: before a store that hangs a maker waits as long as one request may take, however often it is tried', async () => {
    world = new StoreWorld()
    const [a] = await world.joinAll(['a'], { storeTimeoutMs: 500 })
    world.store.stall()
    const made = a!.getOrSet('k:1', () => 'made')
    await world.env.advance(600)
    expect(a!.peek('k:1')).toBe('made')
    expect(await made).toBe('made')
  })

  test('H: the error of the store reaches the caller, with the key', async () => {
    world = new StoreWorld()
    const [a] = await world.joinAll(['a'])
    world.store.set({ failure: 1 })
    const refused = expect(a!.get('k:1')).rejects.toMatchObject({
      code: 'WARP_E_LOAD',
      details: { key: 'k:1' },
      cause: { code: 'WARP_E_STORE', details: { store: 'memory:rows' } },
    })
    await world.env.advance(1000)
    await refused
  })

  test('I: an invalidation by tag reaches a replica that was cut off while another one loads', async () => {
    world = new StoreWorld()
    const tags = (): readonly string[] => ['page']
    const [a, b, c] = await world.joinAll(['a', 'b', 'c'], { tags })
    world.put('k:1', 'old')
    expect(await read(b, 'k:1')).toBe('old')
    world.network.partition([['b'], ['a', 'c']])
    world.store.set({ replyMs: 100 })
    const loading = c!.get('k:1')
    await world.env.advance(50)
    world.put('k:1', 'new')
    await a!.invalidateTag('page')
    await world.env.advance(1000)
    await loading
    world.network.heal()
    await world.env.advance(2000)
    for (const warp of [a, b, c]) expect(await read(warp, 'k:1')).toBe('new')
  })

  test('N: a write whose writer had not seen the invalidation goes to the store, on top of what is there', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.network.cut('a', 'b')
    world.put('k:1', 'outsider')
    await a!.invalidate('k:1')
    await b!.set('k:1', 'mine')
    await world.env.advance(500)
    world.network.heal()
    await world.env.advance(20_000)
    expect(world.row('k:1')).toBe('mine')
    for (const warp of [a, b]) expect(await read(warp, 'k:1')).toBe('mine')
  })

  test('a write whose writer had not seen the invalidation is not served without a load', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.network.cut('a', 'b')
    world.store.stall()
    await b!.set('k:1', 'mine')
    expect(b!.peek('k:1')).toBe('mine')
    await a!.invalidate('k:1')
    world.network.heal()
    await world.env.advance(1000)
    expect(b!.peek('k:1')).toBeUndefined()
    world.store.resume()
    await world.env.advance(10_000)
    expect(await read(b, 'k:1')).toBe('mine')
  })

  test('what an outsider wrote is a new beginning: all that the row lacks goes on top, whatever its stamp', async () => {
    world = new StoreWorld()
    const { warp: a } = await world.join('a')
    const { warp: b } = await world.join('b', { flushDelayMs: 3_600_000 })
    await world.env.advance(5000)
    world.network.cut('a', 'b')
    await b.set('k:1', 'early')
    await world.env.advance(10)
    await a.set('k:1', 'late')
    await world.env.advance(2000)
    world.put('k:1', 'outsider')
    await a.invalidate('k:1')
    world.network.heal()
    await world.env.advance(20_000)
    expect(world.row('k:1')).toBe('early')
    for (const warp of [a, b]) expect(await read(warp, 'k:1')).toBe('early')
  })

  test('a write after a read wins, though the clock of the writer is behind', async () => {
    world = new StoreWorld()
    const { warp: a } = await world.join('a')
    const { warp: b } = await world.join('b', { offsetMs: -2300 })
    await world.env.advance(5000)
    world.network.cut('a', 'b')
    await a.set('k:1', 'read')
    await world.env.advance(2000)
    expect(await read(b, 'k:1')).toBe('read')
    await b.set('k:1', 'written')
    await world.env.advance(2000)
    expect(world.row('k:1')).toBe('written')
    world.network.heal()
    await world.env.advance(20_000)
    for (const warp of [a, b]) expect(await read(warp, 'k:1')).toBe('written')
  })

  test('a write that was flushed is not served for ever where an outsider wrote later and said so', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    await a!.set('k:1', 'w')
    await world.env.advance(500)
    world.put('k:1', 'outsider')
    await b!.invalidate('k:1')
    await world.env.advance(500)
    for (const warp of [a, b]) expect(await read(warp, 'k:1')).toBe('outsider')
  })

  test('a late write of a key that was let go is not served over a later row', async () => {
    world = new StoreWorld()
    const { warp: a } = await world.join('a')
    const { warp: b } = await world.join('b', { flushDelayMs: 3_600_000 })
    const { warp: c } = await world.join('c')
    await world.env.advance(5000)
    world.network.partition([['a'], ['b'], ['c']])
    await b.set('k:1', 'early')
    await world.env.advance(10)
    await a.set('k:1', 'late')
    await world.env.advance(2000)
    expect(await read(c, 'k:1')).toBe('late')
    c.invalidateLocal('k:1')
    world.network.heal('b', 'c')
    for (let i = 0; i < 300 && c.stats().keysCount === 0; i++) await world.env.advance(100)
    expect(c.stats().keysCount).toBe(1)
    expect(c.peek('k:1')).toBeUndefined()
    expect(await read(c, 'k:1')).toBe('late')
  })
})

describe('getOrSet before a store', () => {
  test('what the store has is not made; what it has not is made once and written', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'])
    world.put('k:1', 'row')
    let made = 0
    const make = (): string => `made ${++made}`
    expect(await a!.getOrSet('k:1', make)).toBe('row')
    const all = await Promise.all(Array.from({ length: 100 }, () => a!.getOrSet('k:2', make)))
    expect(new Set(all)).toEqual(new Set(['made 1']))
    await world.env.advance(500)
    expect(world.row('k:2')).toBe('made 1')
    expect(await b!.getOrSet('k:2', make)).toBe('made 1')
    const many = await a!.getOrSetMany(['k:1', 'k:2', 'k:3', 'k:4'], (keys) => keys.map((key) => [key, `many ${key}`]))
    expect([...many]).toEqual([
      ['k:1', 'row'],
      ['k:2', 'made 1'],
      ['k:3', 'many k:3'],
      ['k:4', 'many k:4'],
    ])
    await world.env.advance(500)
    expect(world.row('k:4')).toBe('many k:4')
    world.put('k:null', null)
    expect([...(await a!.getOrSetMany(['k:null', 'k:5'], (keys) => keys.map((key) => [key, null])))]).toEqual([
      ['k:null', null],
      ['k:5', null],
    ])
  })

  test('what was made before an invalidation is not written', async () => {
    world = new StoreWorld()
    const [a] = await world.joinAll(['a'])
    let finish = (_value: string): void => undefined
    const making = a!.getOrSet('k:1', () => new Promise<string>((resolve) => (finish = resolve)))
    await world.env.runUntilIdle()
    await a!.invalidate('k:1')
    finish('old')
    expect(await making).toBe('old')
    await world.env.advance(1000)
    expect(world.row('k:1')).toBeUndefined()
    expect(await read(a, 'k:1')).toBeUndefined()
  })
})

describe('a store that is registered later', () => {
  test('is made ready before the call settles, and a broken one is said', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    world.put('late:1', 'row')
    await warp.register('late:*', { strategy: register(), store: world.store })
    expect(await read(warp, 'late:1')).toBe('row')
    const broken = {
      ...functionStoreOf(world),
      check: () => Promise.reject(new WarpError('WARP_E_CONFIG', 'no table')),
    }
    await expect(warp.register('broken:*', { strategy: register(), store: broken })).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
  })
})

describe('a store that says no', () => {
  test('what it will never take is an event with key and dot, and goes with the next write that it takes', async () => {
    world = new StoreWorld()
    const { warp, events } = await world.join('a', { alone: true })
    world.store.refuse((_key, value) =>
      new TextDecoder().decode(value) === '"bad"' ? new Error('too bad') : undefined,
    )
    const { dot } = await warp.set('k:1', 'bad')
    await warp.set('k:2', 'good')
    await world.env.advance(2000)
    expect(events.filter(({ kind }) => kind === 'primary:rejected')).toMatchObject([{ key: 'k:1', dots: [dot] }])
    expect(world.row('k:2')).toBe('good')
    expect(warp.peek('k:1')).toBe('bad')
    await warp.set('k:1', 'better')
    await world.env.advance(2000)
    expect(world.row('k:1')).toBe('better')
  })

  test('one that fails again and again is left alone, and asked again', async () => {
    world = new StoreWorld()
    const { warp, events } = await world.join('a', { alone: true })
    world.store.set({ failure: 1 })
    for (let i = 0; i < 200; i++) {
      await warp.set(`k:${i}`, i)
      await world.env.advance(50)
    }
    const { requestsCount, isFailing } = warp.stats().stores?.[0] as { requestsCount: number; isFailing: boolean }
    expect(isFailing).toBe(true)
    expect(warp.health()).toMatchObject({ ready: true, parts: { stores: { state: 'degraded' } } })
    expect(requestsCount).toBeLessThan(20)
    world.store.set({ failure: 0 })
    await world.env.advance(60_000)
    expect(events.map(({ kind }) => kind).filter((kind) => kind.startsWith('primary:'))).toEqual([
      'primary:failing',
      'primary:recovered',
    ])
    expect(world.row('k:199')).toBe(199)
  })
})
