/** Who brings a write to the store tells the others, so that they need not look at the row. */
import { afterEach, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { StoreWorld, add, type AnyWarp } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

function waitingOf(warps: readonly AnyWarp[]): number[] {
  return warps.map((warp) => warp.stats().stores?.[0]?.unstoredKeysCount ?? 0)
}

test.each(['behind', 'through'] as const)('written %s, a row is read by its writer alone', async (writes) => {
  world = new StoreWorld()
  const warps = await world.joinAll(['a', 'b', 'c'], { writes })
  const [a] = warps as [AnyWarp]
  for (let i = 0; i < 300; i++) {
    const writing = a.set(`k:${i}`, i)
    await world.env.advance(10)
    await writing
  }
  await world.env.advance(20_000)
  expect(world.store.size).toBe(300)
  expect(world.store.stats().readKeys).toBe(300)
  expect(waitingOf(warps)).toEqual([0, 0, 0])
})

test('what is in the store leaves the log of those who were only told of it', async () => {
  world = new StoreWorld()
  const warps = await world.joinAll(['a', 'b'], { strategy: counter() })
  const [a, b] = warps as [AnyWarp, AnyWarp]
  for (let i = 0; i < 100; i++) await add(a, `k:${i}`, i)
  await world.env.advance(20_000)
  for (const warp of warps) await warp.compact()
  expect([a, b].map((warp) => warp.stats().log.operationsCount)).toEqual([0, 0])
  const read = b.get('k:7')
  await world.env.advance(100)
  expect(await read).toBe(7)
})

test('who has not been told looks at the row, and brings there what is missing', async () => {
  world = new StoreWorld()
  const warps = await world.joinAll(['a', 'b'], { flushDelayMs: 200 })
  const [a, b] = warps as [AnyWarp, AnyWarp]
  await a.set('k:1', 'told')
  await a.set('k:2', 'lost')
  await world.env.advance(100)
  world.network.cut('a', 'b')
  await world.env.advance(1000)
  expect(waitingOf([b])).toEqual([2])
  await world.env.advance(20_000)
  expect(waitingOf([b])).toEqual([0])
  expect([world.row('k:1'), world.row('k:2')]).toEqual(['told', 'lost'])
})

test('a row that lacks a write is looked at all the same', async () => {
  world = new StoreWorld()
  const { warp: a } = await world.join('a', { strategy: counter(), flushDelayMs: 200 })
  const { warp: b } = await world.join('b', { strategy: counter(), flushDelayMs: 60_000 })
  const { warp: c } = await world.join('c', { strategy: counter() })
  await world.env.advance(5000)
  await add(a, 'k:1', 1)
  await world.env.advance(20)
  // What b writes does not come to a in time, which tells c of the row without it.
  world.network.partition([['a'], ['b', 'c']])
  await add(b, 'k:1', 2)
  await world.env.advance(170)
  world.network.heal()
  await world.env.advance(70)
  expect(world.row('k:1')).toBe(1)
  expect(waitingOf([c])).toEqual([1])
  await world.env.advance(20_000)
  expect(world.row('k:1')).toBe(3)
  expect(waitingOf([a, c])).toEqual([0, 0])
})
