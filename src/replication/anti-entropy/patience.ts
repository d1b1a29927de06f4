/**
 * How long to wait before a relay is asked for what only relays have. They see what other regions
 * write before they have carried it here, so most of it is under way. What is not is fetched by one
 * replica of the region, and the others have it from that one: each waits longer than the one before
 * it, by their ids, and begins anew whenever something has come.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peers } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'

/** Rounds of digests: for the first one, from one to the next, and so many places count. */
const FIRST_ROUNDS = 1
const NEXT_ROUNDS = 1.5
const PLACES_MAX = 4

export interface PatienceParts {
  readonly store: ReplicationStore
  readonly settings: Pick<ReplicationSettings, 'digestIntervalMs'>
  readonly peers: Peers
}

interface Wait {
  /** What had been applied of the writer when the wait began. */
  applied: number
  sinceMs: number
  /** This replica fetches: it goes on until it lacks nothing. */
  isFetching: boolean
}

export class Patience {
  readonly #parts: PatienceParts
  readonly #waits = new Map<ReplicaId, Wait>()

  constructor(parts: PatienceParts) {
    this.#parts = parts
  }

  /** These are the writers of which something is missing. */
  look(lacking: ReadonlyMap<ReplicaId, unknown>): void {
    for (const writer of [...this.#waits.keys()]) if (!lacking.has(writer)) this.#waits.delete(writer)
  }

  /** When relays may be asked for what is missing of `writer`. Monotonic milliseconds. */
  dueMs(writer: ReplicaId, nowMs: number): number {
    const applied = this.#parts.store.applied.get(writer)
    let wait = this.#waits.get(writer)
    if (wait === undefined) {
      wait = { applied, sinceMs: nowMs, isFetching: false }
      this.#waits.set(writer, wait)
    }
    if (wait.isFetching) return nowMs
    if (applied > wait.applied) {
      wait.applied = applied
      wait.sinceMs = nowMs
    }
    const rounds = FIRST_ROUNDS + NEXT_ROUNDS * Math.min(PLACES_MAX, this.#place())
    return wait.sinceMs + rounds * this.#parts.settings.digestIntervalMs
  }

  /** A relay has been asked for what is missing of `writer`. */
  asked(writer: ReplicaId): void {
    const wait = this.#waits.get(writer)
    if (wait !== undefined) wait.isFetching = true
  }

  /** How many replicas of the region come before this one. */
  #place(): number {
    const { peers, store } = this.#parts
    const before = new Set<ReplicaId>()
    for (const { isUp, isRefused, isRelay, replica } of peers.all())
      if (isUp && !isRefused && !isRelay && replica !== undefined && replica < store.replica) before.add(replica)
    return before.size
  }
}
