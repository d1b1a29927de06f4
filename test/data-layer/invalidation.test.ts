import { afterEach, describe, expect, test } from 'vitest'
import { SourceWorld, type AnyWarp } from './world.ts'

let world: SourceWorld

afterEach(async () => {
  await world.close()
})

async function replicas(options: Parameters<SourceWorld['join']>[1] = {}): Promise<[AnyWarp, AnyWarp]> {
  world = new SourceWorld()
  const [a, b] = await world.joinAll(['a', 'b'], options)
  return [a as AnyWarp, b as AnyWarp]
}

/** The source changes, as others change it. */
function outsider(key: string, value: unknown): void {
  world.source.set(key, value)
}

function copiesOf(warp: AnyWarp): number {
  return warp.stats().copies?.copiesCount ?? 0
}

describe('an invalidation', () => {
  test('of a key makes it void on every replica', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    expect([await a.get('k:1'), await b.get('k:1')]).toEqual(['old', 'old'])
    outsider('k:1', 'new')
    await a.invalidate('k:1')
    expect(await a.get('k:1')).toBe('new')
    await world.env.advance(1000)
    expect(b.peek('k:1')).toBeUndefined()
    expect(await b.get('k:1')).toBe('new')
    expect(await b.get('k:1')).toBe('new')
    expect(world.loadsOf('k:1')).toBe(4)
  })

  test('of a pattern is one operation, and keys that do not match stay', async () => {
    const [a, b] = await replicas()
    for (let i = 0; i < 100; i++) outsider(`k:${i}`, 'old')
    for (let i = 0; i < 100; i++) await b.get(`k:${i}`)
    const operations = a.stats().operations
    await a.invalidate('k:1*')
    expect(a.stats().log.operationsCount).toBe(0)
    expect(operations).toEqual(a.stats().operations)
    await world.env.advance(1000)
    for (let i = 0; i < 100; i++) expect(b.peek(`k:${i}`)).toBe(String(i).startsWith('1') ? undefined : 'old')
  })

  test('of a tag makes void what was loaded with it, by whatever said so', async () => {
    const [a, b] = await replicas({ tags: (_key: string, value: unknown) => [`kind:${String(value)}`] })
    outsider('k:1', 'x')
    outsider('k:2', 'y')
    await b.get('k:1')
    await b.get('k:2')
    await b.getOrSet('k:3', () => 'z', { tags: ['kind:x'] })
    await a.invalidateTag('kind:x')
    await world.env.advance(1000)
    expect([b.peek('k:1'), b.peek('k:2'), b.peek('k:3')]).toEqual([undefined, 'y', undefined])
  })

  test('of this replica alone is not heard by others', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    await a.get('k:1')
    await b.get('k:1')
    a.invalidateLocal('k:*')
    await world.env.advance(1000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual([undefined, 'old'])
  })

  test('N2: once its promise has settled, with the others asked, no read that begins later sees the old value', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    await b.get('k:1')
    outsider('k:1', 'new')
    let isDone = false
    const invalidated = a.invalidate('k:1', { acks: { replicas: 2, level: 'memory', timeoutMs: 5000 } })
    void invalidated.then(() => (isDone = true))
    while (!isDone) await world.env.advance(10)
    expect(await invalidated).toMatchObject({ acks: { replicas: 2 } })
    expect(await b.get('k:1')).toBe('new')
  })
})

