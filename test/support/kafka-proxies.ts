/** Proxies between a client and all brokers of a Kafka: a client asks brokers where they are, so its sockets are led here. */
import net from 'node:net'
import type { KafkaSocketFactory } from '../../adapters/kafka/index.ts'
import { TcpProxy } from './tcp-proxy.ts'

export class KafkaProxies {
  readonly #proxies: ReadonlyMap<number, { readonly proxy: TcpProxy; readonly port: number }>

  private constructor(proxies: ReadonlyMap<number, { readonly proxy: TcpProxy; readonly port: number }>) {
    this.#proxies = proxies
  }

  /** `brokers`: with commas between. */
  static async before(brokers: string): Promise<KafkaProxies> {
    const proxies = new Map<number, { readonly proxy: TcpProxy; readonly port: number }>()
    for (const broker of brokers.split(',')) {
      const { proxy, url } = await TcpProxy.before(`tcp://${broker}`)
      proxies.set(Number(new URL(`tcp://${broker}`).port), { proxy, port: Number(new URL(url).port) })
    }
    return new KafkaProxies(proxies)
  }

  /** For `connect` of a log or a transport. */
  readonly socketFactory: KafkaSocketFactory = ({ port, onConnect }) =>
    net.connect({ host: '127.0.0.1', port: this.#proxies.get(port)?.port ?? port }, onConnect)

  get all(): readonly TcpProxy[] {
    return [...this.#proxies.values()].map(({ proxy }) => proxy)
  }

  /** In front of the broker that listens on the port. */
  at(port: number): TcpProxy {
    return this.#proxies.get(port)!.proxy
  }

  async close(): Promise<void> {
    for (const proxy of this.all) await proxy.close()
  }
}
