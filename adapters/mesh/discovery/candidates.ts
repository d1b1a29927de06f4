/**
 * Addresses at which somebody may be, and when to knock there next.
 *
 * Four sources, which differ in how much they are trusted and for how long they are kept:
 * - `static`: we were told to talk to them. For ever.
 * - `down`: a member was there. For an hour; quickly for the first minute, since most of what goes
 *   away comes back at once.
 * - `introduced`: others say so. They may be wrong, or lie, so for a minute after they last said
 *   it.
 * - `announced`: it said so itself. Somebody may have recorded that and play it again from a forged
 *   address, so one knock each time.
 *
 * At most CANDIDATES_MAX. Hearsay only takes free places, or that of other hearsay which has had
 * its chance in vain; what we know ourselves takes the places of hearsay. A knock is a handshake of
 * a few datagrams (contacts.ts); the pause until the next one begins when that has gone unanswered,
 * and doubles up to PAUSE_MS_MAX, give or take a fifth. Scans are O(n) in a table of bounded size.
 */
import { jittered } from '../chance.ts'
import { addressOf, type MeshClock } from '../contacts/contact.ts'
import type { Endpoint } from '../sockets/network.ts'

export type Source = 'static' | 'down' | 'introduced' | 'announced'

export const CANDIDATES_MAX = 1024

/** Should the end of a handshake not be heard of. */
const HANDSHAKE_MS_MAX = 3000
const PAUSE_MS_MIN = 250
const PAUSE_MS_MAX = 5000
/** A member that has just gone is knocked for about every second, the handshake included. */
const QUICK_PAUSE_MS = 500
const QUICK_FOR_MS = 60_000
const DOWN_KEPT_MS = 3_600_000
const INTRODUCED_KEPT_MS = 60_000
/** As long as one handshake tries. */
const ANNOUNCED_KEPT_MS = 2000
/** Named again, a candidate is knocked for at once, but not more often than this. */
const NAMED_AGAIN_MS = 1000

export interface Candidate {
  readonly endpoint: Endpoint
  source: Source
  /** When it was told, lost, or last named. */
  sinceMs: number
  /** When a member was lost there: the quick minute. */
  lostMs: number
  dueMs: number
  knockedMs: number
  unansweredCount: number
}

export class Candidates {
  readonly #clock: MeshClock
  readonly #candidates = new Map<string, Candidate>()

  constructor(clock: MeshClock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#candidates.size
  }

  all(): IterableIterator<Candidate> {
    return this.#candidates.values()
  }

  /** We were told to talk to it. */
  told(endpoint: Endpoint): Candidate | undefined {
    const candidate = this.#at(endpoint, 'static')
    if (candidate !== undefined) candidate.source = 'static'
    return candidate
  }

  /** We are not told so any more. */
  untold(endpoint: Endpoint): void {
    const candidate = this.#candidates.get(addressOf(endpoint))
    if (candidate?.source !== 'static') return
    candidate.source = 'introduced'
    candidate.sinceMs = this.#clock.monotonic()
  }

