import { expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'

test('while a loop writes as fast as it can, the event loop turns often enough for the store and the log', async () => {
  const store = memoryStore()
  const warp = await openWarp({ keys: { 'k:*': { strategy: register<number>(), store } }, copies: { entriesMax: 100 } })
  // All of them wait, however fast the machine is.
  store.stall()
  let turns = 0
  let isOver = false
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  for (let i = 0; i < 2000; i++) await warp.set(`k:${i}`, i)
  turn()
  for (let i = 2000; i < 22_000; i++) await warp.set(`k:${i}`, i)
  isOver = true
  // Without a care for those that wait there are some forty.
  expect(turns).toBeGreaterThan(150)
  store.resume()
  await warp.close()
})
