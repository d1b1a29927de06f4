/**
 * Who is asked for a key: of several replicas the one for which a hash of both is greatest (Thaler and
 * Ravishankar 1998, "rendezvous hashing"). Everybody who sees the same replicas comes to the same one,
 * and when one goes only its keys move.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { fnv1a, mixed } from '../../operation/text.ts'

/** `undefined` if there is nobody. */
export function rendezvous(key: string, replicas: Iterable<ReplicaId>): ReplicaId | undefined {
  const ofKey = mixed(fnv1a(key))
  let best: ReplicaId | undefined
  let bestScore = -1
  for (const replica of replicas) {
    const score = mixed(ofKey ^ mixed(fnv1a(replica)))
    if (score < bestScore || (score === bestScore && best !== undefined && replica > best)) continue
    best = replica
    bestScore = score
  }
  return best
}
