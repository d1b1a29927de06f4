import { expect, test } from 'vitest'
import { type TestReplicas, testReplicas } from '../support/replicas.ts'

/** So long that what is sent within a test is sent for a reason. */
const INTERVAL_MS = 600_000
const SPACING_MS = INTERVAL_MS / 4

function sentFrames({ all }: TestReplicas): number[] {
  return all.map(({ replicator }) => replicator.stats().sentFrames)
}

test('of a write only its writer tells soon: the others apply it and wait for their next digest', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `r${i}`)
  const world = await testReplicas({ names, replication: { digestIntervalMs: INTERVAL_MS } })
  await world.env.advance(SPACING_MS + 1000)
  const before = sentFrames(world)
  world.all[0]?.store.write('news')
  await world.env.advance(1000)
  for (const { store } of world.all) expect(store.texts()).toContain('news')
  // The operation, and a digest for whoever did not get it.
  expect(sentFrames(world).map((count, i) => count - (before[i] ?? 0))).toEqual([2, 0, 0, 0, 0, 0, 0, 0])
  await world.close()
})

test('what a lost broadcast held is asked for soon, because the digest behind it tells of it', async () => {
  const world = await testReplicas({ names: ['a', 'b'], replication: { digestIntervalMs: INTERVAL_MS } })
  await world.env.advance(SPACING_MS + 1000)
  world.network.partition([['a'], ['b']])
  world.all[0]?.store.write('news')
  await world.env.advance(10)
  world.network.heal()
  await world.env.advance(1000)
  expect(world.all[1]?.store.texts()).toContain('news')
  await world.close()
})
