/** Who is told of digests, and how little while nothing differs. */
import { expect, test } from 'vitest'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import { FRAME_HEADER_BYTES, FRAME_KIND } from '../../src/replication/wire/frames.ts'
import { type TestReplica, type TestReplicas, kinds, testReplicas } from '../support/replicas.ts'

const { digest: DIGEST, digestChange: CHANGE, operations: OPERATIONS } = FRAME_KIND
const { confirmation: CONFIRMATION, rollCall: ROLL_CALL } = FRAME_KIND
const INTERVAL_MS = 1000
/** The longest time between two rounds of gossip, and so long that it has been reached. */
const GOSSIP_MS = 30_000
const QUIET_MS = 120_000

function watched(count: number, replication = {}): Promise<TestReplicas> {
  const names = Array.from({ length: count }, (_, i) => `r${i}`)
  return testReplicas({ names, isWatched: true, replication: { digestIntervalMs: INTERVAL_MS, ...replication } })
}

/** Of a digest or a change: an answer. */
function isReply(bytes: Uint8Array): boolean {
  return ((bytes[FRAME_HEADER_BYTES] ?? 0) & 1) !== 0
}

/** All have written, and all know that all have everything. */
async function settled(world: TestReplicas): Promise<void> {
  await world.env.advance(5000)
  for (const { store, name } of world.all) store.write(`of ${name}`)
  await world.env.advance(QUIET_MS)
}

/** What arrived since the last call, of everybody. */
function arrived(world: TestReplicas): { readonly kind: number; readonly bytes: number }[] {
  return world.all.flatMap(({ transport }) => transport?.arrived.splice(0) ?? [])
}

function replica(world: TestReplicas, i: number): TestReplica {
  return world.all[i] as TestReplica
}

function stableOf(world: TestReplicas, i: number): readonly (readonly [string, number])[] {
  return replica(world, i).store.stable.sorted()
}

test('while nothing happens each replica of 12 tells 3 others every 30 s, in 20 bytes and some', async () => {
  const world = await watched(12)
  await settled(world)
  arrived(world)
  const rounds = 10
  await world.env.advance(rounds * GOSSIP_MS)
  const frames = arrived(world)
  expect(frames.every(({ kind }) => kind === CHANGE)).toBe(true)
  expect(frames.length).toBeLessThanOrEqual(12 * 3 * (rounds + 1))
  expect(frames.length).toBeGreaterThanOrEqual(12 * 3 * (rounds - 1))
  expect(Math.max(...frames.map(({ bytes }) => bytes))).toBeLessThan(600)
  await world.close()
})

test('nobody is taken for gone who says nothing because there is nothing to say', async () => {
  const world = await watched(12, { peerSilentMs: 2000, horizonMs: 5000 })
  await settled(world)
  await world.env.advance(600_000)
  for (const each of world.all) {
    expect(kinds(each).filter((kind) => kind !== 'peer:up')).toEqual([])
    expect(each.replicator.peers().map(({ state }) => state)).toEqual(Array.from({ length: 11 }, () => 'up'))
  }
  await world.close()
})

test('a peer that its transport gives up goes down, and leaves after the horizon', async () => {
  const world = await watched(3, { horizonMs: 60_000 })
  await settled(world)
  const [a, , c] = [replica(world, 0), replica(world, 1), replica(world, 2)]
  for (const other of ['r0', 'r1']) world.network.cut('r2', other)
  await world.env.advance(QUIET_MS)
  expect(kinds(a)).not.toContain('peer:down')
  for (const i of [0, 1]) replica(world, i).transport?.giveUp('r2')
  await world.env.advance(70_000)
  expect(a.events).toContainEqual(expect.objectContaining({ kind: 'member:gone', replica: c.store.replica }))
  await world.close()
})

