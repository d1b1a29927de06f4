import { describe, expect, test } from 'vitest'
import { type TestReplicas, type TestReplicasOptions, kinds, testReplicas } from '../support/replicas.ts'

/** A replica that has compacted all of its `count` operations, so that nobody can be served from its log. */
async function compacted(count: number, options: TestReplicasOptions = {}): Promise<TestReplicas> {
  const world = await testReplicas({ names: ['a'], ...options })
  const [a] = world.all
  for (let i = 0; i < count; i++) a?.store.write(`operation ${i}`)
  await world.env.advance(2000)
  a?.store.compact()
  expect(a?.store.recordCount).toBe(0)
  return world
}

const CHUNKS = { snapshotChunkBytes: 1024 }

test('a replica behind the floor is given a snapshot, and operations from then on', async () => {
  const world = await compacted(500, { replication: CHUNKS })
  const late = await world.join('late')
  await world.env.advance(3000)
  expect(late.store.dots()).toEqual(world.all[0]?.store.dots())
  expect(late.events).toContainEqual({ kind: 'resync:required', side: 'us', replica: world.all[0]?.store.replica })
  expect(kinds(late)).toContain('resync:done')
  world.all[0]?.store.write('after')
  await world.env.advance(1000)
  expect(late.store.texts()).toContain('after')
  expect(world.all[0]?.store.snapshotsTaken).toBe(1)
  await world.close()
})

test.each([1, 2, 3])('lost, repeated and reordered chunks are asked for again (seed %i)', async (seed) => {
  const faults = { seed, loss: 0.3, repeat: 0.2, reorder: 0.3, delayMs: 10 }
  const world = await compacted(2000, { ...faults, replication: CHUNKS })
  const late = await world.join('late')
  await world.env.advance(30_000)
  expect(late.store.dots()).toEqual(world.all[0]?.store.dots())
  await world.close()
})

test('what a replica wrote while it was away beyond the horizon is kept under a new identity', async () => {
  const horizon = { horizonMs: 60_000 }
  const world = await testReplicas({ names: ['a', 'b'], replication: horizon })
  const [a, b] = world.all
  if (a === undefined || b === undefined) throw new Error('two replicas')
  b.store.write('before')
  await world.env.advance(2000)
  world.network.cut('a', 'b')
  b.store.write('away')
  await world.env.advance(30_000)
  a.store.write('here')
  await world.env.advance(100_000)
  expect(kinds(a)).toContain('member:gone')
  a.store.compact()
  world.network.heal()
  await world.env.advance(10_000)
  expect(b.store.texts()).toEqual(['away', 'before', 'here'])
  expect(a.store.dots()).toEqual(b.store.dots())
  await world.close()
})

test('snapshots handed out at one time are bounded; the others come again', async () => {
  const replication = { ...CHUNKS, snapshotExportsMax: 1, requestTimeoutMs: 200, snapshotIdleMs: 2000 }
  const world = await compacted(300, { delayMs: 50, replication })
  const late = await Promise.all(['b', 'c', 'd'].map((name) => world.join(name)))
  for (let i = 0; i < 600; i++) {
    await world.env.advance(100)
    expect(world.all[0]?.replicator.stats().snapshotExports).toBeLessThanOrEqual(1)
  }
  for (const { store } of late) expect(store.dots()).toEqual(world.all[0]?.store.dots())
  await world.close()
})

describe('a peer that goes away in the middle', () => {
  test('makes the transfer fail, and the next peer completes it', async () => {
    const world = await compacted(3000, { delayMs: 100, replication: CHUNKS })
    const [a] = world.all
    const b = await world.join('b')
    await world.env.advance(60_000)
    b.store.stable = b.store.applied.copy()
    b.store.compact()
    world.network.cut('b', 'late')
    const late = await world.join('late')
    await world.env.advance(800)
    expect(kinds(late)).toContain('resync:required')
    await a?.replicator.close()
    world.network.heal()
    await world.env.advance(60_000)
    expect(kinds(late)).toContain('resync:failed')
    expect(late.store.dots()).toEqual(b.store.dots())
    await world.close()
  })

  test('leaves no export behind', async () => {
    const world = await compacted(3000, { delayMs: 100, replication: { ...CHUNKS, snapshotIdleMs: 5000 } })
    await world.join('late')
    await world.env.advance(600)
    expect(world.all[0]?.replicator.stats().snapshotExports).toBe(1)
    world.network.cut('a', 'late')
    await world.env.advance(20_000)
    expect(world.all[0]?.replicator.stats().snapshotExports).toBe(0)
    expect(world.all[0]?.store.snapshotsOpen).toBe(0)
    await world.close()
  })
})

test('an empty snapshot is a snapshot', async () => {
  const world = await testReplicas({ names: ['a'] })
  const [a] = world.all
  a?.store.write('gone')
  await world.env.advance(1000)
  a?.store.floor.raise(a.store.replica, 1)
  const empty = {
    vector: a?.store.applied.copy() ?? world.all[0]!.store.applied,
    next: () => undefined,
    close: () => undefined,
  }
  if (a !== undefined) a.store.exportSnapshot = () => empty
  const late = await world.join('late')
  await world.env.advance(3000)
  expect(kinds(late)).toContain('resync:done')
  expect(late.store.applied.get(a?.store.replica ?? late.store.replica)).toBe(1)
  await world.close()
})
