/**
 * Identities that have come to an end: of each, the last operation that still counts. What was
 * written under one of them beyond that is void: who holds it has issued it again under another id,
 * or is to. An id is retired by
 *
 * - its owner, which took over a snapshot and issued again what that did not hold (leftovers.ts).
 *   Somebody else may hold these operations under their former names;
 * - a replica that compacts while the owner has been away beyond the horizon, so that what the
 *   owner writes meanwhile may be concurrent with it;
 * - a replica that compacted before it had heard of the owner, whose first operation had not seen
 *   that (joining.ts).
 *
 * Digests carry the whole of it, so it spreads; of two ends the earlier one counts, so everybody
 * comes to the same. Whoever holds something void takes over the snapshot of one that does not
 * (`Reception`). One entry for each id that was given up while it mattered, a few bytes, as in
 * every version vector.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'

/** A replica that has been silent beyond the horizon. */
export interface Away {
  readonly replica: ReplicaId
  /** Had applied this, and nothing of it is still to come that had not seen it. */
  readonly acknowledged: VersionVector
}

export class RetiredIds {
  readonly #ends = new Map<ReplicaId, number>()

  constructor(entries: Iterable<readonly [ReplicaId, number]> = []) {
    for (const [replica, end] of entries) this.retire(replica, end)
  }

  get size(): number {
    return this.#ends.size
  }

  /** The last sequence of `replica` that counts: infinity while it is in use. */
  endOf(replica: ReplicaId): number {
    return this.#ends.get(replica) ?? Infinity
  }

  /**
   * Returns whether it changes anything. Beyond the bound of vectors nothing more is taken in: then
   * it is refused as long as it is offered.
   */
  retire(replica: ReplicaId, end: number): boolean {
    if (end >= this.endOf(replica)) return false
    if (this.#ends.size >= VECTOR_ENTRIES_MAX && !this.#ends.has(replica)) return false
    this.#ends.set(replica, end)
    return true
  }

  /**
   * The id counts again up to `end`. What lies beyond stays void: its owner may have issued it
   * again.
   */
  reinstate(replica: ReplicaId, end: number): void {
    if (end > this.endOf(replica)) this.#ends.set(replica, end)
  }

  copy(): RetiredIds {
    return new RetiredIds(this.#ends)
  }

  /** Takes over what another one says, and nothing else. */
  assign(other: RetiredIds): void {
    const ends = [...other.#ends]
    this.#ends.clear()
    for (const [replica, end] of ends) this.#ends.set(replica, end)
  }

  /** Ids that nobody names any more. */
  forget(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) this.#ends.delete(replica)
  }

  /** Sorted by replica id, so that equal ones encode the same. */
  entries(): (readonly [ReplicaId, number])[] {
    return [...this.#ends].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** The ids of which `vector` names something void. */
  voidIn(vector: Iterable<readonly [ReplicaId, number]>): ReplicaId[] {
    if (this.#ends.size === 0) return []
    const found: ReplicaId[] = []
    for (const [replica, sequence] of vector) if (sequence > this.endOf(replica)) found.push(replica)
    return found
  }
}
