/** What a reader's process talks to others over, with a plug: once it is pulled, nothing comes in and nothing goes out. */
import { kafkaTransport } from '../../adapters/kafka/index.ts'
import { meshTransport } from '../../adapters/mesh/index.ts'
import { nodeNetwork } from '../../adapters/mesh/sockets/node-network.ts'
import { natsTransport } from '../../adapters/nats/index.ts'
import type { Transport } from '../../adapters/node/index.ts'
import { redisTransport } from '../../adapters/redis/index.ts'
import { cutNetwork } from '../support/cut-network.ts'
import { KafkaProxies } from '../support/kafka-proxies.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

/** A broker is at `url`, and replicas that meet there share `name`. */
export type Between =
  | { readonly over: 'mesh'; readonly port: number; readonly peers: readonly string[] }
  | { readonly over: 'nats' | 'valkey' | 'kafka'; readonly url: string; readonly name: string }

export interface Plugged {
  readonly transport: Transport
  cut(): void
  heal(): void
}

export async function plugged(between: Between): Promise<Plugged> {
  if (between.over === 'mesh') {
    const { port, peers } = between
    const { network, cut, heal } = cutNetwork(nodeNetwork())
    const transport = meshTransport({ host: '127.0.0.1', port, peers, insecure: true, multicast: false, network })
    return { transport, cut, heal }
  }
  const { over, url, name } = between
  if (over === 'kafka') {
    const proxies = await KafkaProxies.before(url)
    const { socketFactory } = proxies
    return withProxies(proxies.all, kafkaTransport({ brokers: url, topic: name, connect: { socketFactory } }))
  }
  const { proxy, url: proxied } = await TcpProxy.before(url)
  const transport =
    over === 'nats'
      ? natsTransport({ servers: proxied, subject: name })
      : redisTransport({ url: proxied, prefix: name })
  return withProxies([proxy], transport)
}

function withProxies(proxies: readonly TcpProxy[], transport: Transport): Plugged {
  return {
    transport,
    cut: () => proxies.forEach((proxy) => proxy.away()),
    heal: () => proxies.forEach((proxy) => proxy.back()),
  }
}
