/** The brokers that histories of strong keys run on: servers of the test's own, which may go and come back. */
import { kafkaOrderedLog } from '../../../adapters/kafka/index.ts'
import { natsOrderedLog } from '../../../adapters/nats/index.ts'
import { redisOrderedLog } from '../../../adapters/redis/index.ts'
import type { OrderedLog } from '../../../src/ports/ordered-log.ts'
import { byExtent } from '../../support/extent.ts'
import { KafkaProxies } from '../../support/kafka-proxies.ts'
import { KafkaServers } from '../../support/kafka-servers.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { PrivateServer } from '../../support/private-server.ts'
import { type ServerName, serverUrl } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

/** A server of a broker. */
export interface BrokerNode {
  /** Settles when it is gone. */
  end(how: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** At the same port, with the same data. */
  startAgain(): Promise<void>
}

/** How one replica comes to the broker: through proxies, which lose answers when they are told to. */
export interface BrokerWay {
  readonly proxies: readonly TcpProxy[]
  /** Another client with each call. */
  readonly order: () => OrderedLog
}

export interface Broker {
  readonly nodes: readonly BrokerNode[]
  /** The log of a name, straight from the servers. */
  order(log: string): OrderedLog
  /** The same one, for the replica of a number. */
  way(log: string, replica: number): Promise<BrokerWay>
  close(): Promise<void>
}

export interface BrokerKind {
  /** Its tests run where this one has been started, though they use others. */
  readonly server: ServerName
  readonly title: string
  readonly start: () => Promise<Broker>
}

export const BROKERS: readonly BrokerKind[] = [
  { server: 'nats', title: 'a JetStream cluster of three', start: startNats },
  { server: 'valkey', title: 'a Redis that flushes each record', start: startRedis },
  { server: 'kafka', title: 'a Kafka of three brokers', start: startKafka },
]

async function startNats(): Promise<Broker> {
  const cluster = await NatsServers.cluster()
  const connect = { ignoreClusterUpdates: true }
  return {
    nodes: cluster.nodes,
    order: (stream) => natsOrderedLog({ servers: cluster.urls, stream }),
    way: async (stream, replica) => {
      const { proxy, url } = await TcpProxy.before(cluster.urls[replica % cluster.urls.length] as string)
      return { proxies: [proxy], order: () => natsOrderedLog({ servers: url, stream, connect }) }
    },
    close: () => cluster.close(),
  }
}

async function startRedis(): Promise<Broker> {
  const server = await PrivateServer.start('valkey')
  return {
    nodes: [server],
    order: (prefix) => redisOrderedLog({ url: server.url, prefix }),
    way: async (prefix) => {
      const { proxy, url } = await TcpProxy.before(server.url)
      return { proxies: [proxy], order: () => redisOrderedLog({ url, prefix }) }
    },
    close: () => server.close(),
  }
}

/** Three brokers take half a minute to start: where little is asked for, those that run are used, and none of them goes. */
async function startKafka(): Promise<Broker> {
  const isOwn = byExtent({ some: false, all: true, soak: true })
  const servers = isOwn ? await KafkaServers.start() : undefined
  const brokers = servers?.urls.join(',') ?? serverUrl('kafka') ?? ''
  const topicOf = (log: string): string => `${log}-${process.pid}`
  return {
    nodes: servers?.nodes ?? [],
    order: (log) => kafkaOrderedLog({ brokers, topic: topicOf(log) }),
    way: async (log) => {
      const proxies = await KafkaProxies.before(brokers)
      const connect = { socketFactory: proxies.socketFactory }
      return { proxies: proxies.all, order: () => kafkaOrderedLog({ brokers, topic: topicOf(log), connect }) }
    },
    close: async () => servers?.close(),
  }
}
