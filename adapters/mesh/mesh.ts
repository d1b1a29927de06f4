/**
 * The mesh, put together. Discovery finds addresses, contacts prove who is there, membership
 * watches them, streams carry what is large, the outbox gathers what is small; here they are
 * connected, and nothing is decided but the way of a frame: by datagram if it fits one.
 *
 * ```
 *   engine ──► send, broadcast ──► outbox ──► contacts ──► UDP          UDP ──► contacts ──► membership, engine
 *                              └─► streams ──────────────► TCP          TCP ──► streams ───► engine
 *   static peers, multicast, gossip ──► discovery ──► contacts (handshake) ──► membership ──► peerUp
 * ```
 */
import { WarpError, type TransportLink, type TransportPeer, type TransportReceiver } from '../../src/index.ts'
import { FRAME_BYTES_MAX } from '../../src/limits.ts'
import type { ClusterKeys } from './handshake/cluster-keys.ts'
import { MESH_VERSIONS } from './handshake/versions.ts'
import { type Contact, type MemberId, addressOf } from './contacts/contact.ts'
import { Contacts } from './contacts/contacts.ts'
import { Discovery } from './discovery/discovery.ts'
import { hexOf } from './hex.ts'
import { type MeshMember, memberOf, peersOf } from './membership/mesh-member.ts'
import { MESSAGE, type MessageKind, readMessages } from './messages.ts'
import type { Endpoint } from './sockets/network.ts'
import type { MeshSettings } from './options.ts'
import { Outbox } from './outbox.ts'
import { Refusals } from './contacts/refusals.ts'
import { STREAM_SETTINGS } from './streams/stream-settings.ts'
import { Streams } from './streams/streams.ts'
import { Membership } from './membership/swim.ts'

const MEMBER_BYTES = 8
/** With port 0, UDP's free port may be taken for TCP. */
const PORT_TRIES_MAX = 16

export class Mesh implements TransportLink {
  readonly frameBytesMax: number = FRAME_BYTES_MAX
  address: string | undefined
  readonly #settings: MeshSettings
  readonly #receiver: TransportReceiver
  readonly #refusals: Refusals
  readonly #contacts: Contacts
  readonly #outbox: Outbox
  readonly #membership: Membership
  readonly #discovery: Discovery
  /** Those whom the engine knows to be up. */
  readonly #up = new Map<MemberId, Contact>()
  #streams: Streams | undefined
  #isOpen = true
  #closing: Promise<void> | undefined

