/**
 * The members that this one has met: at most MEMBERS_MAX, each once in contact by a handshake of
 * its own. Hearsay never adds an entry. When the table is full, a member that has left makes room
 * first, then the one that has been down for longest; if all are up, the newcomer is not tracked:
 * it is talked to, but neither probed nor shown.
 */
import { addressOf, type Contact, type MemberId, type MemberProfile } from '../contacts/contact.ts'
import type { MemberRecord, MemberState } from './member-record.ts'
import type { Endpoint } from '../sockets/network.ts'
import { ClockSkew, RoundTrip } from './round-trip.ts'

export const MEMBERS_MAX = 1024
/**
 * A down member is remembered so that it is found again; one that left only until nobody speaks of
 * it any more.
 */
export const DOWN_KEPT_MS = 3_600_000
export const LEFT_KEPT_MS = 300_000

/** `heardTick` of a member that has not been heard since it was last asked. */
export const NOT_HEARD = -1

export interface Member {
  profile: MemberProfile
  /** Where it proved to be. */
  endpoint: Endpoint
  /** Absent once it is down or has left. */
  contact: Contact | undefined
  state: MemberState
  incarnation: number
  /** The probe interval in which it was last heard. */
  heardTick: number
  /** Since when it has been in this state. */
  sinceMs: number
  readonly roundTrip: RoundTrip
  readonly clockSkew: ClockSkew
}

export class Members {
  readonly #members = new Map<MemberId, Member>()
  readonly #skewMsMax: number

  constructor(skewMsMax: number) {
    this.#skewMsMax = skewMsMax
  }

  get count(): number {
    return this.#members.size
  }

  get(member: MemberId): Member | undefined {
    return this.#members.get(member)
  }

  all(): IterableIterator<Member> {
    return this.#members.values()
  }

  /** `undefined` when there is no room. */
  add(contact: Contact, nowMs: number): Member | undefined {
    if (this.#members.size >= MEMBERS_MAX && !this.#makeRoom()) return undefined
    const member: Member = {
      profile: contact.profile,
      endpoint: contact.endpoint,
      contact: undefined,
      state: 'down',
      incarnation: 0,
      heardTick: NOT_HEARD,
      sinceMs: nowMs,
      roundTrip: new RoundTrip(),
      clockSkew: new ClockSkew(this.#skewMsMax),
    }
    this.#members.set(contact.profile.member, member)
    return member
  }

  /** Forgets those that `contact` replaced: former runs at the same address. */
  supersede(contact: Contact): void {
    for (const [id, member] of this.#members)
      if (!isPresent(member) && id !== contact.profile.member && addressOf(member.endpoint) === contact.address)
        this.#members.delete(id)
  }

  /** Forgets those that have been away for long enough. */
  expire(nowMs: number): void {
    for (const [id, { state, sinceMs }] of this.#members) {
      const keptMs = state === 'down' ? DOWN_KEPT_MS : state === 'left' ? LEFT_KEPT_MS : Infinity
      if (nowMs - sinceMs > keptMs) this.#members.delete(id)
    }
  }

  #makeRoom(): boolean {
    let oldest: Member | undefined
    for (const member of this.#members.values())
      if (!isPresent(member) && (oldest === undefined || isForgottenBefore(member, oldest))) oldest = member
    return oldest !== undefined && this.#members.delete(oldest.profile.member)
  }
}

/** In contact, and not given up. */
export function isPresent({ state }: Member): boolean {
  return state === 'alive' || state === 'suspect'
}

export function recordOf({ profile, state, incarnation, endpoint }: Member): MemberRecord {
  return { profile, state, incarnation, endpoint }
}

function isForgottenBefore(a: Member, b: Member): boolean {
  return a.state === b.state ? a.sinceMs < b.sinceMs : a.state === 'left'
}
