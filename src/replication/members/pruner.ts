/**
 * Ends the ids that are over (see src/operation/ended-ids.ts): once all members have what such a
 * replica wrote, one of them says so, for all that are due. That is for the member with the least
 * id; if nothing comes of it for a while, anybody does it. To say it twice does no harm.
 *
 * Of who has left, nothing more can come. Others have died, were away for too long or have given
 * their id up, and more of theirs may lie somewhere. Such an id is due when compaction has ended it
 * (see src/operation/retired-ids.ts) and every member says the same of it: that it has ended there,
 * and that all up to there has been applied. Then nobody in good standing takes in more of it, and
 * whoever holds more has to take over a state, as before.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
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

  /** Those that are over, and all of whose operations all members have. */
  #due(): (readonly [ReplicaId, number])[] {
    const { departures, ended, applied, retired, replica: self } = this.#store
    if (!ended.hasRoom) return []
    const due = new Map<ReplicaId, number>()
    const isFree = (replica: ReplicaId, end: number): boolean =>
      replica !== self && !ended.has(replica) && this.#stability.announced.includes(replica, end)
    for (const replica of departures.left()) {
      const end = applied.get(replica)
      if (end > 0 && isFree(replica, end)) due.set(replica, end)
    }
    const candidates = retired.entries().filter(([replica, end]) => !due.has(replica) && isFree(replica, end))
    for (const [replica, end] of this.#agreed(candidates)) due.set(replica, end)
    return [...due].slice(0, VECTOR_ENTRIES_MAX)
  }

  /** Of these ends, those that are the same for every member, which has all up to there. */
  #agreed(ends: VectorEntries): VectorEntries {
    const { applied } = this.#store
    const { known } = this.#stability
    const members = [...known.present()]
    if (members.length === 0) return []
    let agreed = ends.filter(([replica, end]) => applied.get(replica) === end && known.get(replica)?.gone !== false)
    for (const { said } of members) {
      if (agreed.length === 0 || said === undefined) return []
      const theirs = new Map(said.retired)
      agreed = agreed.filter(([replica, end]) => theirs.get(replica) === end && said.applied.get(replica) === end)
    }
    return agreed
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
