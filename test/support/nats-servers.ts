/**
 * NATS servers for one test alone, which may stop, kill and start them again: one, or a cluster of three. Their programs
 * are installed by `scripts/servers` if they are not there yet.
 */
import {
  type NatsServer,
  type NatsSettings,
  startNats,
  startNatsAgain,
  startNatsCluster,
} from '../../tools/servers/nats.mjs'
import { ServerNode, ServerNodes } from './server-nodes.ts'

export type NatsNode = ServerNode<NatsServer>

export class NatsServers extends ServerNodes<NatsServer> {
  static async single(settings: NatsSettings = {}): Promise<NatsServers> {
    return new NatsServers([new ServerNode(await startNats(settings), startNatsAgain)], undefined)
  }

  static async cluster(settings: NatsSettings = {}): Promise<NatsServers> {
    const { nodes, folder } = await startNatsCluster(settings)
    return new NatsServers(
      nodes.map((node) => new ServerNode(node, startNatsAgain)),
      folder,
    )
  }
}
