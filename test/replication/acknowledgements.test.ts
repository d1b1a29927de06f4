import { describe, expect, test } from 'vitest'
import type { WarpError } from '../../crdt/warp-error.ts'
import type { ReplicaAcks } from '../../src/store/write-road/acknowledgement.ts'
import { heldByEnough } from '../../src/replication/acknowledgement/quorum.ts'
import { type TestReplica, type TestReplicas, testReplicas } from '../support/replicas.ts'

const ZONES: Readonly<Record<string, string>> = { a: 'x', b: 'x', c: 'y' }
const self = (name: string): { name: string; zone: string } => ({ name, zone: ZONES[name] ?? '' })

interface Outcome {
  state: string
  /** That was reached. */
  level?: string
  /** Of the error that has ended the wait. */
  message?: string
}

/** Writes at `replica` and says, whenever asked, how the wait for `acks` stands. */
function write(replica: TestReplica, acks: ReplicaAcks, signal?: AbortSignal): Outcome {
  replica.store.write('text')
  return wait(replica, replica.store.applied.get(replica.store.replica), acks, signal)
}

function wait(replica: TestReplica, sequence: number, acks: ReplicaAcks, signal?: AbortSignal): Outcome {
  const outcome: Outcome = { state: 'waiting' }
  const dot = { replica: replica.store.replica, sequence }
  replica.replicator.acknowledgements.settled(dot, acks, signal).then(
    (level) => Object.assign(outcome, { state: 'settled', level }),
    (error: unknown) => {
      const { code, message } = error as WarpError
      Object.assign(outcome, { state: code, message })
    },
  )
  return outcome
}

async function three(options: Parameters<typeof testReplicas>[0] = {}): Promise<TestReplicas & { abc: TestReplica[] }> {
  const world = await testReplicas({ self, ...options })
  await world.env.advance(3000)
  return { ...world, abc: world.all }
}

describe('so many replicas', () => {
  test('have it: the wait settles, and not while one is missing', async () => {
    const { env, network, abc, close } = await three({ delayMs: 5 })
    const [a] = abc as [TestReplica]
    network.cut('a', 'c')
    network.cut('b', 'c')
    const [two, all] = [write(a, { replicas: 2 }), write(a, { replicas: 3 })]
    await env.advance(2000)
    expect([two.state, all.state]).toEqual(['settled', 'waiting'])
    network.heal()
    await env.advance(3000)
    expect(all.state).toBe('settled')
    await close()
  })

  test('without the writer itself, if that is asked for', async () => {
    const { env, network, abc, close } = await three()
    const [a] = abc as [TestReplica]
    network.cut('a', 'c')
    network.cut('b', 'c')
    const outcome = write(a, { replicas: 2, countSelf: false })
    await env.advance(5000)
    expect(outcome.state).toBe('waiting')
    await close()
  })

  test.each([1, 2, 3])('over a network that loses, repeats and reorders (seed %i)', async (seed) => {
    const { env, abc, close } = await three({ seed, loss: 0.4, repeat: 0.3, reorder: 0.3, delayMs: 10 })
    const [a] = abc as [TestReplica]
    const outcomes = Array.from({ length: 50 }, () => write(a, { replicas: 3 }))
    await env.advance(30_000)
    expect(outcomes.map(({ state }) => state)).toEqual(outcomes.map(() => 'settled'))
    expect(a.replicator.stats().pendingAcknowledgements).toBe(0)
    await close()
  })

  test('a replica that answers often counts once', async () => {
    const { env, network, abc, close } = await three({ repeat: 0.9 })
    const [a] = abc as [TestReplica]
    network.cut('a', 'c')
    network.cut('b', 'c')
    const outcome = write(a, { replicas: 3 })
    for (let i = 0; i < 5; i++) write(a, { replicas: 2 })
    await env.advance(20_000)
    expect(outcome.state).toBe('waiting')
    await close()
  })

  test('a copy of the writer does not count', async () => {
    const { env, abc, join, close } = await three({ names: ['a'] })
    const [a] = abc as [TestReplica]
    a.store.write('before')
    const copy = await join('copy')
    copy.store.replica = a.store.replica
    copy.store.applied.raise(a.store.replica, 9)
    const outcome = write(a, { replicas: 2 })
    await env.advance(500)
    expect(outcome.state).toBe('waiting')
    await close()
  })
})

