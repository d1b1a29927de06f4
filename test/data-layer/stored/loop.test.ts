import { expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'

test('while a loop writes as fast as it can, the event loop turns often enough for the store and the log', async () => {
  const store = memoryStore()
  const warp = await openWarp({
    keys: { 'k:*': { strategy: register<number>(), store } },
    copies: { entriesMax: 100 },
  })
  let most = 0
  for (let i = 0; i < 30_000; i++) {
    await warp.set(`k:${i}`, i)
    if (i % 1000 === 999) most = Math.max(most, warp.stats().stores?.[0]?.unstoredKeysCount ?? Infinity)
  }
  expect(most).toBeLessThan(12_000)
  await warp.close()
  expect(store.size).toBe(30_000)
})
