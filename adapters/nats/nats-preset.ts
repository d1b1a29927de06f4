/** Replicas that meet on NATS. */
import { optionNames, requireOptions } from '../../crdt/checked-options.ts'
import type { KeyMap } from '../../src/index.ts'
import {
  BROKER_PRESET_OPTIONS,
  brokerOptions,
  type BrokerPreset,
  type BrokerPresetOptions,
} from '../presets/broker-preset.ts'
import { type NatsServersOptions, serversOf } from './connect-options.ts'
import { natsOrderedLog } from './ordered/ordered-log.ts'
import { natsTransport } from './transport/nats-transport.ts'

export type NatsPresetOptions<K extends KeyMap> = BrokerPresetOptions<K> & NatsServersOptions

const OPTIONS: readonly string[] = [
  ...BROKER_PRESET_OPTIONS,
  ...optionNames<NatsServersOptions>({ connection: true, servers: true, connect: true }),
]

/**
 * The options of an engine whose replicas meet on NATS:
 *
 *     const servers = ['nats://10.0.0.1:4222', 'nats://10.0.0.2:4222', 'nats://10.0.0.3:4222']
 *     const warp = await openWarp(natsPreset({ name: 'shop-1', keys, servers, strong: true, persist: './data' }))
 *
 * With `strong` each record of the ordered log lies on three servers: a single server is refused. What it says otherwise
 * than `openWarp` and `natsTransport` by themselves stands in docs/presets.md. Throws `WARP_E_CONFIG`.
 */
export function natsPreset<const K extends KeyMap>(options: NatsPresetOptions<K>): BrokerPreset<K> {
  requireOptions('natsPreset', options, OPTIONS, "{ keys: { 'cart:*': set() }, servers: [...] }")
  const way = serversOf(options)
  return brokerOptions<K>('natsPreset', options, {
    transport: (subject) => natsTransport({ ...way, subject }),
    order: (stream) => natsOrderedLog({ ...way, stream, replicas: 3 }),
  })
}
