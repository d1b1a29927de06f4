/** layered-loader as its documents have it: memory, Redis behind it, and a pair of notifications on Redis. */
import { Loader, RedisCache, createNotificationPair } from 'layered-loader'
import type { ClusterOptions, Contestant } from './contestant.ts'
import { NO_STORE } from './no-store.ts'
import { RedisClients } from './redis-clients.ts'
import type { RedisLinks } from './redis-links.ts'
import { openRivals, type RivalReplica } from './rival-cluster.ts'

export const LAYERED_LOADER: Contestant = {
  name: 'layered-loader',
  lacks: { ...NO_STORE, F: 'keeps no value behind its life', I: 'has no tags' },
  open: (options) => openRivals(options, open),
}

/** Then Redis is taken for failed, and the source is asked. */
const TIER_TIMEOUT_MS = 25

async function open(options: ClusterOptions, links: RedisLinks | undefined): Promise<RivalReplica> {
  const { source, prefix, lifeMs = 60_000, isRedisAway = false } = options
  const clients = new RedisClients()
  const logger = { error: () => undefined }
  const shared = (at: RedisLinks): object => {
    const channel = `${prefix}notifications`
    const pair = createNotificationPair<unknown>({
      ...{ channel, publisherRedis: clients.open(at.busUrl), consumerRedis: clients.open(at.busUrl) },
      errorHandler: () => undefined,
    })
    const tier = { prefix, json: true, ttlInMsecs: lifeMs, ...(isRedisAway ? { timeoutInMsecs: TIER_TIMEOUT_MS } : {}) }
    return {
      asyncCache: new RedisCache<unknown>(clients.open(at.tierUrl), tier),
      notificationConsumer: pair.consumer,
      notificationPublisher: pair.publisher,
    }
  }
  const loader = new Loader<unknown>({
    inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: lifeMs, maxItems: 1000 },
    dataSourceGetOneFn: source.load,
    ...{ throwIfLoadError: true, logger },
    ...(links === undefined ? {} : shared(links)),
  })
  if (!isRedisAway) await loader.init()
  return {
    read: (key) => loader.get(key),
    write: (key, value) => loader.forceSetValue(key, value),
    invalidate: (key) => loader.invalidateCacheFor(key),
    close: async () => {
      await loader.close().catch(() => undefined)
      clients.close()
    },
  }
}
