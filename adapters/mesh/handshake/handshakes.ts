/**
 * Handshakes, both ways: who is greeted and answered, with which key, and which sessions come of
 * it. Every packet that is not sealed ends here. What is not authentic leaves no state, no answer,
 * only a count.
 *
 * Bounds: 256 handshakes each way, 64 own addresses.
 */
import type { Timer } from '../../../src/index.ts'
import type { ContactTable } from '../contacts/contact-table.ts'
import { type ContactEvents, type MeshClock, type MemberProfile, addressOf } from '../contacts/contact.ts'
import type { RefusalKind } from '../contacts/refusals.ts'
import { Session } from '../contacts/session.ts'
import { hexOf } from '../hex.ts'
import { MESSAGE } from '../messages.ts'
import { isLoopback } from '../sockets/ip-address.ts'
import type { DatagramPort, Endpoint } from '../sockets/network.ts'
import { type ClusterKey, type ClusterKeys, keyOfId } from './cluster-keys.ts'
import { Cookies } from './cookies.ts'
import { Greetings, isSame } from './greetings.ts'
import { type Agreed, answerGreeting, ephemeralIn, greetingCookieIn } from './handshake.ts'
import { type Knock, NONCE_BYTES, announcedIn, announcementPacket, boundIn, cookiePacket, knockIn } from './knock.ts'
import { NOISE_KEY_BYTES } from './noise.ts'
import { type PacketHead, isAuthentic, readHead, readU32 } from './packets.ts'
import { Strangers } from './strangers.ts'
import { type Versions, commonVersion } from './versions.ts'

/** An open packet whose head has been read, and the key that it names. */
interface Known {
  readonly head: PacketHead
  readonly key: ClusterKey
}

export interface HandshakesOptions {
  readonly clock: MeshClock
  readonly keys: ClusterKeys
  readonly self: MemberProfile
  /** What this member speaks. */
  readonly versions: Versions
  readonly table: ContactTable
  readonly events: ContactEvents
  /** The way out while the socket is open. */
  readonly socket: Pick<DatagramPort, 'send'>
}

/** The first version whose packets say what their sender speaks. */
const NEGOTIATED_VERSION = 2
const OWN_ADDRESSES_MAX = 64
const OWN_ADDRESS_MS = 60_000
/** An initiator speaks again until it has been heard: its first packet makes the session good. */
const CONFIRM_MS = [250, 500, 1000, 2000] as const
const PROOF_OF_LIFE: Uint8Array = Uint8Array.of(MESSAGE.nothing, 0)

export class Handshakes {
  readonly #options: HandshakesOptions
  readonly #table: ContactTable
  readonly #cookies: Cookies
  readonly #strangers: Strangers
  readonly #greetings: Greetings
  readonly #ownAddresses = new Map<string, number>()
  readonly #confirmTimers = new Set<Timer>()
  #keys: ClusterKeys

