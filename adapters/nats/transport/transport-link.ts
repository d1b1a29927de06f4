/** An open transport: frames in messages, to all and to one, and who is there. */
import type { Msg, Subscription } from '@nats-io/transport-node'
import { WarpError } from '../../../src/index.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import type { PeerAddress, TransportLink, TransportPeer, TransportReceiver } from '../../../src/ports/transport.ts'
import type { Connection } from '../connection.ts'
import { randomHex, settledWithin } from '../../broker/platform-clock.ts'
import { deflated, inflated } from '../../broker/compression.ts'
import { asDeflated, FORMAT, type Message, messagesOf, OtherFormat, readMessage, sign } from './messages.ts'
import type { NatsTransportSettings } from './options.ts'
import { Outgoing } from './outgoing.ts'
import { Presence } from '../../broker/presence.ts'
import { Reassembly } from '../../broker/reassembly.ts'
import { TransportTroubles } from '../../broker/transport-troubles.ts'

const ADDRESS_BYTES = 8
const ADDRESS = /^[0-9a-f]{16}$/
/** Smaller than what servers take by default, so that a large frame does not hold up what others say. */
const MESSAGE_BYTES_MAX = 512 * 1024
/** A frame would go in too many parts. */
const MESSAGE_BYTES_MIN = 1024
/** What closing waits for what was said last. */
const CLOSE_MS = 1000
/** Deflating a larger frame would take longer than the event loop may be held. */
const DEFLATED_BYTES_MAX = 1024 * 1024

export class NatsTransportLink implements TransportLink {
  readonly frameBytesMax: number = FRAME_BYTES_MAX
  readonly #settings: NatsTransportSettings
  readonly #connection: Connection
  readonly #receiver: TransportReceiver
  readonly #address: string
  readonly #outgoing: Outgoing
  readonly #presence: Presence
  readonly #reassembly = new Reassembly()
  readonly #troubles: TransportTroubles
  readonly #stopListening: () => void
  #subscriptions: readonly Subscription[] = []
  #framesCount = 0
  #isClosed = false

