/** What `warp.stats()` tells, and that it is so. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = {
  'n:*': counter(),
  'r:*': { strategy: register<string>(), retain: 'latest' },
} as const

const alone = (cache = {}) => openWarp({ keys, env: virtualEnv(), cache })

/** Three replicas that have met. */
async function three() {
  const env = virtualEnv()
  const network = memoryNetwork({ env })
  const open = (name: string) =>
    openWarp({ keys, name, env: env.fork({ label: name }), transports: [network.transport(name)] })
  const replicas = { a: await open('a'), b: await open('b'), c: await open('c') }
  await env.advance(5000)
  return {
    ...{ ...replicas, env, network },
    [Symbol.asyncDispose]: async () => {
      await closeAll(env, Object.values(replicas))
    },
  }
}

test('hits are counted at the first read of a value, and the ratio is no more than the real one', async () => {
  await using warp = await alone()
  expect(warp.stats().cache).not.toHaveProperty('hitRatioMin')
  await warp.set('r:1', 'x')
  // The first read works the value out, the second is the first that finds it.
  for (let i = 0; i < 10; i++) warp.peek('r:1')
  expect(warp.stats().cache).toMatchObject({ hitsCount: 1, missesCount: 1, hitRatioMin: 0.5 })
  // A text that is written over one in the cache is there at once; a delete is worked out anew.
  await warp.set('r:1', 'y')
  for (let i = 0; i < 10; i++) await warp.get('r:1')
  expect(warp.stats().cache).toMatchObject({ entriesCount: 1, hitsCount: 2, missesCount: 1 })
  await warp.delete('r:1')
  await warp.get('r:1')
  expect(warp.stats().cache).toMatchObject({ entriesCount: 1, hitsCount: 2, missesCount: 2 })
})

test('values are weighed where their bytes have a bound, and not otherwise', async () => {
  await using free = await alone()
  await free.set('r:1', 'x'.repeat(100))
  free.peek('r:1')
  expect(free.stats().cache).not.toHaveProperty('bytes')
  expect(free.stats().cache).not.toHaveProperty('entriesMax')
  await using bounded = await alone({ bytesMax: 10_000, entriesMax: 50 })
  await bounded.set('r:1', 'x'.repeat(100))
  bounded.peek('r:1')
  const { bytes, bytesMax, entriesMax } = bounded.stats().cache
  expect([bytesMax, entriesMax]).toEqual([10_000, 50])
  expect(bytes).toBeGreaterThanOrEqual(100)
  expect(bytes).toBeLessThan(200)
})

test('a watch and a projection say how far behind they are', async () => {
  await using warp = await alone()
  const watch = warp.watch('r:*', { pendingCountMax: 5 })
  await using counts = await warp.project({
    name: 'counts',
    initial: () => 0,
    apply: (state: number, { key }) => {
      if (key === 'r:bad') throw new Error('cannot')
      return state + 1
    },
  })
  for (let i = 0; i < 3; i++) await warp.set('r:1', `${i}`)
  const { watches, projections } = warp.stats()
  expect(watches).toMatchObject([{ keys: 'r:*', behindCount: 3, pendingCountMax: 5 }])
  expect(watches[0]?.behindBytes).toBeGreaterThan(0)
  expect(projections).toMatchObject([{ name: 'counts', state: 'live', behindCount: 0, behindBytes: 0 }])
  const changes = watch[Symbol.asyncIterator]()
  for (let i = 0; i < 3; i++) await changes.next()
  expect(warp.stats().watches).toMatchObject([{ behindCount: 0, behindBytes: 0 }])

  await warp.set('r:bad', 'x')
  for (let i = 0; i < 2; i++) await warp.set('r:1', `${i}`)
  expect(warp.stats().projections).toMatchObject([{ state: 'failed', behindCount: 2 }])
  expect(warp.stats().projections[0]?.behindBytes).toBeGreaterThan(0)
  expect(() => counts.state).toThrow('cannot')
  await changes.return?.()
})

test('what replication sends and takes in is counted on both sides', async () => {
  await using replicas = await three()
  const { a, b, env } = replicas
  for (let i = 0; i < 5; i++) await a.key('n:1').increment()
  await env.advance(5000)
  const [sent, received] = [a.stats().replication?.sent, b.stats().replication?.received]
  expect(sent).toMatchObject({ operationsCount: 5, requestsCount: 0 })
  expect(received).toMatchObject({ operationsCount: 5 })
  for (const counts of [sent, received]) {
    expect(counts?.digestsCount).toBeGreaterThan(0)
    expect(counts?.framesCount).toBeGreaterThan(counts?.digestsCount ?? 0)
    expect(counts?.bytes).toBeGreaterThan(counts?.framesCount ?? 0)
  }
  expect(b.stats()).toMatchObject({ operations: { waitingCount: 0 }, replication: { membersCount: 2 } })
  await using warp = await alone()
  expect(warp.stats()).not.toHaveProperty('replication')
})

test('every queue has a bound, and none is fuller', async () => {
  await using replicas = await three()
  const { queues } = replicas.a.stats()
  expect(queues.map(({ name }) => name)).toContain('frames that wait to be processed')
  for (const { count, countMax, bytes = 0, bytesMax = Infinity } of queues) {
    expect(countMax).toBeGreaterThan(0)
    expect(count).toBeLessThanOrEqual(countMax)
    expect(bytes).toBeLessThanOrEqual(bytesMax)
  }
  expect(queues.find(({ name }) => name === 'peers')).toMatchObject({ count: 2 })
})

test('a member that has not acknowledged is named, with how much and since when, until it has', async () => {
  await using replicas = await three()
  const { a, c, env, network } = replicas
  expect(a.stats().compaction).toEqual({ waitingCount: 0, holds: [], replicas: [] })
  network.partition([['a', 'b'], ['c']])
  const cutMs = env.now()
  for (let i = 0; i < 4; i++) await a.set('r:1', `${i}`)
  await env.advance(20_000)
  const { replicas: lacking, standstill } = a.stats().compaction
  const named = lacking.find(({ name }) => name === 'c')
  expect(named).toMatchObject({ replica: c.replica, lacks: 'acknowledgement', missingCount: 4 })
  expect(named?.sinceMs).toBeGreaterThanOrEqual(cutMs)
  expect(named?.sinceMs).toBeLessThan(cutMs + 5000)
  expect(standstill).toBeUndefined()
  // More to acknowledge does not make the waiting any younger.
  await a.set('r:1', 'more')
  await env.advance(10_000)
  expect(a.stats().compaction.replicas.find(({ name }) => name === 'c')).toMatchObject({
    missingCount: 5,
    sinceMs: named?.sinceMs,
  })
  network.heal()
  await env.advance(20_000)
  expect(a.stats().compaction.replicas).toEqual([])
})
