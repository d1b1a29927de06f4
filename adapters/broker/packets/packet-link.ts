/** An open transport over a broker that sees bytes only: frames in packets, to all and to one, and who is there. */
import { asError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import type { PeerAddress, TransportLink, TransportPeer, TransportReceiver } from '../../../src/ports/transport.ts'
import { readPart } from '../frame-parts.ts'
import { type BrokerClock, randomHex, settledWithin } from '../platform-clock.ts'
import { Presence } from '../presence.ts'
import { Reassembly } from '../reassembly.ts'
import type { ConnectionListener } from '../reconnection.ts'
import { TransportTroubles } from '../transport-troubles.ts'
import { Outgoing } from './outgoing.ts'
import { type Entry, FORMAT, OtherFormat, type Packet, readPacket } from './packets.ts'

/** How packets go over a broker. */
export interface PacketWay {
  readonly isUp: boolean
  /** Why it is down. */
  readonly error: WarpError
  /** Settles when what comes to `ALL` and to the address is heard. Rejects with a `WarpError`. */
  open(): Promise<void>
  listen(listener: ConnectionListener): () => void
  /** To everybody, or to one address. Settles when the broker has it; in the order of the calls. */
  publish(to: string, packet: Buffer): Promise<unknown>
  close(): void
}

export interface PacketLinkSettings {
  readonly name: string
  readonly heartbeatMs: number
  readonly queueBytesMax: number
  /** Bursts are deflated for those who understand it. */
  readonly compress: boolean
  readonly clock: BrokerClock
  /** Where others are heard: `the prefix warp`. */
  readonly where: string
  /** `heard` is to be called with each packet; those of one's own may be among them. */
  readonly way: (address: string, heard: (packet: Buffer) => void) => PacketWay
}

const MIB = 1024 * 1024
/**
 * Bounds of `queueBytesMax`, for `boundedNumbers`: at least the largest frame, and what its parts take
 * besides.
 */
export const packetQueueBytes: readonly [fallback: number, min: number, max: number] = [
  8 * MIB,
  FRAME_BYTES_MAX + MIB,
  1024 * MIB,
]

/** No address is like it. */
export const ALL = 'all'
const ADDRESS_BYTES = 8
const ADDRESS = /^[0-9a-f]{16}$/
/** What closing waits for what was said last. */
const CLOSE_MS = 1000

export class PacketLink implements TransportLink {
  readonly frameBytesMax: number = FRAME_BYTES_MAX
  readonly #settings: PacketLinkSettings
  readonly #way: PacketWay
  readonly #receiver: TransportReceiver
  readonly #address: string
  readonly #outgoing: Outgoing
  readonly #reassembly = new Reassembly()
  readonly #troubles: TransportTroubles
  #presence: Presence | undefined
  #lastSaid: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(settings: PacketLinkSettings, receiver: TransportReceiver) {
    this.#settings = settings
    this.#receiver = receiver
    const { clock, queueBytesMax, where, way, compress } = settings
    this.#troubles = new TransportTroubles({ clock, receiver, where, format: FORMAT })
    this.#address = randomHex(clock, ADDRESS_BYTES)
    this.#way = way(this.#address, (packet) => this.#heard(packet))
    this.#outgoing = new Outgoing({
      address: this.#address,
      numbered: ALL,
      bytesMax: queueBytesMax,
      deflates: (to) => compress && this.#presence?.takesDeflated(to === ALL ? undefined : to) === true,
      publish: (to, packet) => this.#publish(to, packet),
      refused: (error) => this.#refused(error),
    })
  }

  /** Settles when the broker knows what we want to hear. Rejects with `WARP_E_TRANSPORT` and `WARP_E_AUTH`. */
  async begin(): Promise<void> {
    const { clock, heartbeatMs } = this.#settings
    await this.#way.open()
    this.#way.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      failed: (error) => this.#troubles.degraded(error),
    })
    const beat = (): void => this.#say('here')
    this.#presence = new Presence({ clock, heartbeatMs, receiver: this.#receiver, beat })
    this.#say('asking')
  }

  broadcast(bytes: Uint8Array): void {
    this.#send(ALL, bytes)
  }

  send(to: PeerAddress, bytes: Uint8Array): boolean {
    return !ADDRESS.test(to) || this.#send(to, bytes)
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
    this.#way.close()
  }

  /** Whether there was room. */
  #send(to: string, bytes: Uint8Array): boolean {
    const { length } = bytes
    if (length > FRAME_BYTES_MAX)
      throw new WarpError('WARP_E_LIMIT', `a frame of ${length} bytes exceeds the ${FRAME_BYTES_MAX} of frameBytesMax`)
    if (this.#isClosed || !this.#way.isUp) return false
    if (!this.#outgoing.hasRoomFor(length)) {
      const { queueBytesMax, name } = this.#settings
      this.#troubles.dropped(`${name}: more than ${queueBytesMax} bytes would wait to be sent`)
      return false
    }
    this.#outgoing.frame(to, bytes)
    return true
  }

  #say(kind: 'here' | 'asking' | 'bye', to = ALL): void {
    if (!this.#isClosed && this.#way.isUp) this.#outgoing.say(to, kind)
  }

  #publish(to: string, packet: Buffer): Promise<unknown> {
    this.#lastSaid = this.#way.publish(to, packet)
    return this.#lastSaid
  }

  #refused(thrown: unknown): void {
    if (!this.#way.isUp) return
    const message = `${this.#settings.name}: publishing did not succeed: ${asError(thrown).message}`
    const code = thrown instanceof WarpError ? thrown.code : 'WARP_E_TRANSPORT'
    this.#troubles.degraded(new WarpError(code, message, { cause: thrown }))
  }

  #heard(bytes: Buffer): void {
    if (this.#isClosed || this.#presence === undefined) return
    const packet = this.#read(bytes)
    if (packet === undefined || packet.from === this.#address) return
    const { from, entries } = packet
    if (entries.some(({ kind }) => kind === 'bye')) this.#left(from)
    else if (this.#presence.heard(from, packet)) for (const entry of entries) this.#take(from, entry)
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
    if (kind === 'asking') this.#say('here', from)
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
    if (!this.#way.isUp) return
    await settledWithin(this.#settings.clock, CLOSE_MS, this.#lastSaid)
  }
}
