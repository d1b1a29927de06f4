/** Replicas that meet on Redis or Valkey. */
import { optionNames, requireOptions } from '../../crdt/checked-options.ts'
import type { KeyMap } from '../../src/index.ts'
import {
  BROKER_PRESET_OPTIONS,
  brokerOptions,
  type BrokerPreset,
  type BrokerPresetOptions,
} from '../presets/broker-preset.ts'
import { redisOrderedLog } from './ordered/ordered-log.ts'
import { type RedisServerOptions, serverOf } from './server-options.ts'
import { redisTransport } from './transport/redis-transport.ts'

export type RedisPresetOptions<K extends KeyMap> = BrokerPresetOptions<K> & RedisServerOptions

const OPTIONS: readonly string[] = [
  ...BROKER_PRESET_OPTIONS,
  ...optionNames<RedisServerOptions>({ client: true, url: true, connect: true }),
]

/**
 * The options of an engine whose replicas meet on Redis or Valkey:
 *
 *     const warp = await openWarp(redisPreset({ name: 'shop-1', keys, url: 'redis://10.0.0.1:6379', persist: './data' }))
 *
 * With `strong` the server needs an append-only file, and may evict nothing: others are refused, and so are those
 * behind Sentinels. What it says otherwise than `openWarp` and `redisTransport` by themselves stands in docs/presets.md.
 * Throws `WARP_E_CONFIG`.
 */
export function redisPreset<const K extends KeyMap>(options: RedisPresetOptions<K>): BrokerPreset<K> {
  requireOptions('redisPreset', options, OPTIONS, "{ keys: { 'cart:*': set() }, url: 'redis://…' }")
  const way = serverOf(options)
  return brokerOptions<K>('redisPreset', options, {
    transport: (prefix) => redisTransport({ ...way, prefix }),
    order: (prefix) => redisOrderedLog({ ...way, prefix }),
  })
}