  constructor(options: HandshakesOptions) {
    const { clock, self, versions, socket, events } = options
    this.#options = options
    this.#table = options.table
    this.#keys = options.keys
    this.#cookies = new Cookies(clock)
    this.#strangers = new Strangers(clock, versions, (report) => events.onReport(report))
    this.#greetings = new Greetings({
      ...{ clock, self, versions },
      send: (to, bytes) => socket.send(to, bytes),
      freeIndex: () => this.#freeIndex(),
      onUnanswered: (to) => events.onUnanswered(to),
      onStranger: (from, theirs) => this.#strangers.tell(from, { kind: 'version', versions: theirs }),
    })
  }

  /** How full the bounded tables are. */
  get counts(): Readonly<Record<'greetings' | 'ownAddresses', number>> {
    return { greetings: this.#greetings.count, ownAddresses: this.#ownAddresses.size }
  }

  close(): void {
    for (const timer of this.#confirmTimers) timer.cancel()
    this.#greetings.close()
  }

  useKeys(keys: ClusterKeys): void {
    this.#keys = keys
    this.#greetings.useKey(keys.primary)
  }

  announcement(): Uint8Array {
    const { clock, self, versions } = this.#options
    const nonce = clock.random(NONCE_BYTES)
    return announcementPacket(this.#keys.primary, versions, { member: self.member, nonce })
  }

  /** Unless a handshake with `to` is under way or `to` is this member itself. */
  greet(to: Endpoint): void {
    if (this.isSelf(to)) return
    if (this.isAllowed(to) && this.#greetings.begin(to, this.#keys.primary)) return
    this.#options.clock.defer(() => this.#options.events.onUnanswered(to))
  }

  /** Whether our own greeting came back from there not long ago. */
  isSelf(endpoint: Endpoint): boolean {
    const address = addressOf(endpoint)
    const foundMs = this.#ownAddresses.get(address)
    if (foundMs === undefined) return false
    if (this.#options.clock.monotonic() - foundMs < OWN_ADDRESS_MS) return true
    this.#ownAddresses.delete(address)
    return false
  }

  /** An open packet: a knock, a cookie, a greeting or a welcome. */
  take(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    if (head === undefined) return 'malformed'
    const key = this.#keyOf(from, head)
    if (key === undefined) return 'forged'
    switch (head.type) {
      case 'knock':
        return this.#takeKnock(from, bytes, { head, key })
      case 'cookie':
        return this.#greetings.takeCookie(from, bytes, head)
      case 'greeting':
        return this.#takeGreeting(from, bytes, { head, key })
      case 'welcome':
        return this.#takeWelcome(from, bytes)
      case 'announcement':
        return 'malformed'
    }
  }

  takeAnnouncement(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    if (head === undefined) return 'malformed'
    const key = this.#keyOf(from, head)
    if (key === undefined) return 'forged'
    if (head.type !== 'announcement') return 'malformed'
    if (!isAuthentic(key, bytes)) return 'forged'
    if (!this.#speaks(from, head)) return undefined
    const member = announcedIn(bytes)
    if (member !== this.#options.self.member && this.#table.ofMember(member) === undefined)
      this.#options.events.onAnnounced(from)
    return undefined
  }

  /** The key that an open packet names, unless it is of a time before versions were negotiated. */
  #keyOf(from: Endpoint, { keyId, version, versions }: PacketHead): ClusterKey | undefined {
    const key = keyOfId(this.#keys, keyId)
    if (key === undefined) this.#strangers.tell(from, { kind: 'key' })
    else if (version < NEGOTIATED_VERSION) this.#strangers.tell(from, { kind: 'version', versions })
    return version < NEGOTIATED_VERSION ? undefined : key
  }

  /** Whether there is a version that both speak; told if not. `head` is authentic. */
  #speaks(from: Endpoint, { versions }: PacketHead): boolean {
    const isCommon = commonVersion(this.#options.versions, versions) !== undefined
    if (!isCommon) this.#strangers.tell(from, { kind: 'version', versions })
    return isCommon
  }

  #takeKnock(from: Endpoint, bytes: Uint8Array, { head, key }: Known): RefusalKind | undefined {
    if (!isAuthentic(key, bytes)) return 'forged'
    const knock = knockIn(bytes)
    if (this.#noteSelf(from, knock) || !this.isAllowed(from)) return undefined
    // Who speaks none of our versions is answered too: it has to tell its operator.
    this.#speaks(from, head)
    this.#sendCookie(from, key, { knock, bound: boundIn(bytes) })
    return undefined
  }

  #takeGreeting(from: Endpoint, bytes: Uint8Array, { head, key }: Known): RefusalKind | undefined {
    if (!isAuthentic(key, bytes)) return 'forged'
    const { versions } = this.#options
    const agreed = { version: head.version, greeter: head.versions, greeted: versions }
    if (commonVersion(head.versions, versions) !== agreed.version) return 'forged'
    const knock = knockIn(bytes)
    if (this.#noteSelf(from, knock) || !this.isAllowed(from)) return undefined
    // Nothing is kept for an address that has not proved itself.
    if (!this.#cookies.isValid(greetingCookieIn(bytes), from, boundIn(bytes))) {
      this.#sendCookie(from, key, { knock, bound: boundIn(bytes) })
      return undefined
    }
    const welcome = this.#table.offered(from, hexOf(ephemeralIn(bytes)))?.welcome
    if (welcome === undefined) return this.#offer(from, bytes, { key, agreed, knock })
    this.#options.socket.send(from, welcome)
    return undefined
  }

  #sendCookie(
    from: Endpoint,
    key: ClusterKey,
    { knock, bound }: { readonly knock: Knock; readonly bound: Uint8Array },
  ): void {
    const cookie = this.#cookies.make(from, bound)
    this.#options.socket.send(from, cookiePacket(key, this.#options.versions, { knock, cookie }))
  }

  /**
   * Our own knock has come back: what we greeted is ourselves. For a while only, since somebody may
   * have sent it back.
   */
  #noteSelf(from: Endpoint, knock: Knock): boolean {
    const to = this.#greetings.targetOf(knock)
    if (to === undefined) return false
    if (!isSame(to, from) || this.#ownAddresses.size >= OWN_ADDRESSES_MAX) return true
    this.#ownAddresses.set(addressOf(to), this.#options.clock.monotonic())
    this.#greetings.cancel(to)
    return true
  }

  #offer(
    from: Endpoint,
    greeting: Uint8Array,
    { key, agreed, knock }: { readonly key: ClusterKey; readonly agreed: Agreed; readonly knock: Knock },
  ): RefusalKind | undefined {
    if (!this.#table.hasRoomForOffer(from)) return undefined
    const { self, clock, socket } = this.#options
    const own = { profile: self, index: this.#freeIndex() }
    const answer = answerGreeting(greeting, { key, agreed, own, knock, privateKey: clock.random(NOISE_KEY_BYTES) })
    if (answer === undefined) return 'forged'
    const { other, secrets, welcome } = answer
    if (other.profile.member === self.member) return undefined
    const session = new Session({
      localIndex: own.index,
      remoteIndex: other.index,
      secrets,
      version: agreed.version,
      keyId: key.id,
      isInitiator: false,
      endpoint: from,
      profile: other.profile,
      bornMs: clock.monotonic(),
    })
    this.#table.offer({ session, ephemeral: hexOf(ephemeralIn(greeting)), welcome })
    socket.send(from, welcome)
    return undefined
  }

  #takeWelcome(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const welcomed = this.#greetings.takeWelcome(from, bytes)
    if (typeof welcomed === 'string') return welcomed
    const { own, other, secrets, version, key } = welcomed
    if (other.profile.member === this.#options.self.member) return undefined
    const known = this.#table.ofMember(other.profile.member)
    if (known !== undefined && !isSame(known.endpoint, from)) {
      this.#table.alias(known, from)
      return undefined
    }
    const session = new Session({
      localIndex: own.index,
      remoteIndex: other.index,
      ...{ secrets, version },
      keyId: key.id,
      isInitiator: true,
      endpoint: from,
      profile: other.profile,
      bornMs: this.#options.clock.monotonic(),
    })
    this.#table.establish(session)
    this.#prove(session, 0)
    return undefined
  }

  #prove(session: Session, tries: number): void {
    const delayMs = CONFIRM_MS[tries]
    if (session.hasHeard || this.#table.session(session.parts.localIndex) !== session) return
    this.#options.socket.send(session.parts.endpoint, session.seal(PROOF_OF_LIFE))
    if (delayMs === undefined) return
    const timer = this.#options.clock.schedule(delayMs, () => {
      this.#confirmTimers.delete(timer)
      this.#prove(session, tries + 1)
    })
    this.#confirmTimers.add(timer)
  }

  #freeIndex(): number {
    for (;;) {
      const index = readU32(this.#options.clock.random(4), 0)
      if (this.#table.session(index) === undefined && !this.#greetings.hasIndex(index)) return index
    }
  }

  /** Without a key nobody beyond loopback is spoken to. */
  isAllowed({ host }: Endpoint): boolean {
    return !this.#keys.isInsecure || isLoopback(host)
  }
}
