import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

test('a closed engine leaves no timer behind that would keep it in memory', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys: { 'user:*': { strategy: register<number>(), retain: 'latest' } }, env })
  const before = env.timerCount
  for (let i = 0; i < 5000; i++) warp.write('user:1', i)
  expect(env.timerCount).toBeGreaterThan(before)
  await warp.close()
  expect(env.timerCount).toBe(0)
})
