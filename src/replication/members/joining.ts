/**
 * Taking part under an identity that nobody knows yet. What a newcomer wrote before it met the
 * others is concurrent with everything that they have done, also with what they have compacted,
 * where it could no longer be put in its place: deleted keys would come back, and replicas that
 * have compacted would disagree with those that have not.
 *
 * So nothing of a newcomer leaves it, not even the knowledge that it exists, before a peer's digest
 * shows that all that the peer announces as stable had been seen before the first operation under
 * this identity was written. A newcomer that has written too early takes over a snapshot and issues
 * its operations again, under another identity; since nobody has seen the old ones, nothing counts
 * twice. See stability.ts for why the announcement of one peer is enough.
 *
 * A peer that announces nothing may be a newcomer itself, and lets nobody in past what another peer
 * is known to announce. Else of ten that come at once most would join each other, and write what the
 * members have to refuse.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Digest } from '../wire/frames.ts'
import type { ReplicationStore } from '../store.ts'

export class Joining {
  readonly #store: ReplicationStore
  #joinedAs: ReplicaId | undefined

  constructor(store: ReplicationStore) {
    this.#store = store
  }

  /** Whether operations of the present identity may be sent. */
  get isJoined(): boolean {
    return this.#joinedAs === this.#store.replica
  }

  /**
   * A peer's digest has come. `'snapshot'`: what has been written here has to be issued again, on
   * top of the peer's state. `'wait'`: nothing has been written yet; as soon as enough has been
   * applied, it may be. `announced`: what all peers that are up announce as stable.
   */
  meet(digest: Digest, announced: () => Iterable<VersionVector>): 'joined' | 'wait' | 'snapshot' {
    if (this.isJoined) return 'joined'
    const { replica, firstSaw, applied } = this.#store
    const isKnown = digest.applied.get(replica) > 0
    if (isKnown || firstSaw === undefined || hasSeen(firstSaw, digest.stable, announced)) {
      this.#joinedAs = replica
      return 'joined'
    }
    return applied.get(replica) === 0 ? 'wait' : 'snapshot'
  }

  /** What may be told of `applied`. */
  tellable(applied: VersionVector): VersionVector {
    if (this.isJoined) return applied
    return VersionVector.from([...applied.entries()].filter(([replica]) => replica !== this.#store.replica))
  }
}

function hasSeen(firstSaw: VersionVector, stable: VersionVector, announced: () => Iterable<VersionVector>): boolean {
  if (stable.size > 0) return firstSaw.dominates(stable)
  for (const vector of announced()) if (!firstSaw.dominates(vector)) return false
  return true
}
