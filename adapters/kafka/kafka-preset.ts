/** Replicas that meet on Kafka. */
import { optionNames, requireOptions } from '../../crdt/checked-options.ts'
import type { KeyMap } from '../../src/index.ts'
import {
  BROKER_PRESET_OPTIONS,
  brokerOptions,
  type BrokerPreset,
  type BrokerPresetOptions,
} from '../presets/broker-preset.ts'
import type { KafkaBrokersOptions } from './brokers-options.ts'
import { kafkaOrderedLog } from './ordered/ordered-log.ts'
import { kafkaTransport } from './transport/kafka-transport.ts'

export type KafkaPresetOptions<K extends KeyMap> = BrokerPresetOptions<K> & KafkaBrokersOptions

const OPTIONS: readonly string[] = [
  ...BROKER_PRESET_OPTIONS,
  ...optionNames<KafkaBrokersOptions>({ brokers: true, connect: true }),
]

/**
 * The options of an engine whose replicas meet on Kafka:
 *
 *     const brokers = '10.0.0.1:9092,10.0.0.2:9092,10.0.0.3:9092'
 *     const warp = await openWarp(kafkaPreset({ name: 'shop-1', keys, brokers, strong: true, persist: './data' }))
 *
 * With `strong` each record of the ordered log lies on three brokers: a single one is refused. What it says otherwise
 * than `openWarp` and `kafkaTransport` by themselves stands in docs/presets.md. Throws `WARP_E_CONFIG`.
 */
export function kafkaPreset<const K extends KeyMap>(options: KafkaPresetOptions<K>): BrokerPreset<K> {
  requireOptions('kafkaPreset', options, OPTIONS, "{ keys: { 'cart:*': set() }, brokers: '…' }")
  const { brokers, connect } = options
  const way = { ...(brokers === undefined ? {} : { brokers }), ...(connect === undefined ? {} : { connect }) }
  return brokerOptions<K>('kafkaPreset', options, {
    transport: (topic) => kafkaTransport({ ...way, topic }),
    order: (topic) => kafkaOrderedLog({ ...way, topic }),
  })
}
