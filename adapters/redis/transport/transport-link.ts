/** An open transport: frames in packets, to all and to one, and who is there. */
import { WarpError } from '../../../src/index.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import type { PeerAddress, TransportLink, TransportPeer, TransportReceiver } from '../../../src/ports/transport.ts'
import { readPart } from '../../broker/frame-parts.ts'
import { randomHex, settledWithin } from '../../broker/platform-clock.ts'
import { Presence } from '../../broker/presence.ts'
import { Reassembly } from '../../broker/reassembly.ts'
import { TransportTroubles } from '../../broker/transport-troubles.ts'
import { Connection, connectionError, type Lines } from '../connection.ts'
import type { RedisTransportSettings } from './options.ts'
import { Outgoing } from './outgoing.ts'
import { type Entry, FORMAT, OtherFormat, type Packet, readPacket } from './packets.ts'

const ADDRESS_BYTES = 8
const ADDRESS = /^[0-9a-f]{16}$/
/** What closing waits for what was said last. */
const CLOSE_MS = 1000

export class RedisTransportLink implements TransportLink {
  readonly frameBytesMax: number = FRAME_BYTES_MAX
  readonly #settings: RedisTransportSettings
  readonly #connection: Connection
  readonly #receiver: TransportReceiver
  readonly #address: string
  readonly #all: string
  readonly #outgoing: Outgoing
  readonly #reassembly = new Reassembly()
  readonly #troubles: TransportTroubles
  #presence: Presence | undefined
  #lastSaid: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(settings: RedisTransportSettings, receiver: TransportReceiver) {
    this.#settings = settings
    this.#receiver = receiver
    const { clock, queueBytesMax, prefix, name: what, server, pingMs } = settings
    this.#troubles = new TransportTroubles({ clock, receiver, where: `the prefix ${prefix}`, format: FORMAT })
    this.#address = randomHex(clock, ADDRESS_BYTES)
    this.#all = `${prefix}:all`
    this.#connection = new Connection({ what, server, clock, pingMs, prepare: (lines) => this.#prepare(lines) })
    this.#outgoing = new Outgoing({
      address: this.#address,
      numbered: this.#all,
      bytesMax: queueBytesMax,
      publish: (channel, packet) => this.#publish(channel, packet),
      refused: (error) => this.#refused(error),
    })
  }

  /** Settles when the server knows what we want to hear. Rejects with `WARP_E_TRANSPORT` and `WARP_E_AUTH`. */
  async begin(): Promise<void> {
    const { clock, heartbeatMs } = this.#settings
    await this.#connection.open()
    this.#connection.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      failed: (error) => this.#troubles.degraded(error),
    })
    const beat = (): void => this.#say('here')
    this.#presence = new Presence({ clock, heartbeatMs, receiver: this.#receiver, beat })
    this.#say('asking')
  }

  broadcast(bytes: Uint8Array): void {
    this.#send(this.#all, bytes)
  }

  send(to: PeerAddress, bytes: Uint8Array): boolean {
    return !ADDRESS.test(to) || this.#send(this.#channelOf(to), bytes)
  }

  peers(): readonly TransportPeer[] {
    return this.#presence?.peers() ?? []
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#say('bye')
    this.#isClosed = true
    this.#presence?.close()
    this.#troubles.close()
    await this.#saidAll()
    this.#connection.close()
  }

  async #prepare({ subscriptions }: Lines): Promise<void> {
    subscriptions.on('messageBuffer', (_channel: Buffer, packet: Buffer) => this.#heard(packet))
    try {
      await subscriptions.subscribe(this.#all, this.#channelOf(this.#address))
    } catch (error) {
      const { name, prefix } = this.#settings
      throw connectionError(`${name}: subscribing to channels of '${prefix}:' did not succeed: ${String(error)}`, error)
    }
  }

  #channelOf(address: string): string {
    return `${this.#settings.prefix}:to:${address}`
  }

  /** Whether there was room. */
  #send(channel: string, bytes: Uint8Array): boolean {
    const { length } = bytes
    if (length > FRAME_BYTES_MAX)
      throw new WarpError('WARP_E_LIMIT', `a frame of ${length} bytes exceeds the ${FRAME_BYTES_MAX} of frameBytesMax`)
    if (this.#isClosed || !this.#connection.isUp) return false
    if (!this.#outgoing.hasRoomFor(length)) {
      const { queueBytesMax, name } = this.#settings
      this.#troubles.dropped(`${name}: more than ${queueBytesMax} bytes would wait to be sent`)
      return false
    }
    this.#outgoing.frame(channel, bytes)
    return true
  }

  #say(kind: 'here' | 'asking' | 'bye', channel = this.#all): void {
    if (!this.#isClosed && this.#connection.isUp) this.#outgoing.say(channel, kind)
  }

  #publish(channel: string, packet: Buffer): Promise<unknown> {
    const { lines } = this.#connection
    if (lines === undefined) return Promise.reject(this.#connection.error)
    // How many have received it is no answer: Redis counts connections of this server, and no replicas.
    this.#lastSaid = lines.commands.publish(channel, packet)
    return this.#lastSaid
  }

  #refused(error: unknown): void {
    if (!this.#connection.isUp) return
    this.#troubles.degraded(
      connectionError(`${this.#settings.name}: publishing did not succeed: ${String(error)}`, error),
    )
  }

  #heard(bytes: Buffer): void {
    if (this.#isClosed || this.#presence === undefined) return
    const packet = this.#read(bytes)
    if (packet === undefined || packet.from === this.#address) return
    const { from, number, entries } = packet
    if (entries.some(({ kind }) => kind === 'bye')) this.#left(from)
    else if (this.#presence.heard(from, number)) for (const entry of entries) this.#take(from, entry)
  }

  #read(bytes: Buffer): Packet | undefined {
    try {
      const packet = readPacket(bytes)
      if (packet === undefined) this.#troubles.malformed()
      return packet
    } catch (error) {
      if (error instanceof OtherFormat) this.#troubles.otherFormat(error.format)
      return undefined
    }
  }

  #take(from: string, { kind, bytes }: Entry): void {
    // Who has just come is told at once, and alone.
    if (kind === 'asking') this.#say('here', this.#channelOf(from))
    // Copies: a packet is a view of what came from the socket.
    else if (kind === 'frame') this.#receiver.receive(from, new Uint8Array(bytes))
    else if (kind === 'part') this.#takePart(from, bytes)
  }

  #takePart(from: string, bytes: Uint8Array): void {
    const part = readPart(bytes)
    if (part === undefined) {
      this.#troubles.malformed()
      return
    }
    const frame = this.#reassembly.add(from, part)
    if (frame !== undefined) this.#receiver.receive(from, frame)
  }

  #left(address: string): void {
    this.#reassembly.drop(address)
    this.#presence?.left(address)
  }

  /** What was said meanwhile is lost: each peer is up anew once it is heard, and told what we have. */
  #fell(error: WarpError): void {
    this.#outgoing.lost()
    this.#presence?.suspectAll()
    this.#troubles.degraded(error)
  }

  #rose(): void {
    this.#troubles.well()
    this.#say('asking')
  }

  async #saidAll(): Promise<void> {
    if (!this.#connection.isUp) return
    await settledWithin(this.#settings.clock, CLOSE_MS, this.#lastSaid)
  }
}
