/** bentocache as its documents have it for several instances: memory, Redis behind it, and a bus on Redis. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import type { ClusterOptions, Contestant } from './contestant.ts'
import { NO_STORE } from './no-store.ts'
import { RedisClients } from './redis-clients.ts'
import type { RedisLinks } from './redis-links.ts'
import { openRivals, type RivalReplica } from './rival-cluster.ts'

export const BENTOCACHE: Contestant = {
  name: 'bentocache',
  lacks: NO_STORE,
  open: (options) => openRivals(options, open),
}

/** After a failure of the second tier it is left alone for so long. */
const BREAKER_MS = 1000

async function open(options: ClusterOptions, links: RedisLinks | undefined): Promise<RivalReplica> {
  const { source, prefix, lifeMs = 60_000, staleMs = 0, throttleMs, isPlain = false, tag } = options
  const clients = new RedisClients()
  const store = bentostore({ prefix }).useL1Layer(memoryDriver({ serialize: !isPlain }))
  if (links !== undefined) {
    store.useL2Layer(redisDriver({ connection: clients.open(links.tierUrl) }))
    store.useBus(redisBusDriver({ connection: clients.open(links.busUrl) }))
  }
  const bento = new BentoCache({
    ...{ default: 'cache', stores: { cache: store }, ttl: lifeMs, l2CircuitBreakerDuration: BREAKER_MS },
    ...(staleMs > 0 ? { grace: staleMs } : {}),
    ...(throttleMs === undefined ? {} : { graceBackoff: throttleMs }),
  })
  const tags = tag === undefined ? {} : { tags: [tag] }
  return {
    read: (key) => bento.getOrSet({ key, factory: () => source.load(key), ...tags }),
    write: (key, value) => bento.set({ key, value, ...tags }),
    invalidate: (key) => bento.delete({ key }),
    invalidateTag: (name) => bento.deleteByTag({ tags: [name] }),
    close: async () => {
      await bento.disconnectAll().catch(() => undefined)
      clients.close()
    },
  }
}
