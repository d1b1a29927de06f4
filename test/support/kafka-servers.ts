/**
 * Kafka brokers for one test alone, which may stop, kill and start them again. Their program is installed by
 * `scripts/servers` if it is not there yet.
 */
import { type KafkaServer, type KafkaSettings, startKafka, startKafkaAgain } from '../../tools/servers/kafka.mjs'
import { ServerNode, ServerNodes } from './server-nodes.ts'

export class KafkaServers extends ServerNodes<KafkaServer> {
  static async start(settings: KafkaSettings = {}): Promise<KafkaServers> {
    const { nodes, folder } = await startKafka(settings)
    return new KafkaServers(
      nodes.map((node) => new ServerNode(node, startKafkaAgain)),
      folder,
    )
  }
}
