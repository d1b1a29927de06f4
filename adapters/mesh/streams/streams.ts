/**
 * What is too large for a datagram, and all anti-entropy: authenticated, encrypted streams over
 * TCP, at most one in use per pair of members and direction.
 *
 * `send` copies or seals the frame at once; it refuses when too much waits for the peer, and the
 * engine comes back later. Nobody unknown can make us hold anything: a stream that has not proved
 * itself is one of 64, 32 from one host, for 5 s and 76 bytes; when there are more the oldest gives
 * way, so that genuine peers, which need a few milliseconds, come through. Whatever is not
 * authentic ends its stream, is counted and never answered.
 *
 * Layers: `stream-peer.ts` (queue, which stream), `stream-connection.ts` (one stream's life),
 * `stream-handshake.ts` and `stream-preamble.ts` (its beginning), `stream-records.ts` (sealing),
 * `stream-settings.ts` (bounds). Protocol: docs/mesh.md.
 */
import { type Timer, type TransportReport, WarpError } from '../../../src/index.ts'
import type { Contact, MeshClock } from '../contacts/contact.ts'
import type { StreamSecret } from '../contacts/contacts.ts'
import type { ByteStream, Endpoint, MeshNetwork, StreamHandlers, StreamListener } from '../sockets/network.ts'
import type { RefusalKind, Refusals } from '../contacts/refusals.ts'
import { type ConnectionOwner, StreamConnection } from './stream-connection.ts'
import { type FindSession, type Handshake, answererHandshake, openerHandshake } from './stream-handshake.ts'
import { StreamPeer } from './stream-peer.ts'
import {
  STREAMS_UNPROVED_MAX,
  STREAMS_UNPROVED_PER_HOST_MAX,
  STREAM_END_MS,
  type StreamSettings,
} from './stream-settings.ts'

/** What streams ask of the sessions: `Contacts`. */
export interface SessionSecrets {
  /** Of the newest session that both ends have confirmed; `index` is the peer's. */
  streamSecret(contact: Contact): StreamSecret | undefined
  /** By our own index, if the session is one with a member at `host`. */
  streamByIndex(index: number, host: string): ReturnType<FindSession>
}

export interface StreamsOptions {
  readonly network: Pick<MeshNetwork, 'listen' | 'connect'>
  readonly clock: MeshClock
  readonly bind: Endpoint
  readonly secrets: SessionSecrets
  readonly settings: StreamSettings
  readonly refusals: Refusals
  /** The receiver may keep `frame`. Must not throw. */
  readonly onFrame: (contact: Contact, frame: Uint8Array) => void
  /**
   * Too much waits for whoever takes the frames: streams are not read until that is over, so that
   * their senders wait.
   */
  readonly isBusy: () => boolean
  readonly report: (report: TransportReport) => void
}