test('replicas in one zone are in one zone', async () => {
  const { env, network, abc, close } = await three()
  const [a] = abc as [TestReplica]
  network.cut('a', 'c')
  network.cut('b', 'c')
  const outcome = write(a, { replicas: 2, zones: 2 })
  await env.advance(5000)
  expect(outcome.state).toBe('waiting')
  network.heal()
  await env.advance(5000)
  expect(outcome.state).toBe('settled')
  await close()
})

describe('a level of the log', () => {
  test('is reached by who has flushed, and by nobody else', async () => {
    const { env, abc, close } = await three()
    const [a, b, c] = abc as [TestReplica, TestReplica, TestReplica]
    for (const { store } of abc) store.persistent = true
    const [memory, logged, durable] = (['memory', 'logged', 'durable'] as const).map((level) =>
      write(a, { replicas: 2, level, countSelf: false }),
    ) as [{ state: string }, { state: string }, { state: string }]
    const states = (): string[] => [memory.state, logged.state, durable.state]
    await env.advance(2000)
    expect(states()).toEqual(['settled', 'waiting', 'waiting'])
    for (const { store } of [b, c]) store.flush('logged')
    await env.advance(2000)
    expect(states()).toEqual(['settled', 'settled', 'waiting'])
    b.store.flush('durable')
    await env.advance(2000)
    expect(states()).toEqual(['settled', 'settled', 'waiting'])
    c.store.flush('durable')
    await env.advance(2000)
    expect(states()).toEqual(['settled', 'settled', 'settled'])
    await close()
  })

  test('is not reached by a replica whose log is in memory; without a level its memory is enough', async () => {
    const { env, abc, close } = await three()
    const [a] = abc as [TestReplica]
    const [logged, default_] = [write(a, { replicas: 2, level: 'logged' }), write(a, { replicas: 2 })]
    await env.advance(5000)
    expect([logged.state, default_.state]).toEqual(['waiting', 'settled'])
    expect(default_.level).toBe('memory')
    await close()
  })

  test('is told as it was reached: in memory where a log in memory was needed, and logged where not', async () => {
    const world = await testReplicas({ self })
    const { env, all, close } = world
    const [a, b] = all as [TestReplica, TestReplica]
    for (const { store } of [a, b]) store.persistent = true
    await env.advance(3000)
    const [two, three] = [write(a, { replicas: 2 }), write(a, { replicas: 3 })]
    for (const { store } of [a, b]) store.flush('logged')
    world.network.cut('a', 'c')
    world.network.cut('b', 'c')
    await env.advance(100)
    for (const { store } of [a, b]) store.flush('logged')
    await env.advance(5000)
    expect([two.level, three.state]).toEqual(['logged', 'waiting'])
    world.network.heal()
    await env.advance(5000)
    expect(three.level).toBe('memory')
    await close()
  })

  test('what came while the log was being flushed is not in it yet', async () => {
    const { env, abc, close } = await three({ names: ['a', 'b'] })
    const [a, b] = abc as [TestReplica, TestReplica]
    b.store.persistent = true
    const first = write(a, { replicas: 1, level: 'durable', countSelf: false })
    await env.advance(500)
    const second = write(a, { replicas: 1, level: 'durable', countSelf: false })
    await env.advance(500)
    b.store.flush('durable')
    await env.advance(500)
    expect([first.state, second.state]).toEqual(['settled', 'waiting'])
    b.store.flush('durable')
    await env.advance(500)
    expect(second.state).toBe('settled')
    await close()
  })
})

describe('a replica that goes away', () => {
  test('does not count for waits that are not over, until it is back', async () => {
    const { env, network, abc, close } = await three()
    const [a, b, c] = abc as [TestReplica, TestReplica, TestReplica]
    for (const { store } of [b, c]) store.persistent = true
    const outcome = write(a, { replicas: 2, level: 'durable', countSelf: false })
    await env.advance(500)
    b.store.flush('durable')
    await env.advance(500)
    network.cut('a', 'b')
    network.cut('b', 'c')
    await env.advance(15_000)
    expect(a.events.map(({ kind }) => kind)).toContain('peer:down')
    c.store.flush('durable')
    await env.advance(5000)
    expect(outcome.state).toBe('waiting')
    network.heal()
    await env.advance(60_000)
    expect(outcome.state).toBe('settled')
    await close()
  })
})

