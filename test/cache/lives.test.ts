/** Lives of single writes, by their own `ttlMs`. How folds treat them: property-tests/fold.property.test.ts. */
import { describe, expect, test } from 'vitest'
import { LIFE_MS_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { EXPIRY_TICK_MS } from '../../src/cache/expiry.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine } from '../engine/engine-fixture.ts'

function setFor(engine: TestEngine, key: string, value: unknown, ttlMs: number): Promise<unknown> {
  return engine.write(key, 'set', [value], { ttlMs })
}

describe('a write that says how long it lives', () => {
  test('is gone when that has passed, in a key whose pattern says nothing', async () => {
    const engine = await TestEngine.open()
    await setFor(engine, 'reg:1', 'x', 1000)
    expect(engine.get('reg:1')).toBe('x')
    await engine.env.advance(999)
    expect(engine.get('reg:1')).toBe('x')
    await engine.env.advance(1 + EXPIRY_TICK_MS)
    expect(engine.get('reg:1')).toBeUndefined()
  })

  test('outlives or falls short of what the pattern says', async () => {
    const engine = await TestEngine.open()
    await setFor(engine, 'ttl:long', 'x', 5000)
    await setFor(engine, 'ttl:short', 'x', 100)
    await engine.env.advance(100 + EXPIRY_TICK_MS)
    expect([engine.get('ttl:long'), engine.get('ttl:short')]).toEqual(['x', undefined])
    await engine.env.advance(4000)
    expect(engine.get('ttl:long')).toBe('x')
    await engine.env.advance(1000)
    expect(engine.get('ttl:long')).toBeUndefined()
  })

  test('is followed by one that lives as the pattern says: for ever, if that says nothing', async () => {
    const engine = await TestEngine.open()
    await setFor(engine, 'reg:1', 'x', 100)
    await engine.set('reg:1', 'y')
    await setFor(engine, 'ttl:1', 'x', 10_000)
    await engine.set('ttl:1', 'y')
    await engine.env.advance(1000 + EXPIRY_TICK_MS)
    expect([engine.get('reg:1'), engine.get('ttl:1')]).toEqual(['y', undefined])
    await engine.env.advance(1_000_000)
    expect(engine.get('reg:1')).toBe('y')
  })

  test('begins the next life from nothing once it is over', async () => {
    const engine = await TestEngine.open()
    await engine.write('count:1', 'increment', [5], { ttlMs: 100 })
    await engine.env.advance(100)
    await engine.write('count:1', 'increment', [1])
    expect(engine.get('count:1')).toBe(1)
    await engine.write('count:1', 'increment', [1], { ttlMs: 100 })
    await engine.env.advance(99)
    await engine.write('count:1', 'increment', [1])
    expect(engine.get('count:1')).toBe(3)
  })

  test('ends everywhere alike, whatever the pattern says there', async () => {
    const env = virtualEnv()
    const [a, b] = [
      await TestEngine.open({ env: env.fork({ label: 'a' }) }),
      await TestEngine.open({ env: env.fork({ label: 'b' }) }),
    ]
    await a.write('count:1', 'increment', [5], { ttlMs: 100 })
    await exchange(a, b)
    await a.env.advance(100)
    await b.env.advance(100)
    expect([a.get('count:1'), b.get('count:1')]).toEqual([undefined, undefined])
    await b.write('count:1', 'increment', [2])
    await exchange(a, b)
    expect([a.get('count:1'), b.get('count:1')]).toEqual([2, 2])
  })

  test('outlives compaction, checkpoints and reopening with its life, and is forgotten after it', async () => {
    const env = virtualEnv()
    const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
    let engine = await TestEngine.open({ env, files })
    for (const key of ['reg:1', 'count:1']) {
      const [verb, value] = key === 'reg:1' ? ['set', 'x'] : ['increment', 1]
      for (let i = 0; i < 3; i++) await engine.write(key, verb, [value], { ttlMs: 1000 })
    }
    await engine.engine.compact()
    // From the snapshots, then from the checkpoint alone.
    for (let i = 0; i < 2; i++) {
      await engine.close()
      engine = await TestEngine.open({ env, files })
      expect([engine.get('reg:1'), engine.get('count:1')]).toEqual(['x', 3])
    }
    await env.advance(1000 + EXPIRY_TICK_MS)
    expect([engine.get('reg:1'), engine.get('count:1')]).toEqual([undefined, undefined])
    await engine.engine.compact()
    expect(engine.engine.store.keys.find('reg:1')).toBeUndefined()
    await engine.write('count:1', 'increment', [7])
    expect(engine.get('count:1')).toBe(7)
  })

  test('is in the history with its life, and in what the key was then', async () => {
    const engine = await TestEngine.open({ retain: 'all' })
    await setFor(engine, 'reg:1', 'x', 1000)
    const timeMs = engine.env.now()
    await engine.env.advance(5000)
    expect(await engine.history.getAt('reg:1', { timeMs: timeMs + 999 })).toBe('x')
    expect(await engine.history.getAt('reg:1', { timeMs: timeMs + 1000 })).toBeUndefined()
  })

  test.each([0, 0.5, -1, NaN, LIFE_MS_MAX + 1])('of %d ms is refused, and nothing is written', async (ttlMs) => {
    const engine = await TestEngine.open()
    await expect(setFor(engine, 'reg:1', 'x', ttlMs)).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
    expect(engine.version('reg:1')).toBe(0)
  })

  test('and deletes is refused', async () => {
    const engine = await TestEngine.open()
    await engine.set('reg:1', 'x')
    await expect(engine.write('reg:1', 'delete', [], { ttlMs: 5 })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    expect(engine.get('reg:1')).toBe('x')
  })
})
