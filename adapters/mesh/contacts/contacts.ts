/**
 * Contacts: members with whom this one shares keys. Everything that comes from the network passes here first, and what is not
 * authentic goes no further: no state, no answer, only a count.
 *
 * A member becomes a contact (`contact-table.ts`) by a handshake (`handshake.ts`) between this socket and its own; a packet of its
 * session from another address is not taken. Sessions are replaced after an hour, or 2^40 packets, or when the cluster key changes.
 *
 * Bounds: 1,024 contacts of three sessions, 256 handshakes each way, 64 own addresses. One packet costs one look into a table and one
 * AEAD call.
 */
import { WarpError, type Timer, type TransportReport } from '../../../src/index.ts'
import { type ClusterKey, type ClusterKeys, keyOfId } from '../handshake/cluster-keys.ts'
import { type Contact, type MemberId, type MemberProfile, type MeshClock, addressOf } from './contact.ts'
import { CONTACTS_MAX, ContactTable } from './contact-table.ts'
import { Cookies } from '../handshake/cookies.ts'
import { Greetings, isSame } from '../handshake/greetings.ts'
import {
  type Greeting,
  NONCE_BYTES,
  announcementPacket,
  cookiePacket,
  openAnnouncement,
  openGreeting,
  sealWelcome,
  sessionSecrets,
} from '../handshake/handshake.ts'
import { hexOf } from '../hex.ts'
import { isLoopback } from '../sockets/ip-address.ts'
import { KnownContact } from './known-contact.ts'
import { MESSAGE } from '../messages.ts'
import type { DatagramPort, Endpoint, MeshNetwork } from '../sockets/network.ts'
import {
  MESH_VERSION,
  PACKET,
  type PacketHead,
  SEALED_OVERHEAD_BYTES,
  readHead,
  readU32,
} from '../handshake/packets.ts'
import type { RefusalKind, Refusals } from './refusals.ts'
import { Session } from './session.ts'
import { Strangers } from '../handshake/strangers.ts'

export interface ContactEvents {
  onContact(contact: Contact): void
  /** The receiver may keep `bytes`. */
  onPayload(contact: Contact, bytes: Uint8Array): void
  onLost(contact: Contact, why: 'replaced' | 'dropped'): void
  onUnanswered(endpoint: Endpoint): void
  onReport(report: TransportReport): void
  /** A member that we have no contact with has announced itself from there. */
  onAnnounced(from: Endpoint): void
}

export interface ContactsOptions {
  readonly network: MeshNetwork
  readonly clock: MeshClock
  readonly keys: ClusterKeys
  readonly self: MemberProfile
  readonly bind: Endpoint
  readonly events: ContactEvents
  readonly refusals: Refusals
  readonly datagramBytesMax: number
}

const OWN_ADDRESSES_MAX = 64
const OWN_ADDRESS_MS = 60_000
const SWEEP_MS = 30_000
/** Of so many contacts each is heard from between two sweeps: membership asks everybody within twice as many seconds. */
const HEARD_A_SWEEP = 15
const SESSION_MS_MAX = 3_600_000
/** The responder waits a little longer, so that as a rule one side begins. */
const RESPONDER_MS = 300_000
const SESSION_PACKETS_MAX = 2 ** 40
/** Datagrams that wait in this process; what comes on top is dropped. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024
/** An initiator speaks again until it has been heard: its first packet makes the session good. */
const CONFIRM_MS = [250, 500, 1000, 2000] as const
const PROOF_OF_LIFE: Uint8Array = Uint8Array.of(MESSAGE.nothing, 0)

export class Contacts {
  readonly payloadBytesMax: number
  readonly #options: ContactsOptions
  readonly #clock: MeshClock
  readonly #events: ContactEvents
  readonly #refusals: Refusals
  readonly #cookies: Cookies
  readonly #strangers: Strangers
  readonly #greetings: Greetings
  readonly #table: ContactTable
  readonly #ownAddresses = new Map<string, number>()
  readonly #confirmTimers = new Set<Timer>()
  #keys: ClusterKeys
  #keysMs = -Infinity
  #port: DatagramPort | undefined
  #sweep: Timer | undefined
  #hasReportedFull = false

