/** Warp, on a mesh of its own: before the source, or with Redis as the store that it writes. */
import { nodeEnv, openWarp } from '../../../adapters/node/index.ts'
import { redisStore } from '../../../adapters/redis/index.ts'
import { register } from '../../../crdt/index.ts'
import type { Cluster, ClusterOptions, Contestant } from './contestant.ts'
import { RedisClients } from './redis-clients.ts'
import { RedisLinks } from './redis-links.ts'
import { openOnMesh } from './warp-mesh.ts'

export const WARP: Contestant = { name: 'Warp', lacks: {}, open }

/** Longer than a load takes: one replica loads for all of them. */
const CLUSTER_WAIT_MS = 2000

async function open(options: ClusterOptions): Promise<Cluster> {
  const { count, ports, redisUrl, isRedisStore = false, isRedisAway = false, source, aheadMs = 0, prefix } = options
  const clients = new RedisClients()
  const links: RedisLinks[] = []
  const keysOf = (link: RedisLinks | undefined): object =>
    link === undefined
      ? { load: (key: string) => source.load(rowOf(key)), loads: 'cluster', clusterWaitMs: CLUSTER_WAIT_MS }
      : { store: redisStore(clients.open(link.tierUrl), { prefix }) }
  for (let i = 0; i < count && isRedisStore && redisUrl !== undefined; i++)
    links.push(await RedisLinks.open(redisUrl, isRedisAway))
  const replicas = await openOnMesh({ count, ...(ports === undefined ? {} : { ports }) }, async (transport, which) => {
    const env = nodeEnv()
    return openWarp({
      keys: { 'k:*': { strategy: register<unknown>(), ...livesOf(options), ...keysOf(links[which]) } },
      transports: [transport],
      env: which === count - 1 ? { ...env, now: () => env.now() + aheadMs } : env,
      // What fails is told to who waits for it.
      observe: () => undefined,
    })
  })
  return {
    replicas: replicas.map(({ warp, cutOff, rejoin }, i) => ({
      read: (row) => (isRedisStore ? warp.getOrSet(`k:${row}`, () => source.load(row)) : warp.get(`k:${row}`)),
      write: (row, value) => warp.set(`k:${row}`, value),
      invalidate: (row) => warp.invalidate(`k:${row}`),
      invalidateTag: (tag) => warp.invalidateTag(tag),
      holdAnswers: () => links[i]?.holdAnswers(),
      release: () => links[i]?.release(),
      ...{ cutOff, rejoin },
    })),
    appear: async () => {
      for (const link of links) await link.appear()
    },
    close: async () => {
      await Promise.all(replicas.map(({ warp }) => warp.close()))
      clients.close()
      await Promise.all(links.map((link) => link.close()))
    },
  }
}

function rowOf(key: string): string {
  return key.slice('k:'.length)
}

function livesOf({ lifeMs, staleMs, throttleMs, tag }: ClusterOptions): object {
  return {
    ...(lifeMs === undefined ? {} : { ttlMs: lifeMs }),
    ...(staleMs === undefined ? {} : { staleMs }),
    ...(throttleMs === undefined ? {} : { throttleMs }),
    ...(tag === undefined ? {} : { tags: () => [tag] }),
  }
}
