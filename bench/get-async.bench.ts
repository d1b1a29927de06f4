/** The asynchronous read that most callers write, `await cache.get(key)`, one after the other. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import type { Running } from './support/measure.ts'
import { awaitedReads } from './support/reads.ts'
import { type User, type UserKey, uniformly, userKeys, userOf } from './support/users.ts'

export const question = 'What does `await get(key)` of a hot key cost, against bentocache with its defaults?'

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(100)
  const order = uniformly(context, keys, context.size(20_000))
  await context.compare({
    title: '`await get` of 100 hot keys',
    baseline: 'bentocache',
    operations: order.length,
    contestants: [
      { name: 'bentocache', open: () => openBento(keys, order) },
      { name: 'Warp', open: () => openUsers(keys, order) },
    ],
    goals: [{ of: 'Warp', atLeast: 10 }],
  })
}

async function openBento(keys: readonly UserKey[], order: readonly UserKey[]): Promise<Running> {
  const bento = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 100_000 })) },
  })
  for (const [i, key] of keys.entries()) await bento.set({ key, value: userOf(i) })
  return awaitedReads(
    order,
    async (key) => bento.get<User>({ key }),
    () => bento.disconnectAll(),
  )
}

async function openUsers(keys: readonly UserKey[], order: readonly UserKey[]): Promise<Running> {
  const warp = await openWarp({ keys: { 'user:*': register<User>() }, cache: { entriesMax: 100_000 } })
  for (const [i, key] of keys.entries()) await warp.set(key, userOf(i))
  return awaitedReads(
    order,
    (key) => warp.get(key),
    () => warp.close(),
  )
}
