/**
 * Whom to greet, and when: the peers of the configuration (`static-peers.ts`), those who announce
 * themselves (`multicast.ts`), members that went down, and whom others name (`candidates.ts`).
 * Finding somebody is all that this does: who really is there, the handshake shows.
 *
 * Bounded in every way that a hostile peer could pull: at most CANDIDATES_MAX addresses, at most
 * GREETINGS_PER_SECOND_MAX handshakes begun, a part of them for hearsay, and as much hearsay looked
 * at. One timer, which sleeps until somebody is due, but looks at least once a second.
 */
import type { Timer, TransportReport } from '../../../src/index.ts'
import { type Candidate, Candidates, isHearsay } from './candidates.ts'
import type { MeshClock } from '../contacts/contact.ts'
import { isLoopback, isUnicast } from '../sockets/ip-address.ts'
import { Multicast, type MulticastSettings } from '../sockets/multicast.ts'
import type { Endpoint, MeshNetwork, OnDatagram } from '../sockets/network.ts'
import { StaticPeers } from './static-peers.ts'

export interface DiscoverySettings {
  /** Of peers that are named without one. */
  readonly defaultPort: number
  /** Without a cluster key nobody beyond this machine is greeted, whoever names them. */
  readonly isLoopbackOnly: boolean
}

export interface DiscoveryOptions {
  readonly network: Pick<MeshNetwork, 'resolve' | 'joinMulticast'>
  readonly clock: MeshClock
  readonly peers: readonly string[]
  readonly multicast: MulticastSettings | false
  readonly settings: DiscoverySettings
  /** There is a contact at that address, or we are there ourselves. */
  readonly isKnown: (endpoint: Endpoint) => boolean
  readonly greet: (endpoint: Endpoint) => void
  readonly announce: (group: Endpoint) => void
  /** What came to the group. Whoever turns out to be an authentic stranger is `heard`. */
  readonly announced: OnDatagram
  readonly report: (report: TransportReport) => void
}

export const GREETINGS_PER_SECOND_MAX = 128
export const HEARSAY_GREETINGS_PER_SECOND_MAX = 64
export const INTRODUCTIONS_PER_SECOND_MAX = 512

const LOOKED_EVERY_MS = 1000
/** Those due within it are greeted together. */
const TIMER_MS_MIN = 50

export class Discovery {
  readonly #options: DiscoveryOptions
  readonly #candidates: Candidates
  readonly #static: StaticPeers
  readonly #multicast: Multicast | undefined
  readonly #greetings: Allowance
  readonly #hearsayGreetings: Allowance
  readonly #introductions: Allowance
  #timer: Timer | undefined
  #timerDueMs = Infinity
  #isOpen = false

  /** Throws `WARP_E_CONFIG` when a peer is not an address. */
  constructor(options: DiscoveryOptions) {
    const { network, clock, peers, settings, multicast, announce, announced, report } = options
    this.#options = options
    this.#candidates = new Candidates(clock)
    this.#greetings = new Allowance(clock, GREETINGS_PER_SECOND_MAX)
    this.#hearsayGreetings = new Allowance(clock, HEARSAY_GREETINGS_PER_SECOND_MAX)
    this.#introductions = new Allowance(clock, INTRODUCTIONS_PER_SECOND_MAX)
    this.#static = new StaticPeers({
      network,
      clock,
      peers,
      defaultPort: settings.defaultPort,
      onFound: (endpoint) => this.#found(endpoint),
      onGone: (endpoint) => this.#candidates.untold(endpoint),
      isReached: options.isKnown,
      report,
    })
    if (multicast !== false)
      this.#multicast = new Multicast({ network, clock, settings: multicast, announce, announced, report })
  }

  /** Resolves once multicast works, or is known not to. */
  async start(): Promise<void> {
    this.#isOpen = true
    this.#look()
    await this.#multicast?.start()
  }

  /** Others say that somebody is there. */
  introduced(endpoint: Endpoint): void {
    this.#named(endpoint, 'introduced')
  }

  /** Somebody has announced itself from there, and will again. */
  heard(from: Endpoint): void {
    this.#named(from, 'announced')
  }

  /** The member there is down: keeps trying, quickly at first. */
  down(endpoint: Endpoint): void {
    if (!this.#isGreetable(endpoint)) return
    this.#wakeFor(this.#candidates.lost(endpoint))
  }

  /** A handshake has failed. */
  unanswered(endpoint: Endpoint): void {
    this.#wakeFor(this.#candidates.unanswered(endpoint))
  }

  /** Addresses that are being tried or watched. */
  get candidateCount(): number {
    return this.#candidates.count
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#timer?.cancel()
    this.#static.close()
    await this.#multicast?.close()
  }

  #named(endpoint: Endpoint, by: 'introduced' | 'announced'): void {
    if (!this.#introductions.take() || !this.#isGreetable(endpoint) || this.#options.isKnown(endpoint)) return
    this.#wakeFor(this.#candidates.named(endpoint, by))
  }

  #found(endpoint: Endpoint): void {
    this.#wakeFor(this.#candidates.told(endpoint))
  }

  #isGreetable({ host, port }: Endpoint): boolean {
    if (!this.#isOpen || port === 0) return false
    return this.#options.settings.isLoopbackOnly ? isLoopback(host) : isUnicast(host)
  }

  #look(): void {
    this.#timerDueMs = Infinity
    this.#static.look()
    for (const candidate of this.#candidates.due()) {
      if (this.#options.isKnown(candidate.endpoint)) this.#candidates.answered(candidate)
      else if (this.#mayGreet(candidate)) {
        this.#candidates.knocked(candidate)
        this.#options.greet(candidate.endpoint)
      }
    }
    this.#wake(LOOKED_EVERY_MS)
    for (const candidate of this.#candidates.all()) this.#wakeFor(candidate)
  }

  #mayGreet({ source }: Candidate): boolean {
    if (isHearsay(source) && !this.#hearsayGreetings.take()) return false
    return this.#greetings.take()
  }

  #wakeFor(candidate: Candidate | undefined): void {
    if (candidate !== undefined) this.#wake(candidate.dueMs - this.#options.clock.monotonic())
  }

  #wake(delayMs: number): void {
    const { clock } = this.#options
    const dueMs = clock.monotonic() + Math.max(TIMER_MS_MIN, delayMs)
    if (!this.#isOpen || dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    this.#timer = clock.schedule(dueMs - clock.monotonic(), () => this.#look())
  }
}

/** So many a second, unused ones saved up for one second. */
class Allowance {
  readonly #clock: MeshClock
  readonly #perSecond: number
  #left: number
  #filledMs: number

  constructor(clock: MeshClock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#left = perSecond
    this.#filledMs = clock.monotonic()
  }

  take(): boolean {
    const nowMs = this.#clock.monotonic()
    this.#left = Math.min(this.#perSecond, this.#left + ((nowMs - this.#filledMs) * this.#perSecond) / 1000)
    this.#filledMs = nowMs
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
