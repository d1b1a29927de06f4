/** Ids that come to an end: who ends them, what that does, and that it is remembered. */
import { expect, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, type FixtureOptions } from './engine-fixture.ts'

const env = virtualEnv({ seed: 5 })

function open(name: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: env.fork({ label: name }), ...options })
}

/** a and b have the same; then b writes, and a writes and compacts what b has not seen, perhaps knowing that b is away. */
async function apart(options: FixtureOptions = {}, isAway = true) {
  const [a, b] = [await open('a', { isReplicated: true, ...options }), await open('b')]
  await a.write('count:1', 'increment', [1])
  await b.write('count:1', 'increment', [10])
  await exchange(a, b)
  const acknowledged = a.engine.applied.copy()
  await b.write('count:1', 'increment', [100])
  await a.write('count:1', 'increment', [1000])
  a.engine.stabilise(a.engine.applied, isAway ? [{ replica: b.engine.replica, acknowledged }] : [])
  expect(a.engine.retired.size).toBe(0)
  await a.engine.compact()
  return { a, b, acknowledged }
}

test('who compacts what a replica that is away had not acknowledged ends its id, for good', async () => {
  const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
  const { a, b } = await apart({ files })
  const end = [[b.engine.replica, 1]]
  expect(a.engine.retired.entries()).toEqual(end)
  expect((await a.pull(b)).filter((verdict) => verdict === 'resync')).toHaveLength(1)
  await a.close()
  const again = await open('a', { files, isReplicated: true })
  expect(again.engine.retired.entries()).toEqual(end)
  expect((await again.pull(b)).filter((verdict) => verdict === 'resync')).toHaveLength(1)
  expect(again.get('count:1')).toBe(1011)
})

test('a replica that is away and had acknowledged all that is compacted keeps its id', async () => {
  const [a, b] = [await open('a', { isReplicated: true }), await open('b')]
  await a.write('count:1', 'increment', [1])
  await a.write('count:1', 'increment', [1])
  await exchange(a, b)
  await b.write('count:1', 'increment', [100])
  a.engine.stabilise(a.engine.applied, [{ replica: b.engine.replica, acknowledged: a.engine.applied.copy() }])
  expect((await a.engine.compact()).droppedOperationsCount).toBe(2)
  expect(a.engine.retired.size).toBe(0)
  expect(await a.pull(b)).toContain('applied')
})

test('what is issued again counts once where its former name has been taken in as well, and where it has not', async () => {
  const { a, b } = await apart({}, false)
  const [former, c] = [b.engine.replica, await open('c')]
  await c.pull(b)
  b.install(a)
  // b says so itself; a hears of it by its digest.
  expect(b.engine.retired.endOf(former)).toBe(1)
  a.engine.retire([[former, b.engine.retired.endOf(former)]])
  await exchange(a, b)
  expect([a.get('count:1'), b.get('count:1'), c.get('count:1')]).toEqual([1111, 1111, 111])
  // c holds what is void for a; it takes over the state, and has it once.
  c.install(a)
  await exchange(a, c)
  expect([c.get('count:1'), c.engine.retired.endOf(former)]).toEqual([1111, 1])
  expect(c.state()).toEqual(a.state())
})

test('a snapshot that holds an operation under its former name gets no copy of it', async () => {
  const { a, b } = await apart()
  const [former, c] = [b.engine.replica, await open('c')]
  await c.pull(b)
  b.install(a)
  expect(b.get('count:1')).toBe(1111)
  // b has to take over the state of c, which has the operation as b had named it first.
  b.install(c)
  expect([b.get('count:1'), b.engine.retired.endOf(former)]).toEqual([111, 2])
  expect(b.engine.applied.get(former)).toBe(2)
  expect(b.version('count:1')).toBe(c.version('count:1'))
})

// Soak seed 1795399649030: the id counted again without an end, and what its owner had issued again came in under its former name as well.
test('of an id that a snapshot brings back, what that does not hold stays void', async () => {
  const [b, c, old, fresh] = [await open('b'), await open('c'), await open('old'), await open('fresh')]
  const former = b.engine.replica
  await b.write('count:1', 'increment', [1])
  await old.pull(b)
  await b.write('count:1', 'increment', [10])
  await c.pull(b)
  await fresh.set('reg:1', 'x')
  b.install(fresh)
  expect([b.get('count:1'), b.engine.retired.endOf(former)]).toEqual([11, 0])
  b.install(old)
  expect([b.get('count:1'), b.engine.retired.endOf(former)]).toEqual([11, 1])
  await b.pull(c)
  expect(b.get('count:1')).toBe(11)
})

