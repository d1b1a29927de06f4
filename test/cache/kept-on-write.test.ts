/** A text, number or boolean that is written to a register is at hand for the next read. */
import { expect, test } from 'vitest'
import { EXPIRY_TICK_MS } from '../../src/cache/expiry.ts'
import { register } from '../../crdt/register.ts'
import { openEngine, type OpenEngine } from '../support/open-engine.ts'

const SCALARS = ['text', 'ein wörtchen 🜁', '', 1, -1, 0.1, 2 ** 60, Number.MAX_VALUE, Infinity, NaN, true, false]

async function opened(options: Parameters<typeof openEngine>[1] = {}): Promise<OpenEngine & { misses(): number }> {
  const one = await openEngine({ 'k:*': register<unknown>(), 'short:*': { strategy: register(), ttlMs: 50 } }, options)
  return { ...one, misses: () => one.engine.store.values.misses }
}

function setValue({ engine: { store } }: OpenEngine, key: string, value: unknown, lifeMs = 0): void {
  store.appendValue(key, store.keyspaceOf(key), store.keys.find(key), value, lifeMs)
}

test('what has been read is not decoded again after it has been written', async () => {
  const one = await opened()
  setValue(one, 'k:1', 'first')
  expect(one.read('k:1')).toBe('first')
  const before = one.misses()
  for (const value of SCALARS) {
    setValue(one, 'k:1', value)
    expect(one.read('k:1')).toBe(value)
  }
  expect(one.misses()).toBe(before)
})

test('what nobody reads takes no place in the cache', async () => {
  const one = await opened()
  setValue(one, 'k:1', 'first')
  setValue(one, 'k:1', 'second')
  expect(one.engine.store.values.residency.count).toBe(0)
})

test('what its encoding gives back otherwise is decoded: -0 is read as 0, an object is not the one that was written', async () => {
  const one = await opened()
  setValue(one, 'k:1', 1)
  one.read('k:1')
  setValue(one, 'k:1', -0)
  expect(one.read('k:1')).toBe(0)
  const written = { a: [1] }
  setValue(one, 'k:1', written)
  written.a.push(2)
  expect(one.read('k:1')).toEqual({ a: [1] })
})

test('a value that lives for a time of its own, or of its pattern, ends', async () => {
  const one = await opened()
  for (const [key, lifeMs] of [
    ['short:1', 0],
    ['k:1', 50],
  ] as const) {
    setValue(one, key, 'first', lifeMs)
    one.read(key)
    // An object goes cold, so nobody waits for the end of its life.
    setValue(one, key, {}, lifeMs)
    await one.env.advance(50 + 2 * EXPIRY_TICK_MS)
    setValue(one, key, 'second', lifeMs)
    expect(one.read(key)).toBe('second')
    await one.env.advance(50 + 2 * EXPIRY_TICK_MS)
    expect(one.read(key)).toBeUndefined()
  }
})

test('a cache that is bounded in bytes weighs what is written', async () => {
  const one = await opened({ cache: { bytesMax: 1000 } })
  setValue(one, 'k:1', 'x')
  one.read('k:1')
  setValue(one, 'k:1', 'x'.repeat(2000))
  expect(one.read('k:1')).toBe('x'.repeat(2000))
  expect(one.engine.store.values.residency.bytes).toBeLessThan(1000)
})