describe('a load counts from where it began', () => {
  test('B: the answer of a load that began before is kept nowhere', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    world.isHolding = true
    const read = a.get('k:1')
    await world.env.runUntilIdle()
    outsider('k:1', 'new')
    await b.invalidate('k:1')
    await world.env.advance(1000)
    await world.held[0]?.answer()
    // Who asked before is given the answer.
    expect(await read).toBe('old')
    world.isHolding = false
    expect(copiesOf(a)).toBe(0)
    expect(await a.get('k:1')).toBe('new')
  })

  test('C5: who comes after an invalidation does not join a load that began before', async () => {
    const [a] = await replicas()
    outsider('k:1', 'old')
    world.isHolding = true
    const before = a.get('k:1')
    await world.env.runUntilIdle()
    outsider('k:1', 'new')
    await a.invalidate('k:1')
    const after = a.get('k:1')
    await world.env.runUntilIdle()
    expect(world.held).toHaveLength(2)
    await world.held[0]?.answer()
    await world.held[0]?.answer()
    expect([await before, await after]).toEqual(['old', 'new'])
    expect(await a.get('k:1')).toBe('new')
  })

  test.each([
    ['pattern', (warp: AnyWarp) => warp.invalidate('k:*')],
    ['tag', (warp: AnyWarp) => warp.invalidateTag('all')],
  ])('the same of a %s', async (_, invalidate) => {
    const [a] = await replicas({ tags: () => ['all'] })
    outsider('k:1', 'old')
    world.isHolding = true
    const before = a.get('k:1')
    await world.env.runUntilIdle()
    outsider('k:1', 'new')
    await invalidate(a)
    const after = a.get('k:1')
    await world.env.runUntilIdle()
    while (world.held.length > 0) await world.held[0]?.answer()
    expect([await before, await after]).toEqual(['old', 'new'])
    expect(a.peek('k:1')).toBe('new')
  })

  test('I: clocks have no say: a load that was begun before, with a clock ahead, is void', async () => {
    const [a, b] = await replicas({ tags: () => ['all'] })
    outsider('k:1', 'old')
    world.network.partition([['a'], ['b']])
    world.isHolding = true
    const read = b.get('k:1')
    await world.env.advance(400)
    outsider('k:1', 'new')
    await a.invalidateTag('all')
    await world.held[0]?.answer()
    expect(await read).toBe('old')
    expect(b.peek('k:1')).toBe('old')
    world.network.heal()
    await world.env.advance(5000)
    expect(b.peek('k:1')).toBeUndefined()
  })

  test('D: a replica that was cut off hears what it has missed', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    await b.get('k:1')
    world.network.partition([['a'], ['b']])
    outsider('k:1', 'new')
    await a.invalidate('k:1')
    await world.env.advance(60_000)
    expect(b.peek('k:1')).toBe('old')
    world.network.heal()
    await world.env.advance(1500)
    expect(await b.get('k:1')).toBe('new')
  })

  test('a failed load after an invalidation gives the error, and the void copy only where the keyspace says so', async () => {
    for (const staleAfterInvalidation of [false, true]) {
      const [a] = await replicas({ staleMs: 60_000, staleAfterInvalidation })
      outsider('k:1', 'old')
      await a.get('k:1')
      await a.invalidate('k:1')
      world.failure = new Error('down')
      if (staleAfterInvalidation) expect(await a.get('k:1')).toBe('old')
      else await expect(a.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
      await world.env.advance(2000)
      await a.clear('k:*')
      await expect(a.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
      if (!staleAfterInvalidation) await world.close()
    }
  })

  test('more invalidations than are remembered cost loads, and nothing void is served', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    outsider('k:x', 'old')
    await b.get('k:1')
    outsider('k:1', 'new')
    await a.invalidate('k:1?')
    await a.invalidate('k:?')
    for (let i = 0; i < 3000; i++) a.invalidate(`k:no-such-${i}*`).catch(() => undefined)
    await world.env.advance(5000)
    expect(b.stats().copies?.rememberedInvalidationsCount).toBeLessThanOrEqual(1024)
    expect(b.peek('k:1')).toBeUndefined()
    expect(await b.get('k:1')).toBe('new')
    expect(b.peek('k:1')).toBe('new')
  })
})

describe('what is written to keys that load', () => {
  test('A: a load that was under way when the write entered is not kept', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    world.isHolding = true
    const read = b.get('k:1')
    await world.env.runUntilIdle()
    outsider('k:1', 'new')
    await a.set('k:1', 'new')
    await world.env.advance(150)
    expect(b.peek('k:1')).toBe('new')
    await world.held[0]?.answer()
    expect(await read).toBe('old')
    expect(b.peek('k:1')).toBe('new')
    await world.env.advance(500)
    expect(await b.get('k:1')).toBe('new')
  })

  test('the writer reads its write at once, everybody soon, without a load', async () => {
    const [a, b] = await replicas({ ttlMs: 60_000 })
    await a.set('k:1', { n: 1 })
    expect(await a.get('k:1')).toEqual({ n: 1 })
    await world.env.advance(1000)
    expect(await b.get('k:1')).toEqual({ n: 1 })
    expect(world.loads).toEqual([])
    await world.env.advance(60_000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual([undefined, undefined])
  })

  test('of two writes that had not seen each other neither is believed', async () => {
    const [a, b] = await replicas()
    world.network.partition([['a'], ['b']])
    await a.set('k:1', 'a')
    await b.set('k:1', 'b')
    outsider('k:1', 'b')
    world.network.heal()
    await world.env.advance(5000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual([undefined, undefined])
    expect([await a.get('k:1'), await b.get('k:1')]).toEqual(['b', 'b'])
    await a.set('k:1', 'c')
    await world.env.advance(1000)
    expect(b.peek('k:1')).toBe('c')
  })

  test('a write whose writer had not seen an invalidation is void wherever that is known', async () => {
    const [a, b] = await replicas()
    world.network.partition([['a'], ['b']])
    await a.set('k:1', 'a')
    outsider('k:1', 'newer')
    await b.invalidate('k:*')
    world.network.heal()
    await world.env.advance(5000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual([undefined, undefined])
    expect([await a.get('k:1'), await b.get('k:1')]).toEqual(['newer', 'newer'])
  })

  test('a write after an invalidation that its writer had seen stays', async () => {
    const [a, b] = await replicas()
    await a.invalidate('k:*')
    await world.env.advance(1000)
    await b.set('k:1', 'b')
    await world.env.advance(1000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual(['b', 'b'])
  })

  test('a delete makes the copy go everywhere, also of a key that has only been loaded', async () => {
    const [a, b] = await replicas()
    outsider('k:1', 'old')
    await a.get('k:1')
    await b.get('k:1')
    world.source.delete('k:1')
    await a.delete('k:1')
    await world.env.advance(1000)
    expect([a.peek('k:1'), b.peek('k:1')]).toEqual([undefined, undefined])
    expect(await b.get('k:1')).toBeUndefined()
  })
})
