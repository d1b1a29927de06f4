import { expect, test } from 'vitest'
import { AskedPings } from '../../../adapters/mesh/membership/asked.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

test('an answer counts once, and only from the one who was asked', () => {
  const asked = new AskedPings(virtualEnv())
  const sequence = asked.add({ of: 'a', about: 'c' })
  expect(asked.answered('b', sequence)).toBeUndefined()
  expect(asked.answered('a', sequence + 1)).toBeUndefined()
  expect(asked.answered('a', sequence)).toMatchObject({ of: 'a', about: 'c' })
  expect(asked.answered('a', sequence)).toBeUndefined()
})

test('an answer after ten seconds says nothing', async () => {
  const env = virtualEnv()
  const asked = new AskedPings(env)
  const sequence = asked.add({ of: 'a' })
  await env.advance(10_001)
  expect(asked.answered('a', sequence)).toBeUndefined()
})

test('what nobody answers is forgotten: by age, and by number', async () => {
  const env = virtualEnv()
  const asked = new AskedPings(env)
  for (let i = 0; i < 100; i++) asked.add({ of: 'a' })
  await env.advance(10_001)
  asked.add({ of: 'a' })
  expect(asked.count).toBe(1)
  for (let i = 0; i < 20_000; i++) asked.add({ of: 'a' })
  expect(asked.count).toBe(8192)
})

test('sequences go on beyond 2^32', () => {
  const asked = new AskedPings({ ...virtualEnv(), random: () => Uint8Array.of(255, 255, 255, 255) })
  expect([asked.add({ of: 'a' }), asked.add({ of: 'a' })]).toEqual([0, 1])
})