export class Streams {
  readonly #options: StreamsOptions
  readonly #peers = new Map<Contact, StreamPeer>()
  /** Accepted, not proved yet, by age; with the host that each one comes from. */
  readonly #unproved = new Map<StreamConnection, string>()
  #listener: StreamListener | undefined
  #closing: Promise<void> | undefined
  /** Streams that `close` waits for. */
  readonly #ending = new Set<StreamConnection>()
  #allEnded: (() => void) | undefined

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  /** Rejects with `WARP_E_TRANSPORT` if the port is taken. */
  async open(): Promise<void> {
    const { network, bind } = this.#options
    const listener = await network.listen(bind, (stream) => this.#accept(stream))
    if (this.#closing === undefined) this.#listener = listener
    else await listener.close()
  }

  /**
   * `false` if too much waits for the peer, or there is no session with it. Does not keep `frame`.
   * Throws `WARP_E_LIMIT` for one of more than `frameBytesMax`.
   */
  send(contact: Contact, frame: Uint8Array): boolean {
    const { frameBytesMax } = this.#options.settings
    if (frame.length > frameBytesMax) {
      throw new WarpError(
        'WARP_E_LIMIT',
        `a frame of ${frame.length} bytes exceeds the ${frameBytesMax} of frameBytesMax`,
      )
    }
    if (this.#closing !== undefined) return false
    if (frame.length === 0) return true
    const known = this.#peers.get(contact)
    if (known !== undefined) return known.send(frame)
    return this.#options.secrets.streamSecret(contact) !== undefined && this.#peer(contact).send(frame)
  }

  /** Bytes that wait in this process for the peer. */
  queuedBytes(contact: Contact): number {
    return this.#peers.get(contact)?.queuedBytes ?? 0
  }

  /** Ends the peer's streams and forgets what waits for it. */
  drop(contact: Contact): void {
    const peer = this.#peers.get(contact)
    this.#peers.delete(contact)
    peer?.drop()
    for (const connection of [...this.#unproved.keys()]) if (connection.contact === contact) connection.destroy()
  }

  /**
   * Has what is sent from now on go by new streams, which take their keys from the newest sessions.
   */
  renew(): void {
    for (const connection of [...this.#unproved.keys()]) if (connection.contact !== undefined) connection.destroy()
    for (const peer of this.#peers.values()) peer.renew()
  }

  /** Sends what waits for at most a second, then lets go of everything. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const stopped = this.#listener?.close()
    for (const connection of [...this.#unproved.keys()]) connection.destroy()
    for (const peer of this.#peers.values()) for (const connection of peer.end()) this.#ending.add(connection)
    if (this.#ending.size > 0) {
      let timer: Timer | undefined
      await new Promise<void>((resolve) => {
        this.#allEnded = resolve
        timer = this.#options.clock.schedule(STREAM_END_MS, resolve)
      })
      timer?.cancel()
    }
    for (const contact of [...this.#peers.keys()]) this.drop(contact)
    await stopped
  }

  #accept(stream: ByteStream): StreamHandlers | undefined {
    if (this.#closing !== undefined) return undefined
    const { host } = stream.remote
    this.#makeRoom(host)
    const { clock, secrets } = this.#options
    const find: FindSession = (index) => secrets.streamByIndex(index, host)
    const connection = this.#connection(
      answererHandshake(find, (count) => clock.random(count)),
      {
        onReady: (ready, contact) => {
          this.#unproved.delete(ready)
          this.#peer(contact).accept(ready)
        },
      },
    )
    this.#unproved.set(connection, host)
    connection.attach(stream)
    return connection.handlers
  }

  /** The oldest gives way: also to others of its host, which may be that of a peer. */
  #makeRoom(host: string): void {
    const fromHost: StreamConnection[] = []
    for (const [connection, other] of this.#unproved) if (other === host) fromHost.push(connection)
    const [oldest] = this.#unproved.keys()
    if (fromHost.length >= STREAMS_UNPROVED_PER_HOST_MAX) fromHost[0]?.destroy()
    else if (this.#unproved.size >= STREAMS_UNPROVED_MAX) oldest?.destroy()
  }

  #peer(contact: Contact): StreamPeer {
    const known = this.#peers.get(contact)
    if (known !== undefined) return known
    const { clock, settings, report } = this.#options
    const open = (): StreamConnection | undefined => this.#connect(contact)
    const peer = new StreamPeer({ contact, clock, queueBytesMax: settings.queueBytesMax, open, report })
    this.#peers.set(contact, peer)
    return peer
  }

  #connect(contact: Contact): StreamConnection | undefined {
    const { network, clock, secrets, bind } = this.#options
    const session = secrets.streamSecret(contact)
    if (session === undefined) return undefined
    const handshake = openerHandshake(contact, session, (count) => clock.random(count))
    const connection = this.#connection(handshake, { onReady: () => this.#peers.get(contact)?.opened() }, contact)
    try {
      connection.attach(network.connect(contact.endpoint, bind.host, connection.handlers))
    } catch (error) {
      // An address that the system does not take: a failure like any other, once the peer knows the
      // connection.
      clock.defer(() => connection.destroy(error instanceof Error ? error : undefined))
    }
    return connection
  }

  #connection(handshake: Handshake, { onReady }: Pick<ConnectionOwner, 'onReady'>, peer?: Contact): StreamConnection {
    const { clock, settings, refusals, onFrame, isBusy } = this.#options
    return new StreamConnection({
      clock,
      settings,
      handshake,
      owner: {
        onReady,
        isBusy,
        onFrame: ({ contact }, frame) => {
          if (this.#closing === undefined && contact !== undefined) onFrame(contact, frame)
        },
        onDrain: ({ contact }) => {
          if (contact !== undefined) this.#peers.get(contact)?.pump()
        },
        onRefused: (kind: RefusalKind) => refusals.count(kind),
        onClosed: (connection, error) => this.#closed(connection, { contact: peer ?? connection.contact, error }),
      },
    })
  }

  #closed(
    connection: StreamConnection,
    { contact, error }: { readonly contact: Contact | undefined; readonly error: Error | undefined },
  ): void {
    this.#unproved.delete(connection)
    if (this.#closing === undefined && contact !== undefined) this.#peers.get(contact)?.closed(connection, error)
    if (this.#ending.delete(connection) && this.#ending.size === 0) this.#allEnded?.()
  }
}
