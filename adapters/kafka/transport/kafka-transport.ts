/** `kafkaTransport`: the options, checked, and the transport that is opened with them. */
import type { Transport } from '../../../src/index.ts'
import { PacketLink } from '../../broker/packets/packet-link.ts'
import { KafkaWay } from './kafka-way.ts'
import { type KafkaTransportOptions, transportSettings } from './options.ts'

/**
 * Replicas that hear each other over a topic of Kafka, which is made if it is not there: what is for all
 * in its first partition, what is for one in another. What is lost on the way replication repairs.
 *
 * ```ts
 * kafkaTransport({ brokers: '10.0.0.1:9092,10.0.0.2:9092', topic: 'app.warp' })
 * ```
 * Throws `WARP_E_CONFIG`; `open` rejects with `WARP_E_TRANSPORT` if nobody answers, and with
 * `WARP_E_AUTH`.
 */
export function kafkaTransport(options: KafkaTransportOptions = {}): Transport {
  const settings = transportSettings(options)
  return {
    kind: 'broadcast',
    name: settings.name,
    open: async (receiver) => {
      const where = `the topic ${settings.topic}`
      const way = (address: string, heard: (packet: Buffer) => void): KafkaWay => new KafkaWay(settings, address, heard)
      const link = new PacketLink({ ...settings, where, way }, receiver)
      await link.begin()
      return link
    },
  }
}
