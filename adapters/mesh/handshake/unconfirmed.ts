/**
 * Sessions that this member has offered and whose initiator has not used yet. A greeting may have
 * been recorded and sent again by somebody else, so nothing is believed before a packet comes that
 * only the initiator can seal. At most 256, four for an address; after five seconds they make room
 * for others, and half a minute later they are gone.
 */
import type { MeshClock } from '../contacts/contact.ts'
import { addressOf } from '../contacts/contact.ts'
import type { Endpoint } from '../sockets/network.ts'
import type { Session } from '../contacts/session.ts'

export interface Offer {
  readonly session: Session
  /** The greeting's e as text: the same greeting gets the same answer. */
  readonly ephemeral: string
  readonly welcome: Uint8Array
}

const OFFERS_MAX = 256
const OFFERS_PER_ADDRESS_MAX = 4
const OFFER_MS = 5000

export class Unconfirmed {
  readonly #clock: Pick<MeshClock, 'monotonic'>
  /** Oldest first. */
  readonly #offers = new Map<number, Offer>()

  constructor(clock: Pick<MeshClock, 'monotonic'>) {
    this.#clock = clock
  }

  get count(): number {
    return this.#offers.size
  }

  find(from: Endpoint, ephemeral: string): Offer | undefined {
    for (const offer of this.#offers.values())
      if (offer.ephemeral === ephemeral && offer.session.isFrom(from)) return offer
    return undefined
  }

  /** Whether another one may be made for `from`. */
  hasRoom(from: Endpoint): boolean {
    let fromThere = 0
    for (const { session } of this.#offers.values()) if (session.isFrom(from)) fromThere++
    return this.#offers.size < OFFERS_MAX && fromThere < OFFERS_PER_ADDRESS_MAX
  }

  add(offer: Offer): void {
    this.#offers.set(offer.session.parts.localIndex, offer)
  }

  has(session: Session): boolean {
    return this.#offers.has(session.parts.localIndex)
  }

  remove(session: Session): void {
    this.#offers.delete(session.parts.localIndex)
  }

  removeExpired(): Session[] {
    if (this.#offers.size === 0) return []
    const nowMs = this.#clock.monotonic()
    return this.removeAll(({ parts }) => nowMs - parts.bornMs >= OFFER_MS)
  }

  /** Removes and returns those for which `isWanted` holds. */
  removeAll(isWanted: (session: Session) => boolean): Session[] {
    const removed = [...this.#offers.values()].map(({ session }) => session).filter(isWanted)
    for (const session of removed) this.remove(session)
    return removed
  }

  /** Those made for `address`. */
  removeOf(address: string): Session[] {
    return this.removeAll((session) => addressOf(session.parts.endpoint) === address)
  }
}
