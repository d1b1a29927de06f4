/** What says that it is a NATS server of some version, and has no JetStream: nobody answers what it is asked. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

export interface FakeNatsOptions {
  readonly version: string
  readonly cluster?: string
  readonly port?: number
}

export class FakeNats {
  /** What was published or asked. */
  readonly subjects: string[] = []
  connectionsCount = 0
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  private constructor({ version, cluster }: FakeNatsOptions) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined)
      const info = { server_id: 'fake', server_name: 'fake', version, go: '', host: '127.0.0.1', port: 0, proto: 1 }
      const more = { headers: true, max_payload: 1_048_576, client_id: 1, jetstream: false }
      socket.write(`INFO ${JSON.stringify({ ...info, ...more, ...(cluster === undefined ? {} : { cluster }) })}\r\n`)
      let rest = ''
      socket.on('data', (bytes) => {
        const lines = (rest + bytes.toString('latin1')).split('\r\n')
        rest = lines.pop() ?? ''
        for (const line of lines) this.#heard(socket, line)
      })
    })
  }

  static async start(options: FakeNatsOptions): Promise<FakeNats> {
    const fake = new FakeNats(options)
    fake.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(fake.#server, 'listening')
    return fake
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #heard(socket: net.Socket, line: string): void {
    const [verb, subject = '', second = ''] = line.split(' ')
    if (verb === 'CONNECT') this.connectionsCount++
    else if (verb === 'PING') socket.write('PONG\r\n')
    else if (verb === 'SUB') this.#subscriptions.set(subject.replace('*', ''), second)
    else if (verb === 'PUB' || verb === 'HPUB') this.#published(socket, line.split(' '))
  }

  readonly #subscriptions = new Map<string, string>()

  /** Nobody is there to answer. */
  #published(socket: net.Socket, [, subject = '', reply = '']: readonly string[]): void {
    this.subjects.push(subject)
    const sid = [...this.#subscriptions].find(([beginning]) => reply.startsWith(beginning))?.[1]
    const status = 'NATS/1.0 503\r\n\r\n'
    if (sid !== undefined) socket.write(`HMSG ${reply} ${sid} ${status.length} ${status.length}\r\n${status}\r\n`)
  }
}
