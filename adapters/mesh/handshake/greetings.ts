/**
 * Handshakes that this member has begun and that have not come to an end: one per address, four
 * tries over two seconds, 256 at a time. Only answers to them are looked at, so an answer that
 * nobody asked for costs a look into a table.
 */
import type { Timer } from '../../../src/index.ts'
import type { ClusterKey } from './cluster-keys.ts'
import { type MeshClock, type MemberProfile, addressOf } from '../contacts/contact.ts'
import {
  type Introduction,
  NONCE_BYTES,
  NO_COOKIE,
  answeredIndex,
  openCookie,
  openWelcome,
  sealGreeting,
} from './handshake.ts'
import type { Endpoint } from '../sockets/network.ts'

export interface GreetingsOptions {
  readonly clock: MeshClock
  readonly self: MemberProfile
  send(to: Endpoint, bytes: Uint8Array): void
  /** An index that no session has. */
  freeIndex(): number
  onUnanswered(to: Endpoint): void
}

/** A handshake that the other side has completed. */
export interface Welcomed {
  readonly to: Endpoint
  readonly key: ClusterKey
  readonly initiator: Introduction
  readonly responder: Introduction
}

interface Pending {
  readonly to: Endpoint
  readonly key: ClusterKey
  readonly introduction: Introduction
  bytes: Uint8Array
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

  /** Where a greeting with `index` has gone to. */
  targetOf(index: number): Endpoint | undefined {
    return this.#byIndex.get(index)?.to
  }

  /** Returns `false` if there are too many. */
  begin(to: Endpoint, key: ClusterKey): boolean {
    const address = addressOf(to)
    if (this.#byAddress.has(address)) return true
    if (this.#byIndex.size >= PENDING_MAX) return false
    const { clock, self, freeIndex } = this.#options
    const introduction = { profile: self, index: freeIndex(), nonce: clock.random(NONCE_BYTES) }
    const bytes = sealGreeting(key, introduction, NO_COOKIE)
    const pending: Pending = { to, key, introduction, bytes, tries: 0, cookies: 0, timer: undefined }
    this.#byAddress.set(address, pending)
    this.#byIndex.set(introduction.index, pending)
    this.#try(pending)
    return true
  }

  /** Answers that nobody waits for are mostly ones that came before. */
  takeCookie(from: Endpoint, bytes: Uint8Array): 'forged' | 'replayed' | undefined {
    const pending = this.#awaiting(from, bytes)
    if (pending === undefined) return 'replayed'
    const cookie = openCookie(pending.key, bytes, pending.introduction)
    if (cookie === undefined) return 'forged'
    // A repeated cookie must not make us send for ever.
    if (pending.cookies++ >= COOKIES_MAX) return 'replayed'
    pending.bytes = sealGreeting(pending.key, pending.introduction, cookie)
    this.#options.send(pending.to, pending.bytes)
    return undefined
  }

  /** Ends the handshake, if the welcome is authentic. */
  takeWelcome(from: Endpoint, bytes: Uint8Array): Welcomed | 'forged' | 'replayed' {
    const pending = this.#awaiting(from, bytes)
    if (pending === undefined) return 'replayed'
    const responder = openWelcome(pending.key, bytes, pending.introduction)
    if (responder === undefined) return 'forged'
    this.#end(pending)
    return { to: pending.to, key: pending.key, initiator: pending.introduction, responder }
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

  #awaiting(from: Endpoint, bytes: Uint8Array): Pending | undefined {
    const index = answeredIndex(bytes)
    const pending = index === undefined ? undefined : this.#byIndex.get(index)
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
    this.#byIndex.delete(pending.introduction.index)
  }
}

export function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.host === b.host
}
