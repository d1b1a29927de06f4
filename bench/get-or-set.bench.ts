/** The read that a service does most: what it asks for is in memory already. And what an invalidation costs. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { LRUCache } from 'lru-cache'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import type { Running } from './support/measure.ts'
import { awaitedReads } from './support/reads.ts'
import { type User, type UserKey, uniformly, userKeys, userOf } from './support/users.ts'

export const question = 'What does `await getOrSet` cost where a copy is in memory, and what an invalidation of many?'

const LIFE_MS = 3_600_000

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(1000)
  const order = uniformly(context, keys, context.size(20_000))
  await context.compare({
    title: '`await getOrSet` of 1,000 keys with a life, all in memory',
    baseline: 'lru-cache fetch',
    operations: order.length,
    contestants: [
      { name: 'lru-cache fetch', open: () => openLru(keys, order) },
      { name: 'Warp getOrSet', open: () => openUsers(keys, order) },
    ],
    goals: [{ of: 'Warp getOrSet', atLeast: 1 }],
  })
  await context.compare({
    title: 'the same, against bentocache with its memory layer',
    baseline: 'bentocache getOrSet',
    operations: order.length,
    contestants: [
      { name: 'bentocache getOrSet', open: () => openBento(keys, order) },
      { name: 'Warp getOrSet', open: () => openUsers(keys, order) },
    ],
    goals: [{ of: 'Warp getOrSet', atLeast: 10 }],
  })
  await invalidating(context)
}

/** The one loader of all contestants. */
function load(key: string): User {
  return userOf(Number(key.slice('user:'.length)))
}

async function openLru(keys: readonly UserKey[], order: readonly UserKey[]): Promise<Running> {
  const cache = new LRUCache<UserKey, User>({ max: 100_000, ttl: LIFE_MS, fetchMethod: async (key) => load(key) })
  for (const key of keys) await cache.fetch(key)
  return awaitedReads(
    order,
    (key) => cache.fetch(key),
    async () => {
      cache.clear()
    },
  )
}

async function openBento(keys: readonly UserKey[], order: readonly UserKey[]): Promise<Running> {
  const bento = new BentoCache({
    default: 'memory',
    ttl: LIFE_MS,
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 100_000 })) },
  })
  const get = (key: UserKey): Promise<User> => bento.getOrSet({ key, factory: () => load(key) })
  for (const key of keys) await get(key)
  return awaitedReads(order, get, () => bento.disconnectAll())
}

async function openUsers(keys: readonly UserKey[], order: readonly UserKey[]): Promise<Running> {
  const warp = await openWarp({ keys: { 'user:*': { strategy: register<User>(), load: 'caller', ttlMs: LIFE_MS } } })
  for (const key of keys) await warp.getOrSet(key, load)
  return awaitedReads(
    order,
    (key) => warp.getOrSet(key, load),
    () => warp.close(),
  )
}

const WARM_UP = 50
const ROUNDS = 31

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
}

/** How long the call, and the first read after it, hold the event loop. */
async function invalidating(context: BenchContext): Promise<void> {
  const count = context.size(1_000_000, 10_000)
  const warp = await openWarp({
    keys: { 'page:*': { strategy: register<string>(), load: 'caller', ttlMs: LIFE_MS } },
    copies: { entriesMax: count },
  })
  for (let from = 0; from < count; from += 1000) {
    const keys = Array.from({ length: 1000 }, (_, i) => `page:${from + i}` as const)
    await warp.getOrSetMany(keys, (missing) => missing.map((key) => [key, 'a page']))
  }
  // As it is in a service, and not in the first call of a process.
  for (let i = 0; i < WARM_UP; i++) await warp.invalidate(`page:${i}*`)
  const held: number[][] = [[], [], []]
  for (let i = 0; i < ROUNDS; i++) {
    const calls = [() => void warp.invalidate('page:*'), () => warp.peek('page:1'), () => warp.peek('page:2')]
    for (const [which, call] of calls.entries()) {
      const start = performance.now()
      call()
      held[which]?.push(performance.now() - start)
    }
    await warp.getOrSetMany(['page:1', 'page:2'], (missing) => missing.map((key) => [key, 'a page']))
  }
  context.report(
    `an invalidation of a pattern that matches ${count.toLocaleString('en-US')} copies: how long the event loop is held`,
    ['', 'ms'],
    [
      ['invalidate', median(held[0]).toFixed(3)],
      ['the first read', median(held[1]).toFixed(3)],
      ['the second read', median(held[2]).toFixed(3)],
    ],
  )
  context.goal('longest hold, ms', Math.max(...held.map(median)), { atMost: 1 })
  await warp.close()
}