test('a wait ends by its signal, by its bounds and by the end of the replicator', async () => {
  const { env, abc, close } = await three({ names: ['a'] })
  const [a] = abc as [TestReplica]
  const controller = new AbortController()
  const [given, late] = [write(a, { replicas: 2 }, controller.signal), write(a, { replicas: 2 })]
  controller.abort()
  await env.advance(10)
  expect(given.state).toBe('WARP_E_ABORTED')
  expect(wait(a, 1, { replicas: 0 })).toEqual({ state: 'waiting' })
  const [none, zones] = [wait(a, 1, { replicas: 0 }), wait(a, 1, { replicas: 1, zones: 2 })]
  await env.advance(10)
  expect([none.state, zones.state, late.state]).toEqual(['WARP_E_CONFIG', 'WARP_E_CONFIG', 'waiting'])
  await close()
  await env.advance(10)
  expect(late.state).toBe('WARP_E_CLOSED')
})

test('nobody asks and nobody answers while nobody waits; many waits are asked for in one frame', async () => {
  const { env, abc, close } = await three()
  const [a, b] = abc as [TestReplica, TestReplica]
  const before = a.replicator.stats().sentFrames
  const outcomes = Array.from({ length: 1000 }, () => write(a, { replicas: 3 }))
  await env.advance(200)
  expect(outcomes.every(({ state }) => state === 'settled')).toBe(true)
  expect(a.replicator.stats().sentFrames - before).toBeLessThan(6)
  expect(b.replicator.stats().askedAcknowledgements).toBe(0)
  await close()
})

test('peers are known by name and zone', async () => {
  const { abc, close } = await three()
  const [a] = abc as [TestReplica]
  const known = a.replicator.peers().map(({ name, zone }) => ({ name, zone }))
  expect(known).toEqual([
    { name: 'b', zone: 'x' },
    { name: 'c', zone: 'y' },
  ])
  await close()
})

test('a hello that is lost is asked for again', async () => {
  const { env, abc, close } = await three({ loss: 0.7, seed: 4, replication: { peerSilentMs: 600_000 } })
  await env.advance(120_000)
  for (const { replicator } of abc) expect(replicator.peers().map(({ name }) => name ?? '')).toHaveLength(2)
  for (const { replicator } of abc) for (const { name } of replicator.peers()) expect(name).toMatch(/^[abc]$/)
  await close()
})

test('enough is counted by replicas and by named zones', () => {
  const holders = [
    { through: 9, zone: 'x' },
    { through: 8, zone: 'x' },
    { through: 5, zone: '' },
    { through: 3, zone: 'y' },
    { through: 0, zone: 'z' },
  ]
  expect(heldByEnough(holders, 1, 1)).toBe(9)
  expect(heldByEnough(holders, 2, 1)).toBe(8)
  expect(heldByEnough(holders, 2, 2)).toBe(3)
  expect(heldByEnough(holders, 3, 1)).toBe(5)
  expect(heldByEnough(holders, 4, 3)).toBe(0)
  expect(heldByEnough([], 1, 1)).toBe(0)
  expect(heldByEnough([{ through: 4, zone: '' }], 1, 1)).toBe(4)
})

describe('a wait with a time limit', () => {
  test('ends when the time is over, names the replicas that are missing, and the operation goes on', async () => {
    const { env, network, abc, close } = await three()
    const [a] = abc as [TestReplica]
    network.cut('a', 'c')
    network.cut('b', 'c')
    const outcome = write(a, { replicas: 3, timeoutMs: 2000 })
    await env.advance(1999)
    expect(outcome.state).toBe('waiting')
    await env.advance(1)
    expect(outcome).toEqual({
      state: 'WARP_E_QUORUM',
      message: expect.stringMatching(/^2 of 3 replicas hold the operation after 2000 ms; missing: c; /) as string,
    })
    expect(a.replicator.stats().pendingAcknowledgements).toBe(0)
    network.heal()
    const again = wait(a, 1, { replicas: 3, timeoutMs: 20_000 })
    await env.advance(5000)
    expect(again.state).toBe('settled')
    await env.advance(20_000)
    expect(again.state).toBe('settled')
    await close()
  })

  test('says so if it is zones that are missing', async () => {
    const { env, abc, close } = await three()
    const [a] = abc as [TestReplica]
    const outcome = write(a, { replicas: 3, zones: 3, timeoutMs: 2000 })
    await env.advance(2000)
    expect(outcome).toEqual({
      state: 'WARP_E_ZONES',
      message: expect.stringMatching(/^replicas in 2 of 3 zones hold the operation after 2000 ms; all known/) as string,
    })
    await close()
  })
})
