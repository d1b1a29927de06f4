/**
 * Who is asked for a key: of several replicas the one for which a hash of both is greatest (Thaler and
 * Ravishankar 1998, "rendezvous hashing"). Everybody who sees the same replicas comes to the same one,
 * and when one goes only its keys move.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

/** `undefined` if there is nobody. */
export function rendezvous(key: string, replicas: Iterable<ReplicaId>): ReplicaId | undefined {
  const ofKey = hashOf(key)
  let best: ReplicaId | undefined
  let bestScore = -1
  for (const replica of replicas) {
    const score = mixed(ofKey ^ hashOf(replica))
    if (score < bestScore || (score === bestScore && best !== undefined && replica > best)) continue
    best = replica
    bestScore = score
  }
  return best
}

/** FNV-1a, of UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mixed(hash)
}

/** The last step of MurmurHash3: each bit of the outcome depends on each bit. */
function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
