/** What `redisStore` takes, with defaults and bounds. */
import type { Cluster, Redis } from 'ioredis'
import { checkOptions, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import type { StoreCodec } from '../../../src/ports/primary-store.ts'
import { codecOf } from '../../../src/ports/stores/codecs.ts'

/** A client of ioredis, of one server or of a cluster. */
export type RedisClient = Redis | Cluster

export interface RedisStoreOptions {
  /** In front of each key's name in Redis. Default: none. */
  readonly prefix?: string
  /**
   * In front of the names under which meta and token are kept, a hash beside each value. No key may
   * begin so. Default `warp:`.
   */
  readonly metaPrefix?: string
  /**
   * After this time a tombstone goes by itself. Default 0: never, the engine purges tombstones when
   * it is safe.
   */
  readonly tombstoneMs?: number
  /** Shown to people, behind `redis:`. Default: the prefix, or `rows`. */
  readonly name?: string
  readonly codec?: 'json' | 'bytes' | StoreCodec
}

export interface RedisSettings {
  readonly prefix: string
  readonly metaPrefix: string
  readonly tombstoneMs: number
  readonly name: string
  readonly codec: StoreCodec
  readonly isCluster: boolean
}

const OPTIONS = optionNames<RedisStoreOptions>({
  prefix: true,
  metaPrefix: true,
  tombstoneMs: true,
  name: true,
  codec: true,
})

export function redisSettings(client: RedisClient, options: RedisStoreOptions): RedisSettings {
  checkOptions('redisStore', options, OPTIONS)
  checkClient(client)
  const { prefix = '', metaPrefix = 'warp:', tombstoneMs = 0, name } = options
  for (const [option, value] of Object.entries({ prefix, metaPrefix, ...(name === undefined ? {} : { name }) }))
    if (typeof value !== 'string') throw refusedOption('redisStore', option, value, 'give a string')
  // A brace would be taken for the beginning of a hash tag.
  if (metaPrefix === '' || metaPrefix.includes('{'))
    throw refusedOption('redisStore', 'metaPrefix', metaPrefix, 'give a string of one character or more, without {')
  if (!isWholeFrom(tombstoneMs, 0))
    throw refusedOption('redisStore', 'tombstoneMs', tombstoneMs, 'give milliseconds, or 0 for never')
  return {
    prefix,
    metaPrefix,
    tombstoneMs,
    name: name ?? (prefix === '' ? 'rows' : prefix),
    codec: codecOf('redisStore', options.codec),
    isCluster: client.isCluster,
  }
}

function checkClient(client: RedisClient): void {
  const given: unknown = client
  const isClient =
    typeof given === 'object' && given !== null && typeof (given as RedisClient).callBuffer === 'function'
  if (!isClient) throw refusedOption('redisStore', 'client', given, 'give a client of ioredis')
  const { keyPrefix } = client.options
  if (keyPrefix === undefined || keyPrefix === '') return
  // ioredis puts it before both names: on a cluster value and meta would be on different nodes.
  const remedy = "leave it out, and give redisStore's option prefix"
  throw refusedOption("redisStore: the client's options", 'keyPrefix', keyPrefix, remedy)
}
