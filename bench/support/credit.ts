/**
 * How far a sender may be ahead of its receiver. Sockets of datagrams have no such thing, and what
 * overflows there is lost, so the benches bring it along: the receiver tells, over a connection of
 * its own, how much has arrived, and the sender keeps to a window. Contestants that are raced have
 * the same window.
 */
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'

/** At the receiver. */
export class CreditSource {
  readonly #socket: Socket
  readonly #every: number
  #told = 0

  private constructor(socket: Socket, every: number) {
    this.#socket = socket
    this.#every = every
  }

  /** Tells the sender that listens on `port` after each `every` of what is counted. */
  static async open(port: number, every: number): Promise<CreditSource> {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    await once(socket, 'connect')
    return new CreditSource(socket, every)
  }

  reached(count: number): void {
    if (count - this.#told < this.#every) return
    this.#told = count
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32BE(count)
    this.#socket.write(bytes)
  }
}

/** At the sender. */
export class CreditWindow {
  readonly #server: Server
  #confirmed = 0
  #wake: (() => void) | undefined

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      let rest = Buffer.alloc(0)
      socket.on('data', (bytes) => {
        rest = Buffer.concat([rest, bytes])
        const whole = rest.length - (rest.length % 4)
        if (whole === 0) return
        this.#confirm(rest.readUInt32BE(whole - 4))
        rest = rest.subarray(whole)
      })
    })
  }

  static async open(): Promise<CreditWindow> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CreditWindow(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get confirmed(): number {
    return this.#confirmed
  }

  /** Waits until `count` is at least confirmed. */
  async until(count: number): Promise<void> {
    while (this.#confirmed < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #confirm(count: number): void {
    this.#confirmed = count
    this.#wake?.()
    this.#wake = undefined
  }
}
