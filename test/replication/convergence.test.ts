import { FRAME_BYTES_MAX } from '../../src/limits.ts'
import { expect, test } from 'vitest'
import { NaiveStore } from '../support/naive-store.ts'
import { type TestReplica, type TestReplicas, kinds, testReplicas } from '../support/replicas.ts'

const ROUND_MS = 1000

function get({ all }: TestReplicas, name: string): TestReplica {
  const replica = all.find((candidate) => candidate.name === name)
  if (replica === undefined) throw new Error(`no replica ${name}`)
  return replica
}

function writeMany(replica: TestReplica, count: number, label = replica.name): void {
  for (let i = 0; i < count; i++) replica.store.write(`${label}${i}`)
}

function expectEqual({ all }: TestReplicas, count: number): void {
  const [first, ...rest] = all
  expect(first?.store.texts()).toHaveLength(count)
  for (const { store } of rest) expect(store.dots()).toEqual(first?.store.dots())
}

test('what one replica writes the others have at once, without asking', async () => {
  const world = await testReplicas()
  await world.env.advance(100)
  writeMany(get(world, 'a'), 50)
  await world.env.runUntilIdle()
  expectEqual(world, 50)
  expect(get(world, 'b').replicator.stats().requests).toBe(0)
  await world.close()
})

test.each([1, 2, 3, 4, 5])(
  'loss of 30 %, repetition, reordering and delays change nothing in the end (seed %i)',
  async (seed) => {
    const faults = { delayMs: 20, jitterMs: 30, loss: 0.3, repeat: 0.2, reorder: 0.3 }
    const world = await testReplicas({ seed, ...faults, replication: { batchBytes: 1024 } })
    for (let i = 0; i < 40; i++) {
      for (const replica of world.all) writeMany(replica, 10, `${replica.name}${i}-`)
      await world.env.advance(25)
    }
    await world.env.advance(20 * ROUND_MS)
    expectEqual(world, 1200)
    const { lostFrames, repeatedFrames, reorderedFrames } = world.network.stats()
    for (const count of [lostFrames, repeatedFrames, reorderedFrames]) expect(count).toBeGreaterThan(20)
    await world.close()
  },
)

test('both sides of a cut write, and after the heal they are equal within three rounds of digests', async () => {
  const world = await testReplicas({ delayMs: 5 })
  await world.env.advance(100)
  world.network.partition([['a'], ['b', 'c']])
  for (const replica of world.all) writeMany(replica, 3000)
  await world.env.advance(60 * ROUND_MS)
  expect(get(world, 'b').store.texts()).toHaveLength(6000)
  world.network.heal()
  await world.env.advance(3 * ROUND_MS)
  expectEqual(world, 9000)
  await world.close()
})

test('a link that is cut one way is worked around through a third replica', async () => {
  const world = await testReplicas()
  await world.env.advance(100)
  world.network.cut('a', 'b', { oneWay: true })
  writeMany(get(world, 'a'), 100)
  writeMany(get(world, 'b'), 100)
  await world.env.advance(5 * ROUND_MS)
  expectEqual(world, 200)
  await world.close()
})

test('replicas that only reach each other through a third one converge', async () => {
  const world = await testReplicas()
  world.network.cut('a', 'c')
  for (const replica of world.all) writeMany(replica, 100)
  await world.env.advance(5 * ROUND_MS)
  expectEqual(world, 300)
  await world.close()
})

test('a replica that joins late gets everything', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  for (const replica of world.all) writeMany(replica, 5000)
  await world.env.advance(ROUND_MS)
  await world.join('late')
  await world.env.advance(3 * ROUND_MS)
  expectEqual(world, 10_000)
  await world.close()
})

test('ranges are spread over the peers that have them', async () => {
  const world = await testReplicas({ names: ['a', 'b', 'c', 'd'] })
  for (const replica of world.all) writeMany(replica, 500)
  await world.env.advance(ROUND_MS)
  await world.join('late')
  await world.env.advance(3 * ROUND_MS)
  expectEqual(world, 2000)
  const answering = world.all.filter(({ replicator }) => replicator.stats().answeredOperations > 0)
  expect(answering.length).toBeGreaterThan(1)
  await world.close()
})

