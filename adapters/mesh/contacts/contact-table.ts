/**
 * Who is in contact, under which sessions and addresses. A member is a contact as soon as a session
 * with it is established, at one address at a time; other addresses at which it answers are
 * aliases. A new member at the address of another one takes its place: the process there has been
 * started again.
 */
import { type Contact, type MemberId, type MeshClock, addressOf } from './contact.ts'
import { KnownContact, isCurrent } from './known-contact.ts'
import type { Endpoint } from '../sockets/network.ts'
import type { Session } from './session.ts'
import { type Offer, Unconfirmed } from '../handshake/unconfirmed.ts'

export interface ContactTableEvents {
  onContact(contact: Contact): void
  onLost(contact: Contact, why: 'replaced' | 'dropped'): void
  /** There is no room for the member at `address`. */
  onFull(address: string): void
}

export const CONTACTS_MAX = 1024
const ALIASES_MAX = 8

export class ContactTable {
  readonly #clock: Pick<MeshClock, 'monotonic'>
  readonly #events: ContactTableEvents
  readonly #unconfirmed: Unconfirmed
  readonly #members = new Map<MemberId, KnownContact>()
  /** Aliases included. */
  readonly #addresses = new Map<string, KnownContact>()
  /** By our own index; those of contacts and unconfirmed ones. */
  readonly #sessions = new Map<number, Session>()

  constructor(clock: Pick<MeshClock, 'monotonic'>, events: ContactTableEvents) {
    this.#clock = clock
    this.#events = events
    this.#unconfirmed = new Unconfirmed(clock)
  }

  get counts(): Readonly<Record<'contacts' | 'sessions' | 'unconfirmed', number>> {
    return { contacts: this.#members.size, sessions: this.#sessions.size, unconfirmed: this.#unconfirmed.count }
  }

  members(): Iterable<KnownContact> {
    return this.#members.values()
  }

  ofMember(member: MemberId): KnownContact | undefined {
    return this.#members.get(member)
  }

  atAddress(address: string): KnownContact | undefined {
    return this.#addresses.get(address)
  }

  session(index: number): Session | undefined {
    return this.#sessions.get(index)
  }

  isUnconfirmed(session: Session): boolean {
    return this.#unconfirmed.count > 0 && this.#unconfirmed.has(session)
  }

  /** What was offered for the same greeting from the same address. */
  offered(from: Endpoint, ephemeral: string): Offer | undefined {
    return this.#unconfirmed.find(from, ephemeral)
  }

  hasRoomForOffer(from: Endpoint): boolean {
    this.forgetOffers()
    return this.#unconfirmed.hasRoom(from)
  }

  /** Forgets offers that nobody has taken up. */
  forgetOffers(): void {
    for (const session of this.#unconfirmed.removeExpired()) this.#forget(session)
  }

  offer(offer: Offer): void {
    this.#sessions.set(offer.session.parts.localIndex, offer.session)
    this.#unconfirmed.add(offer)
  }

  /** Both sides have proved themselves: from here on the session counts. */
  establish(session: Session): void {
    const { profile, endpoint, localIndex } = session.parts
    const address = addressOf(endpoint)
    this.#sessions.set(localIndex, session)
    this.#unconfirmed.remove(session)
    const there = this.#addresses.get(address)
    const known = this.#members.get(profile.member)
    if (there !== undefined && there !== known) this.#displace(there, address)
    if (known !== undefined && known.address !== address) this.lose(known, 'replaced')
    const contact = this.#members.get(profile.member)
    if (contact !== undefined) this.#add(contact, session)
    else this.#admit(session, address)
  }

  /** A member that is in contact has another address as well; it is spoken to at one. */
  alias(contact: KnownContact, endpoint: Endpoint): void {
    const address = addressOf(endpoint)
    if (contact.aliases.length >= ALIASES_MAX || this.#addresses.has(address)) return
    contact.aliases = [...contact.aliases, address]
    this.#addresses.set(address, contact)
  }

  lose(contact: KnownContact, why: 'replaced' | 'dropped'): void {
    this.#members.delete(contact.profile.member)
    for (const address of [contact.address, ...contact.aliases]) {
      if (this.#addresses.get(address) === contact) this.#addresses.delete(address)
    }
    for (const session of contact.sessions) this.#forget(session)
    contact.sessions = []
    this.#events.onLost(contact, why)
  }

  /** Forgets sessions that have been superseded long enough. */
  forgetSuperseded(contact: KnownContact): void {
    for (const session of contact.retain(isCurrent(this.#clock.monotonic()))) this.#forget(session)
  }

  /**
   * Forgets all sessions for which `isAccepted` does not hold, and contacts that are left without
   * one.
   */
  retain(isAccepted: (session: Session) => boolean): void {
    for (const session of this.#unconfirmed.removeAll((one) => !isAccepted(one))) this.#forget(session)
    for (const contact of [...this.#members.values()]) {
      for (const session of contact.retain(isAccepted)) this.#forget(session)
      if (contact.newest === undefined) this.lose(contact, 'dropped')
    }
  }

  /**
   * Somebody else is at `address` now. A contact that has its place elsewhere loses no more than an
   * alias.
   */
  #displace(former: KnownContact, address: string): void {
    if (former.address === address) this.lose(former, 'replaced')
    former.aliases = former.aliases.filter((alias) => alias !== address)
    // What the former member still had under way at this address must not bring it back.
    for (const stale of this.#unconfirmed.removeOf(address)) this.#forget(stale)
  }

  #admit(session: Session, address: string): void {
    const { profile, endpoint } = session.parts
    if (this.#members.size >= CONTACTS_MAX) {
      this.#forget(session)
      this.#events.onFull(address)
      return
    }
    const contact = new KnownContact(profile, endpoint)
    this.#add(contact, session)
    this.#members.set(profile.member, contact)
    this.#addresses.set(address, contact)
    this.#events.onContact(contact)
  }

  #add(contact: KnownContact, session: Session): void {
    for (const gone of contact.add(session, this.#clock.monotonic())) this.#forget(gone)
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.parts.localIndex)
  }
}
