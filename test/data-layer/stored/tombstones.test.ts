/** Rows of deleted keys leave the store, and not before nothing can need them. */
import { afterEach, expect, test } from 'vitest'
import { StoreWorld, type AnyWarp, type JoinOptions } from './world.ts'

const TOMBSTONE_MS = 60_000
const OPTIONS: JoinOptions = { tombstoneMs: TOMBSTONE_MS }
const never = { signal: new AbortController().signal }

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

function isThere(key: string): boolean {
  return world.store.row(key) !== undefined
}

function purgedCount(warp: AnyWarp): number | undefined {
  return warp.stats().stores?.[0]?.purgedCount
}

async function deleted(options: JoinOptions = {}): Promise<AnyWarp[]> {
  world = new StoreWorld()
  const all = await world.joinAll(['a', 'b'], { ...OPTIONS, ...options })
  const [a] = all as [AnyWarp]
  await a.set('k:1', 1)
  await world.env.advance(1000)
  await a.delete('k:1')
  await world.env.advance(1000)
  expect(world.store.row('k:1')).toMatchObject({ value: undefined })
  return all
}

test.each(['behind', 'through'] as const)(
  'written %s: not before the time is over, and soon after it',
  async (writes) => {
    const [a, b] = (await deleted({ writes })) as [AnyWarp, AnyWarp]
    await world.env.advance(TOMBSTONE_MS - 3000)
    expect(isThere('k:1')).toBe(true)
    await world.env.advance(5000)
    expect(isThere('k:1')).toBe(false)
    expect((purgedCount(a) ?? 0) + (purgedCount(b) ?? 0)).toBe(1)
    await a.set('k:1', 2)
    await world.env.advance(1000)
    expect([world.row('k:1'), await b.get('k:1')]).toEqual([2, 2])
  },
)

test('a key that has a value again stays', async () => {
  const [a] = (await deleted()) as [AnyWarp]
  await a.set('k:1', 2)
  await world.env.advance(2 * TOMBSTONE_MS)
  expect(world.row('k:1')).toBe(2)
  expect(purgedCount(a)).toBe(0)
})

test.each(['behind', 'through'] as const)(
  'written %s: as long as a replica has not heard of the delete, its row stays',
  async (writes) => {
    world = new StoreWorld()
    const [a] = (await world.joinAll(['a', 'b'], { ...OPTIONS, writes })) as [AnyWarp]
    await a.set('k:1', 1)
    await world.env.advance(1000)
    world.network.cut('a', 'b')
    await a.delete('k:1')
    await world.env.advance(3 * TOMBSTONE_MS)
    expect(world.store.row('k:1')).toMatchObject({ value: undefined })
    world.network.heal()
    await world.env.advance(2 * TOMBSTONE_MS)
    expect(isThere('k:1')).toBe(false)
  },
)

test('a process that starts later finds those that nobody remembers, and leaves alone what is none of its keys', async () => {
  const [a, b] = (await deleted()) as [AnyWarp, AnyWarp]
  const row = world.store.row('k:1')
  if (row === undefined) throw new Error('there is no row')
  await world.store.compareAndSet([{ key: 'others', expected: undefined, next: row }], never)
  await Promise.all([a.close(), b.close(), world.env.advance(5000)])
  world.members.length = 0
  await world.join('c', { ...OPTIONS, alone: true })
  await world.env.advance(TOMBSTONE_MS * 1.5)
  expect(isThere('k:1')).toBe(true)
  await world.env.advance(TOMBSTONE_MS)
  expect([isThere('k:1'), isThere('others')]).toEqual([false, true])
})

test('a store that does not answer is asked again', async () => {
  const [a] = (await deleted()) as [AnyWarp]
  world.store.stall()
  await world.env.advance(TOMBSTONE_MS * 2)
  world.store.resume()
  await world.env.advance(TOMBSTONE_MS * 2)
  expect(isThere('k:1')).toBe(false)
  expect(a.health().live).toBe(true)
})

test('many go in batches, and infinity keeps all', async () => {
  world = new StoreWorld()
  const { warp } = await world.join('a', { ...OPTIONS, alone: true })
  const keys = Array.from({ length: 450 }, (_, at) => `k:${at}`)
  for (const key of keys) await warp.set(key, 1)
  await world.env.advance(1000)
  for (const key of keys) await warp.delete(key)
  await world.env.advance(1000)
  expect(world.store.size).toBe(450)
  await world.env.advance(TOMBSTONE_MS)
  expect([world.store.size, purgedCount(warp)]).toEqual([0, 450])
  await world.close()

  world = new StoreWorld()
  const { warp: keeper } = await world.join('b', { tombstoneMs: Infinity, alone: true })
  await keeper.delete('k:1')
  await world.env.advance(10 * 86_400_000)
  expect(isThere('k:1')).toBe(true)
})

test.each([0, 999, Number.NaN, '5'])('%s is no time', async (tombstoneMs) => {
  world = new StoreWorld()
  const joining = world.join('a', { alone: true, tombstoneMs: tombstoneMs as number })
  await expect(joining).rejects.toMatchObject({
    code: 'WARP_E_CONFIG',
    message: expect.stringContaining('tombstoneMs'),
  })
})
