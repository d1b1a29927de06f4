/** A proxy between a client and a server that can hold everything back, or cut all connections, for one test alone. */
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'

export class TcpProxy {
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #isHolding = false

  private constructor(host: string, port: number) {
    this.#server = net.createServer((client) => {
      const upstream = net.connect(port, host)
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from)
        from.on('data', (chunk) => void to.write(chunk))
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
        // Whoever is at the other end is told by its own socket.
        from.on('error', () => undefined)
        if (this.#isHolding) from.pause()
      }
    })
  }

  /** In front of the server of an address; gives the address to connect to. */
  static async before(url: string): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
    const address = new URL(url)
    const proxy = new TcpProxy(address.hostname, Number(address.port))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    address.port = String((proxy.#server.address() as AddressInfo).port)
    return { proxy, url: address.toString() }
  }

  /** Connections stay open and nothing passes: a server that stands still. */
  hold(): void {
    this.#isHolding = true
    for (const socket of this.#sockets) socket.pause()
  }

  release(): void {
    this.#isHolding = false
    for (const socket of this.#sockets) socket.resume()
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
