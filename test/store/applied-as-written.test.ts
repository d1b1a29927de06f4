/** What a replica writes to a key of `redis()` is applied without being read back, once, and as a fold does it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { redis } from '../../crdt/index.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import type { RedisState } from '../../crdt/redis/state.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { anything } from '../../property-tests/redis-intents.ts'
import { SEED } from '../../property-tests/seed.ts'
import { openEngine } from '../support/open-engine.ts'

const strategy = redis()

function encoded(state: unknown): string {
  return Buffer.from(encode(strategy.encodeState(state as RedisState))).toString('hex')
}

test('after each write the state is the one that a fold of all operations makes', async () => {
  const { engine, write } = await openEngine({ '*': strategy })
  const { store } = engine
  let writtenCount = 0
  for (const [i, { verb, parameters }] of fc.sample(anything, { numRuns: 600, seed: SEED }).entries()) {
    const key = `key:${i % 3}`
    const written = await write(key, verb, ...parameters).catch((error: unknown) => {
      if (!isWarpError(error)) throw error
    })
    const slot = store.keys.find(key)
    if (slot === undefined) continue
    if (written?.dot !== undefined) writtenCount++
    if (i % 4 !== 0) continue
    const applied = encoded(store.values.resident(slot).state)
    store.values.drop(slot)
    expect(applied).toBe(encoded(store.values.resident(slot).state))
  }
  expect(writtenCount).toBeGreaterThan(200)
  await engine.close()
})

test('a watcher that reads while the write is told of does not make it count twice', async () => {
  const { engine, write } = await openEngine({ '*': strategy })
  const { store } = engine
  store.subscribe(({ slot }) => void store.values.resident(slot))
  for (let i = 0; i < 5; i++) await write('n', 'add', 1, 1)
  await write('l', 'push', 1, { to: 'right', values: ['a'] })
  await write('l', 'push', 1, { to: 'right', values: ['b'] })
  expect(strategy.read(store.values.resident(store.keys.find('n') as number).state as RedisState)).toBe('5')
  expect(strategy.read(store.values.resident(store.keys.find('l') as number).state as RedisState)).toEqual(['a', 'b'])
  await engine.close()
})
