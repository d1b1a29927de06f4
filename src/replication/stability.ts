/**
 * Causal stability (Baquero, Almeida, Shoker 2014): a dot is stable when every member has applied it and nothing concurrent
 * with it can still arrive. Then its place in every fold is final, and compaction may put it into a snapshot.
 *
 * The stable vector is the pointwise minimum of what we have applied and of each member's usable acknowledgement
 * (see membership.ts for when one is usable). It only grows while membership does not. O(members × replicas), so it is
 * computed with digests and not with operations. With no other member, all that is applied is stable.
 */
import { VersionVector } from '../../crdt/version-vector.ts'
import type { Member } from './membership.ts'

export function stableVector(applied: VersionVector, members: Iterable<Member>): VersionVector {
  const acknowledged = [...members].map((member) => member.acknowledged)
  const stable = new VersionVector()
  for (const [replica, sequence] of applied.entries()) {
    let least = sequence
    for (const vector of acknowledged) {
      least = Math.min(least, vector.get(replica))
      if (least === 0) break
    }
    stable.raise(replica, least)
  }
  return stable
}
