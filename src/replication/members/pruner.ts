/**
 * Ends the ids of those that have left (see src/operation/ended-ids.ts): once all members have what
 * such a replica wrote, one of them says so, for all that are due. That is for the member with the
 * least id; if nothing comes of it for a while, anybody does it. To say it twice does no harm.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import type { ReplicationStore } from '../store.ts'
import type { Digest } from '../wire/frames.ts'
import type { Stability } from './stability.ts'

/** Rounds after which a member does what another one would have had to do. */
const PATIENCE_ROUNDS = 30

export class Pruner {
  readonly #store: ReplicationStore
  readonly #stability: Stability
  /** Rounds in a row in which there was an id to end. */
  #dueRounds = 0

  constructor(store: ReplicationStore, stability: Stability) {
    this.#store = store
    this.#stability = stability
  }

  /**
   * With each round, if this replica takes part and is not in the middle of anything. Returns
   * whether something has been written.
   */
  beat(): boolean {
    const due = this.#due()
    if (due.length === 0) {
      this.#dueRounds = 0
      return false
    }
    this.#dueRounds++
    if (!this.#isLeast && this.#dueRounds < PATIENCE_ROUNDS) return false
    this.#dueRounds = 0
    this.#store.endIds(due)
    return true
  }

  /** Those that have left, and all of whose operations all members have. */
  #due(): (readonly [ReplicaId, number])[] {
    const { departures, ended, applied, replica: self } = this.#store
    const { announced } = this.#stability
    const due: (readonly [ReplicaId, number])[] = []
    if (!ended.hasRoom) return due
    for (const replica of departures.left()) {
      const end = applied.get(replica)
      if (replica === self || end === 0 || ended.has(replica) || !announced.includes(replica, end)) continue
      due.push([replica, end])
      if (due.length === VECTOR_ENTRIES_MAX) break
    }
    return due
  }

  get #isLeast(): boolean {
    const { replica: self } = this.#store
    for (const { replica } of this.#stability.known.present()) if (replica < self) return false
    return true
  }
}

/** A digest as if its sender had pruned what is pruned here, and nothing else. */
export function normalised(digest: Digest, ended: EndedIds): Digest {
  if (ended.size === 0) return digest
  return {
    ...digest,
    applied: ended.normalised(digest.applied),
    floor: ended.normalised(digest.floor),
    stable: ended.normalised(digest.stable),
    heard: digest.heard.filter((replica) => !ended.isPruned(replica)),
    retired: digest.retired.filter(([replica]) => !ended.isPruned(replica)),
  }
}