test('a difference larger than a window comes in several answers', async () => {
  const world = await testReplicas({ names: ['a', 'b'], replication: { windowBytes: 4096, batchBytes: 1024 } })
  writeMany(get(world, 'a'), 2000)
  await world.env.advance(ROUND_MS)
  const late = await world.join('late')
  await world.env.advance(10 * ROUND_MS)
  expectEqual(world, 2000)
  expect(late.replicator.stats().requests).toBeGreaterThan(10)
  await world.close()
})

test('operations that do not fit one frame together go in several', async () => {
  const world = await testReplicas({ names: ['a', 'b'], replication: { digestSoonMs: 1000 } })
  const [a, b] = [get(world, 'a'), get(world, 'b')]
  await world.env.advance(ROUND_MS)
  for (const length of [2000, FRAME_BYTES_MAX - 1000, 2000]) a.store.write('x'.repeat(length))
  await world.env.advance(100)
  expect(b.store.texts()).toHaveLength(3)
  expect(b.replicator.stats().requests).toBe(0)
  expect(a.events.filter(({ kind }) => /oversize|failed/.test(kind))).toEqual([])
  await world.close()
})

test('records that are not safe in the log are neither sent nor acknowledged', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const { store } = get(world, 'a')
  await world.env.advance(ROUND_MS)
  store.unflushedCount = 1
  store.write('unsafe')
  await world.env.advance(5 * ROUND_MS)
  expect(get(world, 'b').store.texts()).toEqual([])
  store.unflushedCount = 0
  await world.env.advance(100)
  expectEqual(world, 1)
  await world.close()
})

test('what is applied but not safe in the log is not acknowledged, so nobody compacts it (W08)', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const [a, b] = [get(world, 'a').store, get(world, 'b').store]
  await world.env.advance(ROUND_MS)
  b.unflushedCount = 1
  a.write('x')
  await world.env.advance(5 * ROUND_MS)
  expect([b.texts(), a.stable.size]).toEqual([['x'], 0])
  b.unflushedCount = 0
  await world.env.advance(5 * ROUND_MS)
  expect(a.stable.get(a.replica)).toBe(1)
  await world.close()
})

test('nobody passes on unasked what others wrote', async () => {
  const world = await testReplicas()
  await world.env.advance(ROUND_MS)
  writeMany(get(world, 'a'), 30)
  await world.env.runUntilIdle()
  get(world, 'b').store.write('own')
  await world.env.advance(5 * ROUND_MS)
  expectEqual(world, 31)
  expect(get(world, 'b').replicator.stats()).toMatchObject({ broadcastOperations: 1, answeredOperations: 0 })
  await world.close()
})

test('a replica that restarts on its log goes on where it was', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const a = get(world, 'a')
  writeMany(a, 10, 'before')
  await world.env.advance(ROUND_MS)
  await a.replicator.close()
  writeMany(get(world, 'b'), 10)
  a.store.onAppend = () => undefined
  writeMany(a, 10, 'offline')
  await world.join('a', {}, a.store)
  await world.env.advance(5 * ROUND_MS)
  expectEqual(world, 30)
  await world.close()
})

test('an operation stamped too far ahead waits for its time, is reported once, and holds nothing else up', async () => {
  const world = await testReplicas({ names: ['a', 'b', 'c'] })
  const [a, b] = [get(world, 'a'), get(world, 'b')]
  a.store.write('from the future', { aheadMs: 20_000 })
  get(world, 'c').store.write('now')
  await world.env.advance(5 * ROUND_MS)
  expect(b.store.texts()).toEqual(['now'])
  expect(kinds(b).filter((kind) => kind === 'operation:drift')).toHaveLength(1)
  await world.env.advance(60 * ROUND_MS)
  expectEqual(world, 2)
  await world.close()
})