  constructor(options: ContactsOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#events = options.events
    this.#refusals = options.refusals
    this.#keys = options.keys
    this.payloadBytesMax = options.datagramBytesMax - SEALED_OVERHEAD_BYTES
    this.#cookies = new Cookies(options.clock)
    this.#strangers = new Strangers(options.clock, (report) => options.events.onReport(report))
    this.#table = new ContactTable(options.clock, {
      onContact: (contact) => options.events.onContact(contact),
      onLost: (contact, why) => options.events.onLost(contact, why),
      onFull: (address) => this.#reportFull(address),
    })
    this.#greetings = new Greetings({
      clock: options.clock,
      self: options.self,
      send: (to, bytes) => this.#send(to, bytes),
      freeIndex: () => this.#freeIndex(),
      onUnanswered: (to) => options.events.onUnanswered(to),
    })
  }

  /** How full the bounded tables are. */
  get counts(): Readonly<Record<'contacts' | 'sessions' | 'unconfirmed' | 'greetings' | 'ownAddresses', number>> {
    return { ...this.#table.counts, greetings: this.#greetings.count, ownAddresses: this.#ownAddresses.size }
  }

  /** Rejects with `WARP_E_TRANSPORT`. */
  async open(): Promise<Endpoint> {
    const { network, bind } = this.#options
    this.#port = await network.bind(bind, (from, bytes) => this.#receive(from, bytes))
    this.#scheduleSweep()
    return this.#port.local
  }

  async close(): Promise<void> {
    const port = this.#port
    this.#port = undefined
    this.#sweep?.cancel()
    for (const timer of this.#confirmTimers) timer.cancel()
    this.#greetings.close()
    await port?.close()
  }

  /** Unless a handshake with `to` is under way or `to` is this member itself. */
  greet(to: Endpoint): void {
    if (this.#port === undefined || this.isSelf(to)) return
    if (this.#isAllowed(to) && this.#greetings.begin(to, this.#keys.primary)) return
    this.#clock.defer(() => this.#events.onUnanswered(to))
  }

  /** Whether our own greeting came back from there not long ago. */
  isSelf(endpoint: Endpoint): boolean {
    const address = addressOf(endpoint)
    const foundMs = this.#ownAddresses.get(address)
    if (foundMs === undefined) return false
    if (this.#clock.monotonic() - foundMs < OWN_ADDRESS_MS) return true
    this.#ownAddresses.delete(address)
    return false
  }

  /** A datagram with `payload`, which is not kept. */
  send(contact: Contact, payload: Uint8Array): void {
    const session = contact instanceof KnownContact ? contact.newest : undefined
    if (session !== undefined && !this.isCongested) this.#send(session.parts.endpoint, session.seal(payload))
  }

  /** More waits in this process than a burst explains: what is sent now is dropped. */
  get isCongested(): boolean {
    return this.#port !== undefined && this.#port.queuedBytes > QUEUED_BYTES_MAX
  }

  all(): Iterable<Contact> {
    return this.#table.members()
  }

  /** An endpoint, or its address. */
  at(place: Endpoint | string): Contact | undefined {
    return this.#table.atAddress(typeof place === 'string' ? place : addressOf(place))
  }

  of(member: MemberId): Contact | undefined {
    return this.#table.ofMember(member)
  }

  /** Forgets its keys. */
  drop(contact: Contact): void {
    const known = this.#table.ofMember(contact.profile.member)
    if (known !== undefined && known === contact) this.#table.lose(known, 'dropped')
  }

  streamSecret(contact: Contact): { readonly index: number; readonly secret: Uint8Array } | undefined {
    const session = this.#table.ofMember(contact.profile.member)?.newest
    return session && { index: session.parts.remoteIndex, secret: session.parts.secrets.stream }
  }

  streamByIndex(index: number, host: string): { readonly contact: Contact; readonly secret: Uint8Array } | undefined {
    const session = this.#table.session(index)
    if (session === undefined || this.#table.isUnconfirmed(session) || session.parts.endpoint.host !== host)
      return undefined
    const contact = this.#table.ofMember(session.parts.profile.member)
    return contact && { contact, secret: session.parts.secrets.stream }
  }

  /** Throws what the system throws. */
  sendAnnouncement(group: Endpoint): void {
    const nonce = this.#clock.random(NONCE_BYTES)
    this.#port?.sendMulticast(group, announcementPacket(this.#keys.primary, this.#options.self.member, nonce))
  }

  announced(from: Endpoint, bytes: Uint8Array): void {
    if (this.#port !== undefined && this.#isAllowed(from)) this.#count(this.#takeAnnouncement(from, bytes))
  }

  /** Sessions of keys that are not in the ring end now; the others are replaced by ones of the new primary key. */
  useKeys(keys: ClusterKeys): void {
    this.#keys = keys
    this.#keysMs = this.#clock.monotonic()
    const before = [...this.#table.members()]
    this.#table.retain((session) => keyOfId(keys, session.parts.keyId) !== undefined)
    for (const contact of before) {
      if (contact.newest?.parts.keyId !== keys.primary.id) this.greet(contact.endpoint)
    }
    this.#greetings.useKey(keys.primary)
  }

  #receive(from: Endpoint, bytes: Uint8Array): void {
    if (this.#port === undefined) return
    this.#count(bytes[0] === PACKET.sealed ? this.#takeSealed(from, bytes) : this.#takeOpen(from, bytes))
  }

  #count(refusal: RefusalKind | undefined): void {
    if (refusal !== undefined) this.#refusals.count(refusal)
  }

  #takeOpen(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    const key = head && this.#keyOf(from, head)
    if (head === undefined || key === undefined) return head === undefined ? 'malformed' : 'forged'
    if (head.type === PACKET.greeting) return this.#takeGreeting(from, bytes, key)
    if (head.type === PACKET.cookie) return this.#greetings.takeCookie(from, bytes)
    return head.type === PACKET.welcome ? this.#takeWelcome(from, bytes) : 'malformed'
  }

  #takeAnnouncement(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    if (head?.type !== PACKET.announcement) return 'malformed'
    const key = this.#keyOf(from, head)
    const member = key && openAnnouncement(key, bytes)
    if (member === undefined) return 'forged'
    if (member !== this.#options.self.member && this.of(member) === undefined) this.#events.onAnnounced(from)
    return undefined
  }

  /** The key that an open packet names, if we speak its version. */
  #keyOf(from: Endpoint, { keyId, version }: PacketHead): ClusterKey | undefined {
    const key = keyOfId(this.#keys, keyId)
    if (key !== undefined && version === MESH_VERSION) return key
    if (key !== undefined) this.#strangers.tell(from, { kind: 'version', version })
    else if (version === MESH_VERSION) this.#strangers.tell(from, { kind: 'key' })
    return undefined
  }

  #takeSealed(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    if (bytes.length < SEALED_OVERHEAD_BYTES) return 'malformed'
    const session = this.#table.session(readU32(bytes, 4))
    // An address that is not the contact's, or a session of before a restart.
    if (session === undefined || !session.isFrom(from)) return 'forged'
    const payload = session.open(bytes)
    if (typeof payload === 'string') return payload
    if (this.#table.isUnconfirmed(session)) this.#table.establish(session)
    const contact = this.#table.ofMember(session.parts.profile.member)
    if (contact === undefined) return undefined
    contact.silentCount = 0
    this.#events.onPayload(contact, payload)
    return undefined
  }

  #takeGreeting(from: Endpoint, bytes: Uint8Array, key: ClusterKey): RefusalKind | undefined {
    const greeting = openGreeting(key, bytes)
    if (greeting === undefined) return 'forged'
    if (greeting.profile.member === this.#options.self.member) this.#noteSelf(from, greeting.index)
    else if (this.#isAllowed(from)) this.#answer(from, key, greeting)
    return undefined
  }

  /** By a cookie, until it comes back with the greeting: nothing is kept for an address that has not proved itself. */
  #answer(from: Endpoint, key: ClusterKey, greeting: Greeting): void {
    if (!this.#cookies.isValid(greeting.cookie, from, greeting.bound)) {
      this.#send(from, cookiePacket(key, greeting, this.#cookies.make(from, greeting.bound)))
      return
    }
    const welcome = this.#table.offered(from, hexOf(greeting.nonce))?.welcome ?? this.#offer(from, key, greeting)
    if (welcome !== undefined) this.#send(from, welcome)
  }

  /** Our own greeting has come back: what we greeted is ourselves. For a while only, since somebody may have sent it back. */
  #noteSelf(from: Endpoint, index: number): void {
    const to = this.#greetings.targetOf(index)
    if (to === undefined || !isSame(to, from) || this.#ownAddresses.size >= OWN_ADDRESSES_MAX) return
    this.#ownAddresses.set(addressOf(to), this.#clock.monotonic())
    this.#greetings.cancel(to)
  }

  #offer(from: Endpoint, key: ClusterKey, greeting: Greeting): Uint8Array | undefined {
    if (!this.#table.hasRoomForOffer(from)) return undefined
    const { self } = this.#options
    const own = { profile: self, index: this.#freeIndex(), nonce: this.#clock.random(NONCE_BYTES) }
    const session = new Session({
      localIndex: own.index,
      remoteIndex: greeting.index,
      secrets: sessionSecrets(key, { initiator: greeting, responder: own }, false),
      keyId: key.id,
      isInitiator: false,
      endpoint: from,
      profile: greeting.profile,
      bornMs: this.#clock.monotonic(),
    })
    const welcome = sealWelcome(key, own, greeting)
    this.#table.offer({ session, nonce: hexOf(greeting.nonce), welcome })
    return welcome
  }

  #takeWelcome(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const welcomed = this.#greetings.takeWelcome(from, bytes)
    if (typeof welcomed === 'string') return welcomed
    const { initiator, responder, key } = welcomed
    const known = this.#table.ofMember(responder.profile.member)
    if (known !== undefined && !isSame(known.endpoint, from)) {
      this.#table.alias(known, from)
      return undefined
    }
    const session = new Session({
      localIndex: initiator.index,
      remoteIndex: responder.index,
      secrets: sessionSecrets(key, welcomed, true),
      keyId: key.id,
      isInitiator: true,
      endpoint: from,
      profile: responder.profile,
      bornMs: this.#clock.monotonic(),
    })
    this.#table.establish(session)
    this.#prove(session, 0)
    return undefined
  }

  #prove(session: Session, tries: number): void {
    const delayMs = CONFIRM_MS[tries]
    if (session.hasHeard || this.#table.session(session.parts.localIndex) !== session) return
    this.#send(session.parts.endpoint, session.seal(PROOF_OF_LIFE))
    if (delayMs === undefined) return
    const timer = this.#clock.schedule(delayMs, () => {
      this.#confirmTimers.delete(timer)
      this.#prove(session, tries + 1)
    })
    this.#confirmTimers.add(timer)
  }

  #reportFull(address: string): void {
    if (this.#hasReportedFull) return
    this.#hasReportedFull = true
    const message = `mesh: ${address} is not taken in; a mesh has at most ${CONTACTS_MAX} peers`
    this.#events.onReport({ kind: 'transport:degraded', error: new WarpError('WARP_E_LIMIT', message) })
  }

  #freeIndex(): number {
    for (;;) {
      const index = readU32(this.#clock.random(4), 0)
      if (this.#table.session(index) === undefined && !this.#greetings.hasIndex(index)) return index
    }
  }

  #isAllowed({ host }: Endpoint): boolean {
    return !this.#keys.isInsecure || isLoopback(host)
  }

  #send(to: Endpoint, bytes: Uint8Array): void {
    this.#port?.send(to, bytes)
  }

  #scheduleSweep(): void {
    this.#sweep = this.#clock.schedule(SWEEP_MS, () => {
      const nowMs = this.#clock.monotonic()
      this.#table.forgetOffers()
      for (const contact of this.#table.members()) this.#refresh(contact, nowMs)
      this.#scheduleSweep()
    })
  }

  #refresh(contact: KnownContact, nowMs: number): void {
    this.#table.forgetSuperseded(contact)
    const session = contact.newest
    if (session === undefined) return
    const ageMs = nowMs - session.parts.bornMs
    const ageMsMax = SESSION_MS_MAX + (session.parts.isInitiator ? 0 : RESPONDER_MS)
    const isSpent = ageMs > ageMsMax || session.sentCount > SESSION_PACKETS_MAX
    // The handshake that `useKeys` began may have been lost.
    const isOutdated = session.parts.keyId !== this.#keys.primary.id && session.parts.bornMs <= this.#keysMs
    // Others vouch for it, or it would be down, and nothing comes: perhaps only one of us has the session, or the right address.
    const isMissed = contact.silentCount++ > this.#table.counts.contacts / HEARD_A_SWEEP
    if (isSpent || isOutdated || isMissed) this.greet(contact.endpoint)
  }
}
