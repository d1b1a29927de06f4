/**
 * Who is in the cluster, as this member sees it: SWIM (Das, Gupta, Motivala: SWIM, 2002) on top of
 * authenticated contacts.
 *
 * Once an interval the next member of a shuffled ring is probed (`prober.ts`), so each is asked
 * once a round whatever the size, and the cost per member is constant. Pings and answers carry news
 * (`gossip.ts`), and besides a few records in rotation, so that what was missed is learned within a
 * round; whoever is met is told of everybody at once.
 *
 * Where it differs from the paper: a member is known only after a handshake of its own, so records
 * of strangers are nothing but hints at where to knock (`onIntroduced`), and are not passed on; and
 * what others say of a member that we hear ourselves makes us look, not believe. What we decide
 * ourselves, and what a member says of itself with a higher incarnation, is passed on.
 *
 * Bounded: MEMBERS_MAX members, one news and one probe for each, one datagram for each that is
 * asked for. Cost when idle: about two datagrams of some 100 bytes an interval. `heard` is a lookup
 * and a store, since every packet of every peer goes through it.
 */
import { isWarpError, type Timer } from '../../../src/index.ts'
import { AskedPings } from './asked.ts'
import { drawBelow, drawToFront } from '../chance.ts'
import type { Contact, MemberId, MemberProfile, MeshClock } from '../contacts/contact.ts'
import { Gossip } from './gossip.ts'
import { isLoopback } from '../sockets/ip-address.ts'
import { INCARNATION_MAX, type MemberRecord, type MemberState } from './member-record.ts'
import { isPresent, type Member, Members, NOT_HEARD, recordOf } from './members.ts'
import { MESSAGE, type MessageKind } from '../messages.ts'
import type { Endpoint } from '../sockets/network.ts'
import { Prober } from './prober.ts'
import * as swim from './swim-messages.ts'

export interface MembershipSettings {
  /** How often one member is probed; what failure detection is measured in. */
  readonly probeIntervalMs: number
  /** Beyond this difference of wall clocks a peer is reported. */
  readonly skewMsMax: number
}

export const MEMBERSHIP_DEFAULTS: MembershipSettings = { probeIntervalMs: 1000, skewMsMax: 250 }

export interface MembershipEvents {
  onState(member: MemberId, state: 'up' | 'suspect' | 'down' | 'left'): void
  /** Others say that somebody is there. May be said often, and may be wrong. */
  onIntroduced(endpoint: Endpoint): void
  onSkewed(member: MemberId, skewMs: number): void
  /** An authentic peer sent what is no message. */
  onMalformed(member: MemberId): void
}

export interface MembershipOptions {
  readonly clock: MeshClock
  readonly self: MemberProfile
  readonly settings: MembershipSettings
  readonly send: (to: MemberId, kind: MessageKind, body: Uint8Array) => void
  readonly events: MembershipEvents
}

export interface MemberView {
  readonly profile: MemberProfile
  readonly endpoint: Endpoint
  readonly state: MemberState
  readonly incarnation: number
  /** Absent until measured. */
  readonly roundTripMs?: number
  /** Its wall clock minus ours; absent until measured. */
  readonly clockSkewMs?: number
}

const HELPERS = 3
const SUSPICION_MS_MIN = 2000
/** News, and records in rotation, that one ping or answer carries. */
const NEWS_MAX = 6
const ROTATING_MAX = 2
/** Told to whom we meet; the rest comes by rotation. */
const STATE_RECORDS_MAX = 128