test('a store without space takes operations in when there is space again', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const [a, b] = [get(world, 'a'), get(world, 'b')]
  b.store.isFull = true
  writeMany(a, 20)
  await world.env.advance(10 * ROUND_MS)
  expect(kinds(b)).toContain('store:refused')
  b.store.isFull = false
  await world.env.advance(60 * ROUND_MS)
  expectEqual(world, 20)
  await world.close()
})

test('a replica whose identity writes elsewhere is told so (W12)', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const [a, b] = [get(world, 'a'), get(world, 'b')]
  writeMany(a, 3)
  await world.env.advance(ROUND_MS)
  await a.replicator.close()
  const restored = new NaiveStore(world.env.fork({ label: 'restored' }))
  restored.replica = a.store.replica
  const again = await world.join('a', {}, restored)
  await world.env.advance(3 * ROUND_MS)
  expect(restored.seenElsewhere).toEqual([3])
  expect(kinds(again).filter((kind) => kind === 'clone:detected')).toHaveLength(1)
  restored.write('under a new identity')
  await world.env.advance(3 * ROUND_MS)
  expect(b.store.dots()).toEqual(restored.dots())
  expect(b.store.texts()).toHaveLength(4)
  await world.close()
})

test('two copies of one replica that are up together find out by the content of one dot (W12)', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  const a = get(world, 'a')
  // Both have sent what they wrote: nothing but asking shows it again.
  await world.env.advance(ROUND_MS)
  a.store.write('original')
  await world.env.advance(ROUND_MS)
  const copy = new NaiveStore(world.env.fork({ label: 'copy' }))
  copy.replica = a.store.replica
  copy.write('copy')
  const clone = await world.join('clone', {}, copy)
  await world.env.advance(5 * ROUND_MS)
  expect([...kinds(a), ...kinds(clone)]).toContain('clone:detected')
  await world.close()
})

test('to join a busy cluster is to catch up, and no gap; operations that are asked for in vain are one', async () => {
  const replication = { windowBytes: 4096, batchBytes: 1024 }
  const world = await testReplicas({ delayMs: 5, replication })
  await world.env.advance(100)
  for (const replica of world.all) writeMany(replica, 2000)
  await world.env.advance(500)
  const d = await world.join('d')
  for (let i = 0; i < 200; i++) {
    for (const replica of world.all) writeMany(replica, 10, `${replica.name}${i}-`)
    await world.env.advance(20)
  }
  await world.env.advance(5 * ROUND_MS)
  expect(d.store.dots()).toEqual(get(world, 'a').store.dots())
  expect(kinds(d)).not.toContain('gap')
  await world.close()

  const lossy = await testReplicas({ loss: 0.5, delayMs: 5, replication })
  for (let i = 0; i < 100; i++) {
    writeMany(get(lossy, 'a'), 20, `${i}-`)
    await lossy.env.advance(50)
  }
  await lossy.env.advance(20 * ROUND_MS)
  expect(kinds(get(lossy, 'b'))).toContain('gap')
  await lossy.close()
})

test('each replica that comes up at an address goes down, also if another one takes its place there', async () => {
  const world = await testReplicas({ names: ['a', 'b'] })
  await world.env.advance(3 * ROUND_MS)
  for (let i = 0; i < 3; i++) {
    // It dies without a word, and another one is there before anybody has missed it.
    world.network.partition([['a'], ['b']])
    await get(world, 'b').replicator.close()
    world.all.splice(1, 1)
    await world.join('b')
    world.network.heal()
    await world.env.advance(3 * ROUND_MS)
  }
  const a = get(world, 'a')
  const told = (): string =>
    kinds(a)
      .filter((kind) => kind.startsWith('peer:'))
      .join(' ')
  expect(told()).toBe('peer:up peer:down peer:up peer:down peer:up peer:down peer:up')
  await world.close()
  expect(told()).toMatch(/peer:up peer:down$/)
  const gone = a.events.flatMap((event) => (event.kind === 'peer:down' ? [event.peer.replica] : []))
  expect(new Set(gone).size).toBe(4)
})
