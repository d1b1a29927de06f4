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
import {
  type Greeting,
  NONCE_BYTES,
  announcementPacket,
  cookiePacket,
  openAnnouncement,
  openGreeting,
  sealWelcome,
  sessionSecrets,
} from './handshake.ts'
import { MESH_VERSION, PACKET, type PacketHead, readHead, readU32 } from './packets.ts'
import { Strangers } from './strangers.ts'

export interface HandshakesOptions {
  readonly clock: MeshClock
  readonly keys: ClusterKeys
  readonly self: MemberProfile
  readonly table: ContactTable
  readonly events: ContactEvents
  /** The way out while the socket is open. */
  readonly socket: Pick<DatagramPort, 'send'>
}

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
    const { clock, self, socket, events } = options
    this.#options = options
    this.#table = options.table
    this.#keys = options.keys
    this.#cookies = new Cookies(clock)
    this.#strangers = new Strangers(clock, (report) => events.onReport(report))
    this.#greetings = new Greetings({
      clock,
      self,
      send: (to, bytes) => socket.send(to, bytes),
      freeIndex: () => this.#freeIndex(),
      onUnanswered: (to) => events.onUnanswered(to),
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
    const { clock, self } = this.#options
    return announcementPacket(this.#keys.primary, self.member, clock.random(NONCE_BYTES))
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

  /** An open packet: a greeting, a cookie or a welcome. */
  take(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    const key = head && this.#keyOf(from, head)
    if (head === undefined || key === undefined) return head === undefined ? 'malformed' : 'forged'
    if (head.type === PACKET.greeting) return this.#takeGreeting(from, bytes, key)
    if (head.type === PACKET.cookie) return this.#greetings.takeCookie(from, bytes)
    return head.type === PACKET.welcome ? this.#takeWelcome(from, bytes) : 'malformed'
  }

  takeAnnouncement(from: Endpoint, bytes: Uint8Array): RefusalKind | undefined {
    const head = readHead(bytes)
    if (head?.type !== PACKET.announcement) return 'malformed'
    const key = this.#keyOf(from, head)
    const member = key && openAnnouncement(key, bytes)
    if (member === undefined) return 'forged'
    if (member !== this.#options.self.member && this.#table.ofMember(member) === undefined)
      this.#options.events.onAnnounced(from)
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

  #takeGreeting(from: Endpoint, bytes: Uint8Array, key: ClusterKey): RefusalKind | undefined {
    const greeting = openGreeting(key, bytes)
    if (greeting === undefined) return 'forged'
    if (greeting.profile.member === this.#options.self.member) this.#noteSelf(from, greeting.index)
    else if (this.isAllowed(from)) this.#answer(from, key, greeting)
    return undefined
  }

  /**
   * By a cookie, until it comes back with the greeting: nothing is kept for an address that has not
   * proved itself.
   */
  #answer(from: Endpoint, key: ClusterKey, greeting: Greeting): void {
    if (!this.#cookies.isValid(greeting.cookie, from, greeting.bound)) {
      this.#options.socket.send(from, cookiePacket(key, greeting, this.#cookies.make(from, greeting.bound)))
      return
    }
    const welcome = this.#table.offered(from, hexOf(greeting.nonce))?.welcome ?? this.#offer(from, key, greeting)
    if (welcome !== undefined) this.#options.socket.send(from, welcome)
  }

  /**
   * Our own greeting has come back: what we greeted is ourselves. For a while only, since somebody
   * may have sent it back.
   */
  #noteSelf(from: Endpoint, index: number): void {
    const to = this.#greetings.targetOf(index)
    if (to === undefined || !isSame(to, from) || this.#ownAddresses.size >= OWN_ADDRESSES_MAX) return
    this.#ownAddresses.set(addressOf(to), this.#options.clock.monotonic())
    this.#greetings.cancel(to)
  }

  #offer(from: Endpoint, key: ClusterKey, greeting: Greeting): Uint8Array | undefined {
    if (!this.#table.hasRoomForOffer(from)) return undefined
    const { self } = this.#options
    const own = { profile: self, index: this.#freeIndex(), nonce: this.#options.clock.random(NONCE_BYTES) }
    const session = new Session({
      localIndex: own.index,
      remoteIndex: greeting.index,
      secrets: sessionSecrets(key, { initiator: greeting, responder: own }, false),
      keyId: key.id,
      isInitiator: false,
      endpoint: from,
      profile: greeting.profile,
      bornMs: this.#options.clock.monotonic(),
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