/** How many frames of each kind. */
function countsOf(frames: readonly { readonly kind: number }[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { kind } of frames) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

test('of a write each of 11 says two short things to its writer, and its writer two to each of them', async () => {
  const world = await watched(12)
  await settled(world)
  arrived(world)
  replica(world, 0).store.write('news')
  await world.env.advance(100)
  expect(countsOf(arrived(world))).toEqual({ [OPERATIONS]: 11, [CONFIRMATION]: 11 })
  await world.env.advance(40 * INTERVAL_MS)
  for (let i = 0; i < 12; i++) {
    expect(stableOf(world, i)).toEqual([...replica(world, i).store.applied.sorted()])
  }
  const frames = arrived(world)
  const { [CHANGE]: changes = 0, ...others } = countsOf(frames)
  expect(others).toEqual({ [CONFIRMATION]: 11, [ROLL_CALL]: 22 })
  // By lot, as when nothing happens.
  expect(changes).toBeLessThanOrEqual(2 * 3 * 12)
  expect(Math.max(...frames.filter(({ kind }) => kind !== CHANGE).map(({ bytes }) => bytes))).toBeLessThan(32)
  await world.close()
})

test('of many writes it is known within a few rounds that all have them', async () => {
  const world = await watched(12)
  await settled(world)
  for (let i = 0; i < 20; i++) replica(world, 0).store.write(`news ${i}`)
  await world.env.advance(6 * INTERVAL_MS)
  for (let i = 0; i < 12; i++) {
    expect(stableOf(world, i)).toEqual([...replica(world, i).store.applied.sorted()])
  }
  await world.close()
})

test('what two write at the same time is known to be everywhere, whoever tells it first', async () => {
  const world = await watched(5)
  await settled(world)
  for (let round = 0; round < 10; round++) {
    for (const i of [0, 1, 2]) replica(world, i).store.write(`${i} in ${round}`)
    await world.env.advance(700)
  }
  await world.env.advance(40 * INTERVAL_MS)
  for (let i = 0; i < 5; i++) {
    expect(stableOf(world, i)).toEqual([...replica(world, i).store.applied.sorted()])
  }
  await world.close()
})

test('whom an operation did not reach is told by its writer within half a second', async () => {
  const world = await watched(12)
  await settled(world)
  const [a, b] = [replica(world, 0), replica(world, 1)]
  // It has just said something, so there is no reason yet to ask what has become of it.
  a.store.write('heard')
  await world.env.advance(500)
  b.transport!.loses = (_, kind) => kind === OPERATIONS
  a.store.write('news')
  await world.env.advance(100)
  b.transport!.loses = () => false
  await world.env.advance(400)
  expect(b.store.texts()).toContain('news')
  await world.close()
})

test('when a writer goes before it could tell that all have its write, the others tell each other', async () => {
  const world = await watched(4, { horizonMs: 5000 })
  await settled(world)
  const a = replica(world, 0)
  a.store.write('news')
  await world.env.advance(500)
  for (const other of world.all.slice(1)) world.network.cut('r0', other.name)
  for (const other of world.all.slice(1)) other.transport?.giveUp('r0')
  await world.env.advance(15 * INTERVAL_MS)
  for (const i of [1, 2, 3]) expect(replica(world, i).store.stable.get(a.store.replica)).toBe(2)
  await world.close()
})

test('a member that is to acknowledge something, and whose digests were lost, is asked', async () => {
  const world = await watched(3)
  await settled(world)
  const [a, b] = [replica(world, 0), replica(world, 1)]
  // Whatever it says without having been asked.
  a.transport!.loses = (from, kind, bytes) =>
    from === 'r1' && (kind === CONFIRMATION || ((kind === CHANGE || kind === DIGEST) && !isReply(bytes)))
  a.store.write('news')
  await world.env.advance(1500)
  expect(a.store.stable.get(a.store.replica)).toBe(1)
  await world.env.advance(100 * INTERVAL_MS)
  expect(a.store.stable.get(a.store.replica)).toBe(2)
  expect(b.store.stable.get(a.store.replica)).toBe(2)
  await world.close()
})

test('a member that lacks what a lost burst held learns of it though everybody is quiet', async () => {
  const world = await watched(2)
  await settled(world)
  const [a, b] = [replica(world, 0), replica(world, 1)]
  b.transport!.loses = () => true
  a.store.write('news')
  await world.env.advance(500)
  b.transport!.loses = () => false
  await world.env.advance(5 * INTERVAL_MS)
  expect(b.store.texts()).toContain('news')
  await world.close()
})

test('a change of a digest that has been lost is answered by a request for the whole', async () => {
  const world = await watched(2)
  await world.env.advance(5000)
  const [a, b] = [replica(world, 0), replica(world, 1)]
  b.transport!.loses = (from, kind) => from === 'r0' && kind === DIGEST
  // Nobody has seen this id: it takes a new anchor to tell of that it has come to an end.
  a.store.retired.retire(replicaIdFromBytes(Uint8Array.of(9)), 0)
  await world.env.advance(3 * INTERVAL_MS)
  expect(b.store.retired.size).toBe(0)
  b.transport!.loses = () => false
  await world.env.advance(60_000)
  expect(b.store.retired.size).toBe(1)
  await world.close()
})

test('replicas find each other over a transport that lists its peers and says nothing of them', async () => {
  const world = await testReplicas({ names: [], isWatched: true, replication: { digestIntervalMs: INTERVAL_MS } })
  const joined = await Promise.all(['a', 'b', 'c'].map((name) => world.join(name, {})))
  for (const { transport } of joined) transport!.tells = false
  await world.env.advance(5000)
  joined[0]?.store.write('news')
  await world.env.advance(2000)
  for (const { store } of joined) expect(store.texts()).toEqual(['news'])
  await world.close()
})

test('a member of an older build gets whole digests, with each round, and never a change', async () => {
  const world = await testReplicas({ names: ['a', 'b'], replication: { digestIntervalMs: INTERVAL_MS } })
  await world.env.advance(5000)
  const frames: number[] = []
  const link = await world.network.transport('old').open({ receive: (_, bytes) => void frames.push(bytes[1] ?? 0) })
  const id = replicaIdFromBytes(Uint8Array.of(7))
  const encoder = new FrameEncoder(new ReplicaTable(), () => ({ replica: id, session: 7 }))
  const hello = {
    asks: false,
    isPersistent: false,
    readsChanges: false,
    readsConfirmations: false,
    readsLeases: false,
    answersLoads: false,
    tellsCopies: false,
    readsMessages: false,
    carriesNothing: false,
    highest: 2,
    written: 2,
    name: '',
    zone: '',
    region: '',
    relayed: [],
  }
  link.broadcast(encoder.hello(hello))
  await world.env.advance(1500)
  frames.length = 0
  for (let round = 0; round < 10; round++) {
    link.broadcast(encoder.hello(hello))
    await world.env.advance(INTERVAL_MS)
  }
  expect(frames).not.toContain(CHANGE)
  expect(frames.filter((kind) => kind === DIGEST).length).toBeGreaterThanOrEqual(16)
  await link.close()
  await world.close()
})

test('a replica that was started again under its id is told everything anew', async () => {
  const world = await watched(3)
  await settled(world)
  const old = replica(world, 2)
  await old.replicator.close()
  replica(world, 0).store.write('meanwhile')
  await world.env.advance(QUIET_MS)
  const back = await world.join('r2', {}, old.store)
  await world.env.advance(5 * INTERVAL_MS)
  expect(back.store.texts()).toContain('meanwhile')
  expect(back.replicator.peers().map(({ lagCount }) => lagCount)).toEqual([0, 0])
  await world.close()
})
