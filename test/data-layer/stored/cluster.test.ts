/** One load in the cluster, of keys with a store: replicas tell each other rows. */
import { afterEach, describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { rendezvous } from '../../../src/replication/members/rendezvous.ts'
import { StoreWorld, add, type AnyWarp } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

const NAMES = ['a', 'b', 'c'] as const
const CLUSTER = { loads: 'cluster' } as const

/** The replica that is asked for a key, and the others. */
function byOwner(warps: readonly AnyWarp[], key: string): { owner: AnyWarp; others: AnyWarp[] } {
  const named = rendezvous(key, new Set(warps.map(({ replica }) => replica)))
  return {
    owner: warps.find(({ replica }) => replica === named) as AnyWarp,
    others: warps.filter(({ replica }) => replica !== named),
  }
}

function fillsOf(warps: readonly AnyWarp[]): number {
  return warps.reduce((sum, warp) => sum + (warp.stats().copies?.fillsCount ?? 0), 0)
}

async function settled<Value>(promise: Promise<Value>, ms = 1000): Promise<Value> {
  await world.env.advance(ms)
  return promise
}

describe("loads: 'cluster' before a store", () => {
  test('a cold key is read once for all who ask on all replicas', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, CLUSTER)
    world.put('k:1', 'there')
    world.store.set({ latencyMs: 20, replyMs: 20 })
    const reads = warps.flatMap((warp) => Array.from({ length: 50 }, () => warp.get('k:1')))
    expect(new Set(await settled(Promise.all(reads)))).toEqual(new Set(['there']))
    expect(world.store.stats().reads).toBe(1)
    expect(fillsOf(warps)).toBe(2)
  })

  test('what another replica has in memory is not read again', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, CLUSTER)
    world.put('k:1', 'there')
    const { owner, others } = byOwner(warps, 'k:1')
    expect(await settled(owner.get('k:1'))).toBe('there')
    world.store.stall()
    for (const warp of others) expect(await settled(warp.get('k:1'))).toBe('there')
    expect(world.store.stats().reads).toBe(1)
  })

  test('a key that is not there is asked for by each, and found missing', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, CLUSTER)
    for (const warp of warps) expect(await settled(warp.get('k:none'))).toBeUndefined()
  })

  test('what is on its way to the store goes on top of the row, once', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, { ...CLUSTER, strategy: counter(), ttlMs: 500, flushDelayMs: 3000 })
    const { owner, others } = byOwner(warps, 'k:1')
    const [other] = others as [AnyWarp]
    await settled(add(owner, 'k:1', 5), 4000)
    expect(await settled(other.get('k:1'), 100)).toBe(5)
    await settled(add(other, 'k:1', 2), 600)
    const before = fillsOf([other])
    expect(await settled(other.get('k:1'), 100)).toBe(7)
    expect(fillsOf([other])).toBe(before + 1)
    expect(world.row('k:1')).toBe(5)
    await world.env.advance(20_000)
    expect(world.row('k:1')).toBe(7)
    for (const warp of warps) expect(await settled(warp.get('k:1'))).toBe(7)
  })

  test('an invalidation that the load had not seen voids what another replica tells', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, CLUSTER)
    world.put('k:1', 'old')
    const { owner, others } = byOwner(warps, 'k:1')
    const [other] = others as [AnyWarp]
    expect(await settled(owner.get('k:1'))).toBe('old')
    // The owner does not hear of it.
    const nameOf = (warp: AnyWarp): string => world.members.find((member) => member.warp === warp)?.name as string
    world.network.cut(nameOf(owner), nameOf(other))
    for (const third of others.slice(1)) world.network.cut(nameOf(owner), nameOf(third))
    world.put('k:1', 'new')
    await settled(other.invalidate('k:1'))
    world.network.heal()
    expect(await settled(other.get('k:1'))).toBe('new')
    expect(await settled(owner.get('k:1'))).toBe('new')
  })

  test('getOrSet makes what neither another replica nor the store has', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, CLUSTER)
    const { others } = byOwner(warps, 'k:1')
    const [other] = others as [AnyWarp]
    expect(await settled(other.getOrSet('k:1', () => 'made'))).toBe('made')
    await world.env.advance(1000)
    expect(world.row('k:1')).toBe('made')
    world.put('k:2', 'there')
    const { others: ofSecond } = byOwner(warps, 'k:2')
    expect(await settled((ofSecond[0] as AnyWarp).getOrSet('k:2', () => 'made'))).toBe('there')
  })

  test('what is told lives no longer than the copy that it was made of', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, { ...CLUSTER, ttlMs: 10_000 })
    world.put('k:1', 'first')
    const { owner, others } = byOwner(warps, 'k:1')
    const [other] = others as [AnyWarp]
    await settled(owner.get('k:1'), 9000)
    expect(await settled(other.get('k:1'), 500)).toBe('first')
    world.put('k:1', 'second')
    await world.env.advance(2000)
    expect(await settled(other.get('k:1'))).toBe('second')
  })

  test('an owner that cannot reach the store says so, and who asked tries itself', async () => {
    world = new StoreWorld()
    const warps = await world.joinAll(NAMES, { ...CLUSTER, clusterWaitMs: 300, hardTimeoutMs: 2000 })
    world.put('k:1', 'there')
    world.store.stall()
    const reads = Promise.all(warps.map((warp) => warp.get('k:1')))
    await world.env.advance(1000)
    world.store.resume()
    expect(await settled(reads, 5000)).toEqual(['there', 'there', 'there'])
  })
})
