/**
 * What a write costs where memory stands before Redis and another replica has to hear of it. Each contestant has two
 * replicas in this process: Warp with Redis as its store and a mesh, bentocache with Redis as its second tier and as
 * its bus. Fifty callers write at once, each its own keys, so that it is known what Redis has to hold in the end.
 */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { openWarp } from '../adapters/node/index.ts'
import { redisStore } from '../adapters/redis/index.ts'
import { register } from '../crdt/index.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import type { BenchContext } from './support/bench.ts'
import type { Running } from './support/measure.ts'
import { RedisClients } from './support/rivals/redis-clients.ts'
import { openOnMesh } from './support/rivals/warp-mesh.ts'
import { type User, userOf } from './support/users.ts'

export const question = 'What does a `set` cost in a layer before Redis, with 50 callers at once?'

const CALLERS = 50
const KEYS_COUNT = 1000

interface Workload {
  readonly redisUrl: string
  /** In one batch. */
  readonly writes: number
}

export async function run(context: BenchContext): Promise<void> {
  const redis = await PrivateServer.startIfAny('valkey')
  if (redis === undefined) {
    context.report('nothing was measured', ['', ''], [['there is no Redis', 'scripts/servers install valkey']])
    return
  }
  const workload = { redisUrl: redis.url, writes: context.size(5000, 200) }
  try {
    await context.compare({
      title: `${CALLERS} callers write ${KEYS_COUNT.toLocaleString('en-US')} keys, each again when it has its answer`,
      baseline: 'bentocache',
      operations: workload.writes,
      rounds: 5,
      batches: 3,
      contestants: [
        { name: 'bentocache', open: () => openBento(workload) },
        { name: 'Warp, writes behind', open: () => openBehind(workload, false) },
        { name: 'Warp, until Redis has it', open: () => openBehind(workload, true) },
      ],
      goals: [{ of: 'Warp, writes behind', atLeast: 5 }],
    })
  } finally {
    await redis.close()
  }
}

/** What each key holds in the end. */
type Last = Map<string, User>

const USERS = Array.from({ length: KEYS_COUNT }, (_, i) => userOf(i))
let writtenCount = 0

/** Each caller writes its share of the keys, one after the other, and no value twice. */
async function callersWrite(writes: number, last: Last, set: (key: string, value: User) => Promise<unknown>) {
  const from = writtenCount
  writtenCount += writes
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let i = caller; i < writes; i += CALLERS) {
        const key = `user:${i % KEYS_COUNT}`
        const value = { ...USERS[i % KEYS_COUNT]!, age: from + i }
        last.set(key, value)
        await set(key, value)
      }
    }),
  )
}

/** Throws unless Redis holds what was written last. */
async function verifyLast(last: Last, read: (key: string) => Promise<unknown>): Promise<void> {
  for (const [key, value] of last) {
    const held = await read(key)
    if (!isDeepStrictEqual(held, value)) throw new Error(`${key} is ${JSON.stringify(held)} in Redis`)
  }
}

async function openBento({ redisUrl, writes }: Workload): Promise<Running> {
  const clients = new RedisClients()
  const tier = (): ReturnType<typeof redisDriver> => redisDriver({ connection: clients.open(redisUrl) })
  const open = () => {
    const store = bentostore()
      .useL1Layer(memoryDriver({ maxItems: 100_000 }))
      .useL2Layer(tier())
      .useBus(redisBusDriver({ connection: clients.open(redisUrl) }))
    return new BentoCache({ default: 'cache', stores: { cache: store } })
  }
  const [bento, other] = [open(), open()]
  const redisAlone = new BentoCache({ default: 'cache', stores: { cache: bentostore().useL2Layer(tier()) } })
  const last: Last = new Map()
  return {
    batch: () => callersWrite(writes, last, (key, value) => bento.set({ key, value })),
    verify: () => verifyLast(last, (key) => redisAlone.get({ key })),
    close: async () => {
      await Promise.all([bento, other, redisAlone].map((one) => one.disconnectAll()))
      clients.close()
    },
  }
}

let opened = 0

async function openBehind({ redisUrl, writes }: Workload, isWaiting: boolean): Promise<Running> {
  const clients = new RedisClients()
  const prefix = `warp-${opened++}:`
  const replicas = await openOnMesh({ count: 2 }, (transport) => {
    const store = redisStore(clients.open(redisUrl), { prefix })
    return openWarp({ keys: { 'user:*': { strategy: register<User>(), store } }, transports: [transport] })
  })
  const [warp, other] = replicas.map((replica) => replica.warp)
  const redis = clients.open(redisUrl)
  const last: Last = new Map()
  const stored = async (): Promise<void> => {
    while (warp!.stats().stores?.some(({ unstoredKeysCount }) => unstoredKeysCount > 0) === true) await pause(1)
  }
  return {
    batch: async () => {
      await callersWrite(writes, last, (key, value) => warp!.set(key as 'user:1', value))
      if (isWaiting) await stored()
    },
    verify: async () => {
      await stored()
      await verifyLast(last, async (key) => JSON.parse((await redis.get(prefix + key)) ?? 'null') as unknown)
      await verifyLast(last, (key) => other!.get(key as 'user:1'))
    },
    close: async () => {
      await Promise.all([warp!.close(), other!.close()])
      clients.close()
    },
  }
}