  constructor(settings: NatsTransportSettings, connection: Connection, receiver: TransportReceiver) {
    this.#settings = settings
    this.#connection = connection
    this.#receiver = receiver
    const { clock, heartbeatMs, queueBytesMax, subject } = settings
    this.#troubles = new TransportTroubles({ clock, receiver, where: `the subject ${subject}`, format: FORMAT })
    this.#address = randomHex(clock, ADDRESS_BYTES)
    this.#outgoing = new Outgoing(connection, queueBytesMax)
    this.#presence = new Presence({ clock, heartbeatMs, receiver, beat: () => this.#say('here') })
    this.#stopListening = connection.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      refused: (error) => this.#troubles.degraded(error),
    })
  }

  /** Settles when the server knows what we want to hear. Rejects with `WARP_E_BROKER_UNFIT`. */
  async begin(): Promise<void> {
    const { nats, server } = this.#connection
    if ((server?.max_payload ?? Infinity) < MESSAGE_BYTES_MIN) {
      await this.close()
      const message = `${this.#settings.name}: max_payload of the server is ${server?.max_payload}; set it to 1MB`
      throw new WarpError('WARP_E_BROKER_UNFIT', message)
    }
    const { subject } = this.#settings
    const hear = (of: string): Subscription =>
      nats.subscribe(`${subject}.${of}`, {
        callback: (error, message) => (error === null ? this.#heard(message) : undefined),
      })
    this.#subscriptions = ['all', 'here', `to.${this.#address}`].map(hear)
    await nats.flush().catch(() => undefined)
    this.#say('asking')
  }

  broadcast(bytes: Uint8Array): void {
    this.#send('all', bytes)
  }

  send(to: PeerAddress, bytes: Uint8Array): boolean {
    return !ADDRESS.test(to) || this.#send(`to.${to}`, bytes)
  }

  peers(): readonly TransportPeer[] {
    return this.#presence.peers()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#say('bye')
    this.#isClosed = true
    this.#stopListening()
    this.#presence.close()
    this.#troubles.close()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    await this.#saidAll()
    await this.#connection.close()
  }

  /** Whether there was room. */
  #send(of: string, bytes: Uint8Array): boolean {
    const { length } = bytes
    if (length > FRAME_BYTES_MAX)
      throw new WarpError('WARP_E_LIMIT', `a frame of ${length} bytes exceeds the ${FRAME_BYTES_MAX} of frameBytesMax`)
    if (this.#isClosed || !this.#connection.isUp) return false
    if (!this.#outgoing.hasRoomFor(length)) {
      const { queueBytesMax, name } = this.#settings
      this.#troubles.dropped(`${name}: more than ${queueBytesMax} bytes wait to be sent`)
      return false
    }
    const most = Math.min(MESSAGE_BYTES_MAX, this.#connection.server?.max_payload ?? Infinity)
    const subject = `${this.#settings.subject}.${of}`
    const number = (this.#framesCount = (this.#framesCount + 1) >>> 0)
    const smaller = this.#deflated(bytes, of)
    for (const message of messagesOf(smaller ?? bytes, this.#address, number, most))
      this.#outgoing.publish(subject, smaller === undefined ? message : asDeflated(message))
    return true
  }

  /** `undefined` where that is not worth it, or somebody would not understand it. */
  #deflated(bytes: Uint8Array, of: string): Uint8Array | undefined {
    if (!this.#settings.compress || bytes.length > DEFLATED_BYTES_MAX) return undefined
    const to = of === 'all' ? undefined : of.slice('to.'.length)
    return this.#presence.takesDeflated(to) ? deflated(bytes) : undefined
  }

  #say(kind: 'here' | 'asking' | 'bye', of = 'here'): void {
    if (!this.#isClosed) this.#outgoing.publish(`${this.#settings.subject}.${of}`, sign(kind, this.#address))
  }

  #heard({ data }: Msg): void {
    if (this.#isClosed) return
    const message = this.#read(data)
    if (message === undefined || message.from === this.#address) return
    if (message.kind === 'bye') this.#left(message.from)
    else if (this.#presence.heard(message.from, message)) this.#take(message)
  }

  #read(data: Uint8Array): Message | undefined {
    try {
      const message = readMessage(data)
      if (message === undefined) this.#troubles.malformed()
      return message
    } catch (error) {
      if (error instanceof OtherFormat) this.#troubles.otherFormat(error.format)
      return undefined
    }
  }

  #take(message: Message): void {
    const { kind, from } = message
    // Who has just come is told at once, and alone.
    if (kind === 'asking') this.#say('here', `to.${from}`)
    // Copies: a message is a view of what came from the socket.
    else if (kind === 'frame')
      this.#receive(message, message.isDeflated ? message.bytes : new Uint8Array(message.bytes))
    else if (kind === 'part') {
      const frame = this.#reassembly.add(from, message)
      if (frame !== undefined) this.#receive(message, frame)
    }
  }

  #receive({ from, isDeflated }: Message, bytes: Uint8Array): void {
    const frame = isDeflated ? inflated(bytes, DEFLATED_BYTES_MAX) : bytes
    if (frame === undefined) this.#troubles.malformed()
    else this.#receiver.receive(from, frame)
  }

  #left(address: string): void {
    this.#reassembly.drop(address)
    this.#presence.left(address)
  }

  /** What was said meanwhile is lost: each peer is up anew once it is heard, and told what we have. */
  #fell(error: WarpError): void {
    this.#outgoing.lost()
    this.#presence.suspectAll()
    this.#troubles.degraded(error)
  }

  #rose(): void {
    this.#troubles.well()
    this.#say('asking')
  }

  async #saidAll(): Promise<void> {
    if (!this.#connection.isUp) return
    await settledWithin(this.#settings.clock, CLOSE_MS, this.#connection.nats.flush())
  }
}
