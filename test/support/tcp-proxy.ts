/** A proxy between a client and a server that can hold everything back, or cut all connections, for one test alone. */
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'

export class TcpProxy {
  readonly #server: net.Server
  readonly #clients = new Set<net.Socket>()
  readonly #upstreams = new Set<net.Socket>()
  #isHolding = false
  #isHoldingAnswers = false
  #isAway = false
  #connectionsCount = 0
  #bytesSaid = 0

  private constructor(host: string, port: number) {
    this.#server = net.createServer((client) => {
      this.#connectionsCount++
      if (this.#isAway) {
        client.destroy()
        return
      }
      const upstream = net.connect(port, host)
      this.#carry(client, upstream, this.#clients)
      client.on('data', ({ length }: Buffer) => void (this.#bytesSaid += length))
      this.#carry(upstream, client, this.#upstreams)
      if (this.#isHolding) client.pause()
      if (this.#isHolding || this.#isHoldingAnswers) upstream.pause()
    })
  }

  /** In front of the server of an address, on a free port or that one; gives the address to connect to. */
  static async before(to: string, port = 0): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
    const address = new URL(to)
    const proxy = new TcpProxy(address.hostname, Number(address.port))
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    address.port = String((proxy.#server.address() as AddressInfo).port)
    return { proxy, url: address.toString() }
  }

  /** How often somebody has connected, also while nobody listens behind it. */
  get connectionsCount(): number {
    return this.#connectionsCount
  }

  /** What clients have said to the server. */
  get bytesSaid(): number {
    return this.#bytesSaid
  }

  /** Connections stay open and nothing passes: a server that stands still. */
  hold(): void {
    this.#isHolding = true
    for (const socket of [...this.#clients, ...this.#upstreams]) socket.pause()
  }

  /** The server is asked, and what it says arrives after `release`. */
  holdAnswers(): void {
    this.#isHoldingAnswers = true
    for (const socket of this.#upstreams) socket.pause()
  }

  release(): void {
    this.#isHolding = false
    this.#isHoldingAnswers = false
    for (const socket of [...this.#clients, ...this.#upstreams]) socket.resume()
  }

  cut(): void {
    for (const socket of [...this.#clients, ...this.#upstreams]) socket.destroy()
  }

  /** All connections are cut, and so is each new one, until it is `back`. */
  away(): void {
    this.#isAway = true
    this.cut()
  }

  back(): void {
    this.#isAway = false
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #carry(from: net.Socket, to: net.Socket, sockets: Set<net.Socket>): void {
    sockets.add(from)
    from.on('data', (chunk) => void to.write(chunk))
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    // Whoever is at the other end is told by its own socket.
    from.on('error', () => undefined)
  }
}
