/** cacheable as its documents have it: memory, Redis behind it, and messages over Redis. */
import KeyvRedis, { createKeyvNonBlocking } from '@keyv/redis'
import { RedisMessageProvider } from '@qified/redis'
import { Cacheable } from 'cacheable'
import { Keyv } from 'keyv'
import type { ClusterOptions, Contestant } from './contestant.ts'
import { NO_STORE } from './no-store.ts'
import type { RedisLinks } from './redis-links.ts'
import { openRivals, type RivalReplica } from './rival-cluster.ts'

export const CACHEABLE: Contestant = {
  name: 'cacheable',
  lacks: { ...NO_STORE, F: 'keeps no value behind its life' },
  open: (options) => openRivals(options, open),
}

async function open(options: ClusterOptions, links: RedisLinks | undefined): Promise<RivalReplica> {
  const { source, lifeMs = 60_000, tag } = options
  const cache = new Cacheable({
    ttl: lifeMs,
    ...(tag === undefined ? {} : { tags: true }),
    ...(links === undefined ? {} : shared(options, links)),
  })
  cache.on('error', () => undefined)
  return {
    read: tag === undefined ? (key) => getOrSet(cache, key, source.load) : (key) => tagged(cache, key, options),
    write: (key, value) => cache.set(key, value, tag === undefined ? {} : { tags: [tag] }),
    invalidate: (key) => cache.delete(key),
    invalidateTag: (name) => cache.tags.invalidateTag(name),
    close: () => cache.disconnect(),
  }
}

interface Emitter {
  on(event: 'error', listener: () => void): unknown
}

/** Where Redis is not there its documents want a client that does not wait for it. */
function shared({ prefix, isRedisAway = false }: ClusterOptions, links: RedisLinks): object {
  const secondary = isRedisAway
    ? createKeyvNonBlocking(links.tierUrl, { namespace: prefix })
    : new Keyv({ store: new KeyvRedis(links.tierUrl), namespace: prefix })
  secondary.on('error', () => undefined)
  const provider = new RedisMessageProvider({ uri: links.busUrl })
  // It keeps its clients to itself and does not listen; the first lost connection would end the process.
  const { pub, sub } = provider as unknown as Record<'pub' | 'sub', Emitter>
  for (const client of [pub, sub]) client.on('error', () => undefined)
  return { secondary, nonBlocking: isRedisAway, namespace: prefix, sync: { qified: provider } }
}

function getOrSet(cache: Cacheable, key: string, load: (key: string) => Promise<unknown>): Promise<unknown> {
  return cache.getOrSet(key, () => load(key), { throwErrors: true })
}

/** `getOrSet` takes no tags. */
async function tagged(cache: Cacheable, key: string, { source, tag = '' }: ClusterOptions): Promise<unknown> {
  const found = await cache.get(key)
  if (found !== undefined) return found
  const value = await source.load(key)
  await cache.set(key, value, { tags: [tag] })
  return value
}
