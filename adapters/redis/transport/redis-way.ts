/** How packets go over Redis: what is for all to one channel, what is for one to a channel of its own. */
import type { PacketWay } from '../../broker/packets/packet-link.ts'
import { ALL } from '../../broker/packets/packet-link.ts'
import type { ConnectionListener } from '../../broker/reconnection.ts'
import type { WarpError } from '../../../src/index.ts'
import { Connection, connectionError, type Lines } from '../connection.ts'
import type { RedisTransportSettings } from './options.ts'

export class RedisWay implements PacketWay {
  readonly #settings: RedisTransportSettings
  readonly #connection: Connection
  readonly #address: string
  readonly #heard: (packet: Buffer) => void

  constructor(settings: RedisTransportSettings, address: string, heard: (packet: Buffer) => void) {
    this.#settings = settings
    this.#address = address
    this.#heard = heard
    const { clock, name: what, server, pingMs } = settings
    this.#connection = new Connection({ what, server, clock, pingMs, prepare: (lines) => this.#prepare(lines) })
  }

  get isUp(): boolean {
    return this.#connection.isUp
  }

  get error(): WarpError {
    return this.#connection.error
  }

  open(): Promise<void> {
    return this.#connection.open()
  }

  listen(listener: ConnectionListener): () => void {
    return this.#connection.listen(listener)
  }

  async publish(to: string, packet: Buffer): Promise<unknown> {
    const { lines } = this.#connection
    if (lines === undefined) throw this.#connection.error
    try {
      // How many have received it is no answer: Redis counts connections of this server, and no replicas.
      return await lines.commands.publish(this.#channelOf(to), packet)
    } catch (error) {
      throw connectionError(String(error), error)
    }
  }

  close(): void {
    this.#connection.close()
  }

  async #prepare({ subscriptions }: Lines): Promise<void> {
    subscriptions.on('messageBuffer', (_channel: Buffer, packet: Buffer) => this.#heard(packet))
    try {
      await subscriptions.subscribe(this.#channelOf(ALL), this.#channelOf(this.#address))
    } catch (error) {
      const { name, prefix } = this.#settings
      throw connectionError(`${name}: subscribing to channels of '${prefix}:' did not succeed: ${String(error)}`, error)
    }
  }

  #channelOf(to: string): string {
    return to === ALL ? `${this.#settings.prefix}:all` : `${this.#settings.prefix}:to:${to}`
  }
}