  /** A member there is down. */
  lost(endpoint: Endpoint): Candidate | undefined {
    const candidate = this.#at(endpoint, 'down')
    if (candidate === undefined) return undefined
    const nowMs = this.#clock.monotonic()
    if (isHearsay(candidate.source)) candidate.source = 'down'
    candidate.sinceMs = candidate.lostMs = nowMs
    candidate.unansweredCount = 0
    candidate.dueMs = nowMs + jittered(this.#clock, QUICK_PAUSE_MS)
    return candidate
  }

  /** Others say that somebody is there, or somebody there does. */
  named(endpoint: Endpoint, by: 'introduced' | 'announced' = 'introduced'): Candidate | undefined {
    const candidate = this.#at(endpoint, by)
    if (candidate === undefined) return undefined
    const nowMs = this.#clock.monotonic()
    if (candidate.source === 'announced') candidate.source = by
    if (candidate.source === by) candidate.sinceMs = nowMs
    candidate.dueMs = Math.min(candidate.dueMs, Math.max(nowMs, candidate.knockedMs + NAMED_AGAIN_MS))
    return candidate
  }

  forget(endpoint: Endpoint): void {
    this.#candidates.delete(addressOf(endpoint))
  }

  /**
   * Someone there answers: what we were told is looked at again in a while, the rest is forgotten.
   */
  answered(candidate: Candidate): void {
    if (candidate.source !== 'static') {
      this.forget(candidate.endpoint)
      return
    }
    candidate.unansweredCount = 0
    candidate.dueMs = this.#clock.monotonic() + 1000
  }

  knocked(candidate: Candidate): void {
    candidate.knockedMs = this.#clock.monotonic()
    candidate.dueMs = candidate.knockedMs + HANDSHAKE_MS_MAX + this.#pauseMs(candidate)
  }

  /** The handshake has failed. */
  unanswered(endpoint: Endpoint): Candidate | undefined {
    const candidate = this.#candidates.get(addressOf(endpoint))
    if (candidate === undefined) return undefined
    candidate.dueMs = this.#clock.monotonic() + this.#pauseMs(candidate)
    candidate.unansweredCount++
    return candidate
  }

  /**
   * Whoever is due, what is trusted most first, whoever has waited longest first. What has been
   * kept for long enough is forgotten.
   */
  due(): Candidate[] {
    const nowMs = this.#clock.monotonic()
    const due: Candidate[] = []
    for (const [address, candidate] of this.#candidates) {
      if (nowMs - candidate.sinceMs > KEPT_MS[candidate.source]) this.#candidates.delete(address)
      else if (candidate.dueMs <= nowMs) due.push(candidate)
    }
    return due.sort((a, b) => trust(a.source) - trust(b.source) || a.dueMs - b.dueMs)
  }

  #at(endpoint: Endpoint, source: Source): Candidate | undefined {
    const address = addressOf(endpoint)
    const known = this.#candidates.get(address)
    if (known !== undefined) return known
    if (this.#candidates.size >= CANDIDATES_MAX && !this.#makeRoom(source)) return undefined
    const nowMs = this.#clock.monotonic()
    const candidate: Candidate = {
      endpoint,
      source,
      sinceMs: nowMs,
      lostMs: -Infinity,
      dueMs: nowMs,
      knockedMs: -Infinity,
      unansweredCount: 0,
    }
    this.#candidates.set(address, candidate)
    return candidate
  }

  #makeRoom(source: Source): boolean {
    const unansweredMin = isHearsay(source) ? 1 : 0
    let worst: Candidate | undefined
    for (const candidate of this.#candidates.values()) {
      if (!isHearsay(candidate.source) || candidate.unansweredCount < unansweredMin) continue
      if (worst === undefined || candidate.unansweredCount > worst.unansweredCount) worst = candidate
    }
    return worst !== undefined && this.#candidates.delete(addressOf(worst.endpoint))
  }

  #pauseMs({ lostMs, unansweredCount }: Candidate): number {
    const isQuick = this.#clock.monotonic() - lostMs < QUICK_FOR_MS
    const backedOffMs = PAUSE_MS_MIN * 2 ** Math.min(unansweredCount, 8)
    return jittered(this.#clock, isQuick ? QUICK_PAUSE_MS : Math.min(PAUSE_MS_MAX, backedOffMs))
  }
}

const KEPT_MS: Readonly<Record<Source, number>> = {
  static: Infinity,
  down: DOWN_KEPT_MS,
  introduced: INTRODUCED_KEPT_MS,
  announced: ANNOUNCED_KEPT_MS,
}

function trust(source: Source): number {
  return source === 'static' ? 0 : source === 'down' ? 1 : 2
}

export function isHearsay(source: Source): boolean {
  return source === 'introduced' || source === 'announced'
}
