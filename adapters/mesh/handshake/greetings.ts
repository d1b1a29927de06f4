/**
 * Handshakes that this member has begun and that have not come to an end: one per address, four
 * tries over two seconds, 256 at a time. Only answers to them are looked at, so an answer that
 * nobody asked for costs a look into a table.
 */
import type { Timer } from '../../../src/index.ts'
import type { ClusterKey } from './cluster-keys.ts'
import { type MeshClock, type MemberProfile, addressOf } from '../contacts/contact.ts'
import { type Introduction, type Outcome, OwnGreeting } from './handshake.ts'
import { type Knock, NONCE_BYTES, cookieIn, knockPacket, indexIn } from './knock.ts'
import { NOISE_KEY_BYTES } from './noise.ts'
import { type PacketHead, isAuthentic } from './packets.ts'
import type { Endpoint } from '../sockets/network.ts'
import { type Versions, commonVersion } from './versions.ts'

export interface GreetingsOptions {
  readonly clock: MeshClock
  readonly self: MemberProfile
  /** What this member speaks. */
  readonly versions: Versions
  send(to: Endpoint, bytes: Uint8Array): void
  /** An index that no session has. */
  freeIndex(): number
  onUnanswered(to: Endpoint): void
  /** Whoever is there holds the key and speaks none of our versions. */
  onStranger(from: Endpoint, versions: Versions): void
}

/** A handshake that the other side has completed. */
export interface Welcomed extends Outcome {
  readonly to: Endpoint
  readonly key: ClusterKey
  readonly own: Introduction
  readonly version: number
}

interface Pending {
  readonly to: Endpoint
  readonly key: ClusterKey
  readonly knock: Knock
  /** What is sent until something better is known: the knock, then the greeting. */
  bytes: Uint8Array
  /** Since a cookie has come. */
  greeting: OwnGreeting | undefined
  tries: number
  cookies: number
  timer: Timer | undefined
}

const PENDING_MAX = 256
/** From one try to the next, and from the last one to giving up. */
const TRY_MS = [250, 450, 600, 700] as const
const COOKIES_MAX = 8

export class Greetings {
  readonly #options: GreetingsOptions
  readonly #byAddress = new Map<string, Pending>()
  readonly #byIndex = new Map<number, Pending>()

  constructor(options: GreetingsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#byIndex.size
  }

  hasIndex(index: number): boolean {
    return this.#byIndex.has(index)
  }

  /** Where a greeting with `knock` has gone to, if it is one of ours. */
  targetOf({ index, nonce }: Knock): Endpoint | undefined {
    const pending = this.#byIndex.get(index)
    return pending !== undefined && Buffer.compare(pending.knock.nonce, nonce) === 0 ? pending.to : undefined
  }

  /** Returns `false` if there are too many. */
  begin(to: Endpoint, key: ClusterKey): boolean {
    const address = addressOf(to)
    if (this.#byAddress.has(address)) return true
    if (this.#byIndex.size >= PENDING_MAX) return false
    const { clock, versions, freeIndex } = this.#options
    const knock = { index: freeIndex(), nonce: clock.random(NONCE_BYTES) }
    const bytes = knockPacket(key, versions, knock)
    const greeting = undefined
    const pending: Pending = { to, key, knock, bytes, greeting, tries: 0, cookies: 0, timer: undefined }
    this.#byAddress.set(address, pending)
    this.#byIndex.set(knock.index, pending)
    this.#try(pending)
    return true
  }

  /** Answers that nobody waits for are mostly ones that came before. */
  takeCookie(from: Endpoint, bytes: Uint8Array, { versions }: PacketHead): 'forged' | 'replayed' | undefined {
    const pending = this.#awaiting(from, bytes)
    if (pending === undefined) return 'replayed'
    if (!isAuthentic(pending.key, bytes, pending.knock.nonce)) return 'forged'
    // A repeated cookie must not make us send for ever.
    if (pending.cookies++ >= COOKIES_MAX) return 'replayed'
    const greeting = this.#greeting(pending, versions)
    if (greeting === undefined) {
      this.#end(pending)
      this.#options.onStranger(pending.to, versions)
      this.#options.onUnanswered(pending.to)
      return undefined
    }
    pending.greeting = greeting
    pending.bytes = greeting.packet(cookieIn(bytes))
    this.#options.send(pending.to, pending.bytes)
    return undefined
  }

  /** Ends the handshake, if the welcome is authentic. */
  takeWelcome(from: Endpoint, bytes: Uint8Array): Welcomed | 'forged' | 'replayed' {
    const pending = this.#awaiting(from, bytes)
    if (pending?.greeting === undefined) return 'replayed'
    const { to, key, knock, greeting } = pending
    const outcome = isAuthentic(key, bytes, knock.nonce) ? greeting.takeWelcome(bytes) : undefined
    if (outcome === undefined) return 'forged'
    this.#end(pending)
    const own = { profile: this.#options.self, index: knock.index }
    return { ...outcome, to, key, own, version: greeting.agreed.version }
  }

  cancel(to: Endpoint): void {
    const pending = this.#byAddress.get(addressOf(to))
    if (pending !== undefined) this.#end(pending)
  }

  /** Begins again with `key` what has been begun with another one. */
  useKey(key: ClusterKey): void {
    for (const pending of [...this.#byIndex.values()]) {
      if (pending.key.id === key.id) continue
      this.#end(pending)
      this.begin(pending.to, key)
    }
  }

  close(): void {
    for (const pending of [...this.#byIndex.values()]) this.#end(pending)
  }

  /**
   * In the greatest version that both speak, `undefined` if there is none. A second cookie of the
   * same member changes nothing: one greeting has one e and one text.
   */
  #greeting({ greeting, key, knock }: Pending, greeted: Versions): OwnGreeting | undefined {
    const { clock, self, versions: greeter } = this.#options
    const version = commonVersion(greeter, greeted)
    if (version === undefined) return undefined
    const before = greeting?.agreed.greeted
    if (before?.oldest === greeted.oldest && before.newest === greeted.newest) return greeting
    const agreed = { version, greeter, greeted }
    return new OwnGreeting({ key, agreed, knock, profile: self, privateKey: clock.random(NOISE_KEY_BYTES) })
  }

  #awaiting(from: Endpoint, bytes: Uint8Array): Pending | undefined {
    const pending = this.#byIndex.get(indexIn(bytes))
    return pending !== undefined && isSame(pending.to, from) ? pending : undefined
  }

  #try(pending: Pending): void {
    const delayMs = TRY_MS[pending.tries++]
    if (delayMs === undefined) {
      this.#end(pending)
      this.#options.onUnanswered(pending.to)
      return
    }
    this.#options.send(pending.to, pending.bytes)
    pending.timer = this.#options.clock.schedule(delayMs, () => this.#try(pending))
  }

  #end(pending: Pending): void {
    pending.timer?.cancel()
    this.#byAddress.delete(addressOf(pending.to))
    this.#byIndex.delete(pending.knock.index)
  }
}

export function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.host === b.host
}