test('what is here as it was issued again and comes under its first name counts once', async () => {
  const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
  const { a, b } = await apart({ files }, false)
  const c = await open('c')
  await c.pull(b)
  b.install(a)
  await a.pull(b)
  await a.engine.log.settled('logged')
  const killed = await open('a', { files: files.copy(), isReplicated: true })
  for (const one of [a, killed]) {
    await one.pull(c)
    expect(await one.pull(b)).not.toContain('applied')
    expect(one.get('count:1')).toBe(1111)
    await one.engine.compact()
    expect(one.get('count:1')).toBe(1111)
  }
})

test('a snapshot that holds an operation under its later name gets no copy of it', async () => {
  const { a, b } = await apart()
  const c = await open('c')
  await c.pull(b)
  b.install(a)
  await a.pull(b)
  // b goes back to the first name with the state of c, and finds the second one in that of a.
  b.install(c)
  b.install(a)
  expect([a.get('count:1'), b.get('count:1')]).toEqual([1111, 1111])
})

test('the own operations under every id that a replica has had are issued again where a snapshot lacks them', async () => {
  const { a, b } = await apart()
  const fresh = await open('fresh')
  for (const value of ['w', 'x']) await fresh.set('reg:1', value)
  await fresh.engine.compact()
  b.install(a)
  b.install(fresh)
  expect([b.get('count:1'), b.get('reg:1')]).toEqual([110, 'x'])
})

test('an operation that has seen something void ends the id of its writer', async () => {
  const { a, b } = await apart()
  const c = await open('c')
  await c.pull(b)
  await c.set('reg:1', 'after something void')
  expect(await a.pull(c)).toContain('resync')
  expect(a.engine.retired.endOf(c.engine.replica)).toBe(0)
})

test('a replica that is told that its id has ended goes on under another one, and what it wrote stays its own', async () => {
  const a = await open('a')
  await a.write('count:1', 'increment', [1])
  const former = a.engine.replica
  a.engine.retire([[former, 1]])
  expect(a.engine.replica).not.toBe(former)
  expect(a.events).toEqual([{ kind: 'identity:changed', from: former, to: a.engine.replica }])
  a.install(await open('empty'))
  expect(a.get('count:1')).toBe(1)
})

test('a replica whose id has ended for the one that it takes a snapshot from goes on under another one', async () => {
  const [a, b] = [await open('a'), await open('b')]
  await b.write('count:1', 'increment', [1])
  await a.pull(b)
  const former = b.engine.replica
  a.engine.retire([[former, 1]])
  b.install(a)
  expect(b.engine.replica).not.toBe(former)
  await b.write('count:1', 'increment', [10])
  await a.pull(b)
  expect(a.get('count:1')).toBe(11)
})

test('ends that are heard at once are written at once', async () => {
  const a = await open('a')
  const ends = Array.from({ length: 100 }, (_, i) => [`${i}`.padStart(16, '0') as ReplicaId, 0] as const)
  const records: number[] = []
  const count = (): number => {
    records.length = 0
    a.engine.log.scan(0, ({ kind }) => records.push(kind) > 0)
    return records.filter((kind) => kind === RECORD_KIND.meta).length
  }
  const before = count()
  for (let i = 0; i < 2; i++) a.engine.retire(ends)
  expect([a.engine.retired.size, count() - before]).toEqual([100, 1])
})

test('what is known to all but those who are away is compacted without them', async () => {
  const { a, b, acknowledged } = await apart()
  expect(a.engine.floor.sorted()).toEqual(
    VersionVector.from([
      [a.engine.replica, 2],
      [b.engine.replica, 1],
    ]).sorted(),
  )
  expect(acknowledged.dominates(a.engine.floor)).toBe(false)
})

test('what is issued again is not sent before no power failure can take it back', async () => {
  const { a } = await apart({}, false)
  const b = await open('persistent', { files: memoryFiles({ persistent: true, home: 'b', bootId: '1' }) })
  await b.write('count:1', 'increment', [7])
  b.install(a)
  const writers = (): string[] => {
    const found: string[] = []
    b.engine.scanOperations(0, ({ replica }) => found.push(replica) > 0)
    return found
  }
  await b.engine.log.settled('logged')
  expect([b.engine.log.loggedThrough, b.engine.log.durableThrough < b.engine.end]).toEqual([b.engine.end, true])
  expect(writers()).not.toContain(b.engine.replica)
  await b.engine.outlet.settled()
  expect(b.engine.log.durableThrough).toBe(b.engine.end)
  expect(writers()).toContain(b.engine.replica)
})

test('what is issued again while an earlier reissue becomes durable is held back itself', async () => {
  const files = faultyFiles()
  const b = await open('b', { files })
  files.holdSyncs = true
  const { outlet, log } = b.engine
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await b.env.yield()
  }
  outlet.holdBack()()
  await settle()
  const from = log.end
  const release = outlet.holdBack()
  void b.set('reg:1', 'x')
  files.releaseSyncs()
  await settle()
  expect(outlet.through).toBeLessThanOrEqual(from)
  release()
  files.holdSyncs = false
  files.releaseSyncs()
  await outlet.settled()
  expect(outlet.through).toBe(log.end)
})
