/** `kafkaOrderedLog`: the options, checked, and the log that is opened with them. */
import type { OrderedLog, OrderedLogLink, OrderedLogReceiver } from '../../../src/ports/ordered-log.ts'
import { Connection } from '../connection.ts'
import { KafkaLogLink } from './log-link.ts'
import { LogTopics } from './log-topics.ts'
import { type KafkaOrderedLogOptions, type KafkaOrderedLogSettings, orderedLogSettings } from './options.ts'

/**
 * An ordered log in a topic of Kafka, which is made if it is not there, as is one for snapshots. A record
 * is a message; its place follows from its offset.
 *
 * ```ts
 * kafkaOrderedLog({ brokers: '10.0.0.1:9092,10.0.0.2:9092', topic: 'orders' })
 * ```
 * Throws `WARP_E_CONFIG`. `open` rejects with `WARP_E_BROKER_UNFIT` where a setting of the topics may lose
 * records, with `WARP_E_TRANSPORT` where nobody answers, and with `WARP_E_AUTH`.
 */
export function kafkaOrderedLog(options: KafkaOrderedLogOptions): OrderedLog {
  const settings = orderedLogSettings(options)
  return { kind: 'ordered', name: settings.name, open: (receiver) => open(settings, receiver) }
}

async function open(settings: KafkaOrderedLogSettings, receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
  const { name: what, brokers, clock, pingMs, partitions } = settings
  const topics = new LogTopics(settings)
  const { records: topic, names, look } = topics
  const followed = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const connection = new Connection({ what, brokers, clock, pingMs, topics: names, followed: () => followed, look })
  await connection.open()
  return new KafkaLogLink({ settings, connection, topics, receiver })
}