export class Membership {
  readonly #clock: MeshClock
  readonly #self: MemberProfile
  readonly #settings: MembershipSettings
  readonly #send: MembershipOptions['send']
  readonly #events: MembershipEvents
  readonly #members: Members
  readonly #gossip = new Gossip()
  readonly #asked: AskedPings
  readonly #prober: Prober
  #incarnation = 0
  #ring: Member[] = []
  #rotation: Member[] = []
  #tick = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor({ clock, self, settings, send, events }: MembershipOptions) {
    this.#clock = clock
    this.#self = self
    this.#settings = settings
    this.#send = send
    this.#events = events
    this.#members = new Members(settings.skewMsMax)
    this.#asked = new AskedPings(clock)
    this.#prober = new Prober(clock, settings.probeIntervalMs, {
      ping: (member) => this.#ping(member),
      askOthers: (member) => this.#askOthers(member),
      onSuspect: (member) => this.#become(member, 'suspect'),
      onTrusted: (member) => this.#become(member, 'alive'),
      onGivenUp: (member, state) => this.#become(member, state),
      suspicionMs: () => this.#suspicionMs(),
    })
  }

  start(): void {
    this.#schedule(drawBelow(this.#clock, this.#settings.probeIntervalMs))
  }

  /** Leaves, and says so to everybody. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    this.#prober.close()
    for (const member of this.#present()) this.#send(member.profile.member, MESSAGE.leave, new Uint8Array(0))
  }

  /** Its handshake is done. The same contact again is no news. */
  met(contact: Contact): void {
    const id = contact.profile.member
    if (this.#isClosed || id === this.#self.member) return
    this.#members.supersede(contact)
    const member = this.#members.get(id) ?? this.#members.add(contact, this.#clock.monotonic())
    if (member === undefined || (member.contact === contact && isPresent(member))) return
    member.contact = contact
    member.profile = contact.profile
    member.endpoint = contact.endpoint
    member.heardTick = this.#tick
    this.#prober.forget(member)
    this.#become(member, 'alive')
    const others = [...this.#present()].filter((other) => other !== member)
    const told = drawToFront(this.#clock, others, STATE_RECORDS_MAX).slice(0, STATE_RECORDS_MAX)
    for (const body of swim.encodeRecords(told.map(recordOf))) this.#send(id, MESSAGE.records, body)
    this.#ping(member)
  }

  /** Its keys are forgotten: it was given up, or another one has taken its address. */
  lost(contact: Contact): void {
    const member = this.#members.get(contact.profile.member)
    if (this.#isClosed || member?.contact !== contact) return
    member.contact = undefined
    this.#prober.forget(member)
    if (isPresent(member)) this.#become(member, 'down')
    for (const { contact: other } of this.#present())
      if (other?.address === contact.address) this.#members.supersede(other)
  }

  /** Any authentic packet is a proof of life. */
  heard(id: MemberId): void {
    const member = this.#members.get(id)
    if (member !== undefined) member.heardTick = this.#tick
  }

  /** Takes hostile bytes of an authentic peer: never throws. */
  receive(from: MemberId, kind: MessageKind, body: Uint8Array): void {
    if (this.#isClosed) return
    this.heard(from)
    try {
      this.#take(from, kind, body)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
      this.#events.onMalformed(from)
    }
  }

  /** Everybody who was met and is not forgotten. */
  views(): readonly MemberView[] {
    return Array.from(this.#members.all(), ({ profile, endpoint, state, incarnation, roundTrip, clockSkew }) => ({
      profile,
      endpoint,
      state,
      incarnation,
      ...(roundTrip.smoothedMs === undefined ? {} : { roundTripMs: roundTrip.smoothedMs }),
      ...(clockSkew.skewMs === undefined ? {} : { clockSkewMs: clockSkew.skewMs }),
    }))
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.schedule(delayMs, () => {
      this.#schedule(this.#settings.probeIntervalMs)
      this.#tick++
      this.#members.expire(this.#clock.monotonic())
      this.#welcomeBack()
      const next = this.#next()
      if (next !== undefined) this.#prober.probe(next)
    })
  }

  /** Given up, not dropped, and heard all the same. */
  #welcomeBack(): void {
    for (const member of this.#members.all())
      if (member.state === 'down' && member.contact !== undefined && member.heardTick !== NOT_HEARD)
        this.#become(member, 'alive')
  }

  /**
   * Round-robin over a ring that is shuffled anew for each round: everybody is asked within 2n - 1
   * intervals (paper, 4.3).
   */
  #next(): Member | undefined {
    for (let isFresh = false; ; isFresh = true) {
      for (let member = this.#ring.pop(); member !== undefined; member = this.#ring.pop())
        if (isPresent(member) && member.contact !== undefined) return member
      if (isFresh) return undefined
      this.#ring = drawToFront(this.#clock, [...this.#present()])
    }
  }

  #take(from: MemberId, kind: MessageKind, body: Uint8Array): void {
    switch (kind) {
      case MESSAGE.ping: {
        this.#onPing(from, swim.decodePing(body))
        return
      }
      case MESSAGE.ack: {
        this.#onAck(from, swim.decodeAck(body))
        return
      }
      case MESSAGE.pingRequest: {
        this.#onPingRequest(from, swim.decodePingRequest(body))
        return
      }
      case MESSAGE.records: {
        this.#learn(from, swim.decodeRecords(body))
        return
      }
      case MESSAGE.leave: {
        this.#onLeave(from)
        return
      }
      case MESSAGE.frame:
      case MESSAGE.nothing:
        return
    }
  }

  #onPing(from: MemberId, { sequence, records }: swim.Ping): void {
    this.#learn(from, records)
    const ack = { sequence, wallMs: this.#clock.now(), records: this.#news() }
    this.#send(from, MESSAGE.ack, swim.encodeAck(ack))
  }

  #onAck(from: MemberId, { sequence, wallMs, records }: swim.Ack): void {
    this.#learn(from, records)
    const asked = this.#asked.answered(from, sequence)
    if (asked === undefined) return
    const member = this.#members.get(asked.about ?? from)
    if (member !== undefined && isPresent(member)) this.#prober.trust(member)
    const { relayTo } = asked
    if (relayTo !== undefined)
      this.#send(relayTo.member, MESSAGE.ack, swim.encodeAck({ sequence: relayTo.sequence, records: [] }))
    if (member !== undefined && asked.about === undefined && wallMs !== undefined)
      this.#measure(member, this.#clock.monotonic() - asked.sentMs, wallMs)
  }

  #measure(member: Member, roundTripMs: number, theirMs: number): void {
    member.roundTrip.sample(roundTripMs)
    const skewMs = member.clockSkew.sample({ theirMs, ourMs: this.#clock.now(), roundTripMs })
    if (skewMs !== undefined) this.#events.onSkewed(member.profile.member, skewMs)
  }

  #onPingRequest(from: MemberId, { sequence, target, records }: swim.PingRequest): void {
    this.#learn(from, records)
    const member = this.#members.get(target)
    if (member === undefined || !isPresent(member)) return
    this.#ping(member, { member: from, sequence })
  }

  #onLeave(from: MemberId): void {
    const member = this.#members.get(from)
    if (member === undefined || member.state === 'left') return
    this.#prober.forget(member)
    this.#become(member, 'left')
  }

  #learn(from: MemberId, records: readonly MemberRecord[]): void {
    for (const record of records) {
      const { member: id } = record.profile
      const member = this.#members.get(id)
      if (id === this.#self.member) this.#refute(record)
      else if (member === undefined || !isPresent(member)) this.#introduce(from, record)
      else if (record.incarnation >= member.incarnation) this.#weigh(member, record, from === id)
    }
  }

  /** Somebody thinks that we are not alive. */
  #refute({ state, incarnation }: MemberRecord): void {
    if (state === 'alive' || incarnation < this.#incarnation) return
    this.#incarnation = Math.min(incarnation + 1, INCARNATION_MAX)
    this.#gossip.add({ profile: this.#self, state: 'alive', incarnation: this.#incarnation })
  }

  #introduce(from: MemberId, { profile, state, endpoint }: MemberRecord): void {
    const isThere = state === 'alive' || state === 'suspect'
    if (!isThere || endpoint === undefined || this.#members.get(profile.member)?.state === 'left') return
    // A loopback address that is told from another machine is not where it says.
    const isNear = isLoopback(this.#members.get(from)?.endpoint.host ?? '')
    if (isNear || !isLoopback(endpoint.host)) this.#events.onIntroduced(endpoint)
  }

  /** What somebody says of a member that is present by our own account. */
  #weigh(member: Member, { state, incarnation }: MemberRecord, isItself: boolean): void {
    if (state === 'alive') {
      if (incarnation === member.incarnation) return
      member.incarnation = incarnation
      // It has refuted: by way of others this is no proof of life now, but nobody else can have
      // raised the number.
      this.#prober.trust(member)
      this.#gossip.add({ ...recordOf(member), state: 'alive' })
    } else if (!isItself && member.heardTick !== this.#tick) {
      this.#prober.probe(member, state === 'suspect' ? undefined : state)
    }
  }

  #become(member: Member, state: MemberState): void {
    member.state = state
    member.sinceMs = this.#clock.monotonic()
    if (!isPresent(member)) member.heardTick = NOT_HEARD
    this.#gossip.add(recordOf(member))
    this.#events.onState(member.profile.member, state === 'alive' ? 'up' : state)
  }

  #ping(member: Member, relayTo?: { readonly member: MemberId; readonly sequence: number }): void {
    const of = member.profile.member
    const sequence = this.#asked.add({ of, ...(relayTo === undefined ? {} : { relayTo }) })
    // A suspect is told so first of all, for it alone can refute it.
    const records = member.state === 'suspect' ? [recordOf(member), ...this.#news()] : this.#news()
    this.#send(of, MESSAGE.ping, swim.encodePing({ sequence, records }))
  }

  #askOthers(member: Member): void {
    const others = [...this.#present()].filter((other) => other !== member && other.state === 'alive')
    const target = member.profile.member
    for (const helper of drawToFront(this.#clock, others, HELPERS).slice(0, HELPERS)) {
      const sequence = this.#asked.add({ of: helper.profile.member, about: target })
      const body = swim.encodePingRequest({ sequence, target, records: this.#news() })
      this.#send(helper.profile.member, MESSAGE.pingRequest, body)
    }
  }

  #news(): MemberRecord[] {
    const records = this.#gossip.take(NEWS_MAX, this.#members.count)
    for (let i = 0; i < ROTATING_MAX; i++) {
      if (this.#rotation.length === 0) this.#rotation = drawToFront(this.#clock, [...this.#present()])
      const member = this.#rotation.pop()
      if (member !== undefined && isPresent(member)) records.push(recordOf(member))
    }
    return records
  }

  #suspicionMs(): number {
    return Math.max(SUSPICION_MS_MIN, 3 * Math.log10(this.#members.count + 1) * this.#settings.probeIntervalMs)
  }

  *#present(): Generator<Member> {
    for (const member of this.#members.all()) if (isPresent(member)) yield member
  }
}
