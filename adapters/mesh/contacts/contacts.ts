/**
 * Contacts: members with whom this one shares keys. Everything that comes from the network passes
 * here first, and what is not authentic goes no further: no state, no answer, only a count.
 *
 * A member becomes a contact (`contact-table.ts`) by a handshake (`handshakes.ts`) between this
 * socket and its own; a packet of its session from another address is not taken. Sessions are
 * replaced after an hour, or 2^40 packets, or when the cluster key changes.
 *
 * Bounds: 1,024 contacts of three sessions. One packet costs one look into a table and one
 * AEAD call.
 */
import { WarpError, type Timer } from '../../../src/index.ts'
import { type ClusterKeys, keyOfId } from '../handshake/cluster-keys.ts'
import { Handshakes } from '../handshake/handshakes.ts'
import { PACKET, SEALED_OVERHEAD_BYTES, readU32 } from '../handshake/packets.ts'
import type { Versions } from '../handshake/versions.ts'
import type { DatagramPort, Endpoint, MeshNetwork } from '../sockets/network.ts'
import {
  type Contact,
  type ContactEvents,
  type MemberId,
  type MemberProfile,
  type MeshClock,
  addressOf,
} from './contact.ts'
import { CONTACTS_MAX, ContactTable } from './contact-table.ts'
import { KnownContact } from './known-contact.ts'
import type { RefusalKind, Refusals } from './refusals.ts'

/** What streams with one member rest on. */
export interface StreamSecret {
  /** The session, as the answerer of the stream calls it. */
  readonly index: number
  /** 32 bytes, known to the two members of the session only. */
  readonly secret: Uint8Array
  /** Of the mesh, as both have agreed. */
  readonly version: number
}

export interface ContactsOptions {
  readonly network: MeshNetwork
  readonly clock: MeshClock
  readonly keys: ClusterKeys
  readonly self: MemberProfile
  /** What this member speaks. */
  readonly versions: Versions
  readonly bind: Endpoint
  readonly events: ContactEvents
  readonly refusals: Refusals
  readonly datagramBytesMax: number
}

const SWEEP_MS = 30_000
/**
 * Of so many contacts each is heard from between two sweeps: membership asks everybody within twice
 * as many seconds.
 */
const HEARD_A_SWEEP = 15
const SESSION_MS_MAX = 3_600_000
/** The responder waits a little longer, so that as a rule one side begins. */
const RESPONDER_MS = 300_000
const SESSION_PACKETS_MAX = 2 ** 40
/** Datagrams that wait in this process; what comes on top is dropped. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024

export class Contacts {
  readonly payloadBytesMax: number
  readonly #options: ContactsOptions
  readonly #clock: MeshClock
  readonly #events: ContactEvents
  readonly #refusals: Refusals
  readonly #table: ContactTable
  readonly #handshakes: Handshakes
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
    this.#table = new ContactTable(options.clock, {
      onContact: (contact) => options.events.onContact(contact),
      onLost: (contact, why) => options.events.onLost(contact, why),
      onFull: (address) => this.#reportFull(address),
    })
    const { clock, keys, self, versions, events } = options
    const socket = { send: (to: Endpoint, bytes: Uint8Array): void => this.#send(to, bytes) }
    this.#handshakes = new Handshakes({ clock, keys, self, versions, events, socket, table: this.#table })
  }

  /** How full the bounded tables are. */
  get counts(): Readonly<Record<'contacts' | 'sessions' | 'unconfirmed' | 'greetings' | 'ownAddresses', number>> {
    return { ...this.#table.counts, ...this.#handshakes.counts }
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
    this.#handshakes.close()
    await port?.close()
  }

  /** Unless a handshake with `to` is under way or `to` is this member itself. */
  greet(to: Endpoint): void {
    if (this.#port !== undefined) this.#handshakes.greet(to)
  }

  /** Whether our own greeting came back from there not long ago. */
  isSelf(endpoint: Endpoint): boolean {
    return this.#handshakes.isSelf(endpoint)
  }

  /** A datagram with `payload`, which is not kept. */
  send(contact: Contact, payload: Uint8Array): void {
    const session = contact instanceof KnownContact ? contact.newest : undefined
    if (session === undefined || session.isSpent || this.isCongested) return
    this.#send(session.parts.endpoint, session.seal(payload))
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

  streamSecret(contact: Contact): StreamSecret | undefined {
    const parts = this.#table.ofMember(contact.profile.member)?.newest?.parts
    return parts && { index: parts.remoteIndex, secret: parts.secrets.stream, version: parts.version }
  }

  streamByIndex(index: number, host: string): (StreamSecret & { readonly contact: Contact }) | undefined {
    const session = this.#table.session(index)
    if (session === undefined || this.#table.isUnconfirmed(session) || session.parts.endpoint.host !== host)
      return undefined
    const contact = this.#table.ofMember(session.parts.profile.member)
    return contact && { contact, index, secret: session.parts.secrets.stream, version: session.parts.version }
  }

  /** Throws what the system throws. */
  sendAnnouncement(group: Endpoint): void {
    this.#port?.sendMulticast(group, this.#handshakes.announcement())
  }

  announced(from: Endpoint, bytes: Uint8Array): void {
    if (this.#port !== undefined && this.#handshakes.isAllowed(from))
      this.#count(this.#handshakes.takeAnnouncement(from, bytes))
  }

  /**
   * Sessions of keys that are not in the ring end now; the others are replaced by ones of the new
   * primary key.
   */
  useKeys(keys: ClusterKeys): void {
    this.#keys = keys
    this.#keysMs = this.#clock.monotonic()
    const before = [...this.#table.members()]
    this.#table.retain((session) => keyOfId(keys, session.parts.keyId) !== undefined)
    this.#handshakes.useKeys(keys)
    for (const contact of before) {
      if (contact.newest?.parts.keyId !== keys.primary.id) this.greet(contact.endpoint)
    }
  }

  #receive(from: Endpoint, bytes: Uint8Array): void {
    if (this.#port === undefined) return
    this.#count(bytes[0] === PACKET.sealed ? this.#takeSealed(from, bytes) : this.#handshakes.take(from, bytes))
  }

  #count(refusal: RefusalKind | undefined): void {
    if (refusal !== undefined) this.#refusals.count(refusal)
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

  #reportFull(address: string): void {
    if (this.#hasReportedFull) return
    this.#hasReportedFull = true
    const message = `mesh: ${address} is not taken in; a mesh has at most ${CONTACTS_MAX} peers`
    this.#events.onReport({ kind: 'transport:degraded', error: new WarpError('WARP_E_LIMIT', message) })
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
    // Others vouch for it, or it would be down, and nothing comes: perhaps only one of us has the
    // session, or the right address.
    const isMissed = contact.silentCount++ > this.#table.counts.contacts / HEARD_A_SWEEP
    if (isSpent || isOutdated || isMissed) this.greet(contact.endpoint)
  }
}