  constructor(settings: MeshSettings, receiver: TransportReceiver) {
    const { clock, network } = settings
    const self = { member: hexOf(clock.random(MEMBER_BYTES)), zone: settings.zone, roles: settings.roles }
    this.#settings = settings
    this.#receiver = receiver
    this.#refusals = new Refusals({ clock, report: (report) => receiver.report?.(report) })
    this.#contacts = new Contacts({
      ...{ network, clock, keys: settings.keys, self, versions: MESH_VERSIONS },
      ...{ bind: settings.bind, refusals: this.#refusals },
      datagramBytesMax: settings.datagramBytesMax,
      events: {
        onContact: (contact) => this.#membership.met(contact),
        onPayload: (contact, bytes) => this.#takePayload(contact, bytes),
        onLost: (contact) => this.#lost(contact),
        onUnanswered: (endpoint) => this.#discovery.unanswered(endpoint),
        onReport: (report) => receiver.report?.(report),
        onAnnounced: (from) => this.#discovery.heard(from),
      },
    })
    this.#outbox = new Outbox({
      clock,
      payloadBytesMax: this.#contacts.payloadBytesMax,
      transmit: (contact, payload) => this.#contacts.send(contact, payload),
    })
    this.#membership = this.#createMembership(self)
    this.#discovery = this.#createDiscovery()
  }

  /** Rejects with `WARP_E_TRANSPORT`. */
  async open(): Promise<void> {
    try {
      this.address = addressOf(await this.#listen())
    } catch (error) {
      this.#isOpen = false
      throw error
    }
    this.#membership.start()
    await this.#discovery.start()
  }

  broadcast(bytes: Uint8Array): void {
    this.#checkSize(bytes)
    if (!this.#isOpen) return
    for (const contact of this.#contacts.all()) this.#sendTo(contact, bytes)
  }

  send(to: string, bytes: Uint8Array): boolean {
    this.#checkSize(bytes)
    const contact = this.#isOpen ? this.#contacts.at(to) : undefined
    return contact !== undefined && this.#sendTo(contact, bytes)
  }

  peers(): readonly TransportPeer[] {
    return peersOf(this.members(), (address) => {
      const contact = this.#contacts.at(address)
      return contact === undefined ? 0 : (this.#streams?.queuedBytes(contact) ?? 0)
    })
  }

  members(): readonly MeshMember[] {
    return this.#membership.views().map(memberOf)
  }

  useKeys(keys: ClusterKeys): void {
    if (!this.#isOpen) return
    this.#contacts.useKeys(keys)
    this.#streams?.renew()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    // What waits in streams goes first: a peer that hears that we leave lets go of them.
    await Promise.all([this.#streams?.close(), this.#discovery.close()])
    this.#membership.close()
    this.#outbox.flush()
    await this.#contacts.close()
    this.#refusals.close()
  }

  async #listen(): Promise<Endpoint> {
    for (let tries = 1; ; tries++) {
      const local = await this.#contacts.open()
      const streams = this.#createStreams(local)
      try {
        await streams.open()
        this.#streams = streams
        return local
      } catch (error) {
        await this.#contacts.close()
        if (this.#settings.bind.port !== 0 || tries === PORT_TRIES_MAX) throw error
      }
    }
  }

  #createStreams(local: Endpoint): Streams {
    const { network, clock, compress, queueBytesMax } = this.#settings
    return new Streams({
      ...{ network, clock, bind: local, secrets: this.#contacts, refusals: this.#refusals },
      settings: { ...STREAM_SETTINGS, frameBytesMax: FRAME_BYTES_MAX, compress, queueBytesMax },
      isBusy: () => this.#receiver.isBusy === true,
      onFrame: (contact, frame) => {
        this.#membership.heard(contact.profile.member)
        this.#receiver.receive(contact.address, frame)
      },
      report: (report) => this.#receiver.report?.(report),
    })
  }

  #createMembership(self: {
    readonly member: MemberId
    readonly zone: string
    readonly roles: readonly string[]
  }): Membership {
    const { clock, probeIntervalMs, clockSkewMsMax } = this.#settings
    return new Membership({
      clock,
      self,
      settings: { probeIntervalMs, skewMsMax: clockSkewMsMax },
      send: (to, kind, body) => this.#say(to, kind, body),
      events: {
        onState: (member, state) => this.#turned(member, state),
        onIntroduced: (endpoint) => this.#discovery.introduced(endpoint),
        onSkewed: (member, clockSkewMs) => {
          const address = this.#contacts.of(member)?.address
          if (address !== undefined) this.#receiver.report?.({ kind: 'peer:skewed', address, clockSkewMs })
        },
        onMalformed: () => this.#refusals.count('malformed'),
      },
    })
  }

  #createDiscovery(): Discovery {
    const { network, clock, peers, peerPort, multicast, keys } = this.#settings
    const contacts = this.#contacts
    return new Discovery({
      ...{ network, clock, peers, multicast },
      settings: { defaultPort: peerPort, isLoopbackOnly: keys.isInsecure },
      isKnown: (endpoint) => contacts.at(endpoint) !== undefined || contacts.isSelf(endpoint),
      greet: (endpoint) => contacts.greet(endpoint),
      announce: (group) => contacts.sendAnnouncement(group),
      announced: (from, bytes) => contacts.announced(from, bytes),
      report: (report) => this.#receiver.report?.(report),
    })
  }

  #checkSize({ length }: Uint8Array): void {
    if (length <= FRAME_BYTES_MAX) return
    throw new WarpError('WARP_E_LIMIT', `a frame of ${length} bytes exceeds the ${FRAME_BYTES_MAX} of frameBytesMax`)
  }

  #sendTo(contact: Contact, bytes: Uint8Array): boolean {
    if (!this.#outbox.fits(bytes.length)) return this.#streams?.send(contact, bytes) ?? false
    if (this.#contacts.isCongested) return false
    this.#outbox.add(contact, MESSAGE.frame, bytes)
    return true
  }

  #say(to: MemberId, kind: MessageKind, body: Uint8Array): void {
    const contact = this.#contacts.of(to)
    if (contact !== undefined && this.#outbox.fits(body.length)) this.#outbox.add(contact, kind, body)
  }

  #takePayload(contact: Contact, payload: Uint8Array): void {
    const { member } = contact.profile
    this.#membership.heard(member)
    const isWhole = readMessages(payload, (kind, body) => {
      if (kind === MESSAGE.frame) {
        if (this.#isOpen) this.#receiver.receive(contact.address, body)
      } else if (isMembership(kind)) this.#membership.receive(member, kind, body)
    })
    if (!isWhole) this.#refusals.count('malformed')
  }

  #turned(member: MemberId, state: 'up' | 'suspect' | 'down' | 'left'): void {
    if (!this.#isOpen) return
    const contact = this.#contacts.of(member)
    if (state === 'up') {
      if (contact !== undefined) this.#turnedUp(contact)
    } else if (state === 'suspect') {
      if (contact !== undefined) this.#receiver.report?.({ kind: 'peer:suspect', address: contact.address })
    } else {
      this.#turnedDown(member, state === 'down')
    }
  }

  #turnedUp(contact: Contact): void {
    const { member } = contact.profile
    // Trusted again after a suspicion that the engine never heard of.
    if (this.#up.get(member) === contact) return
    this.#up.set(member, contact)
    this.#receiver.peerUp?.(contact.address)
  }

  #turnedDown(member: MemberId, isMissed: boolean): void {
    const contact = this.#up.get(member)
    if (contact === undefined) return
    this.#up.delete(member)
    this.#contacts.drop(contact)
    this.#receiver.peerDown?.(contact.address)
    if (isMissed) this.#discovery.down(contact.endpoint)
  }

  #lost(contact: Contact): void {
    this.#streams?.drop(contact)
    this.#outbox.drop(contact)
    this.#membership.lost(contact)
  }
}

function isMembership(kind: number): kind is MessageKind {
  return kind >= MESSAGE.ping && kind <= MESSAGE.leave
}
