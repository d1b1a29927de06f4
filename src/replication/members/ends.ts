/**
 * What a peer's digest says of ids that have come to an end (see src/operation/retired-ids.ts).
 * They end here as well, if nothing beyond has been applied. If something has, it is void for the
 * peer, and the peer's state has to be taken over.
 *
 * Two replicas may hold what is void for the other one. One of them has to give in: not the one of
 * which the other has taken in operations under its present id, because those may be what it issued
 * again, which the other then has twice; else the one with the greater id; and always the one that
 * is behind what the other has compacted, or has not joined: it may not hand out its state.
 */
import type { Digest } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'

/**
 * Returns whether this replica, which has joined or waits for it, has to take over the peer's
 * state.
 */
export function heedEnds(store: ReplicationStore, peer: Peer, digest: Digest, isJoined: boolean): boolean {
  const ends = digest.retired.filter(([replica, end]) => store.applied.get(replica) <= end)
  store.retire(ends)
  const holdsVoid = ends.length < digest.retired.length
  const refusesTheirs = store.retired.voidIn(digest.applied.entries()).length > 0
  if (!isJoined && refusesTheirs) return true
  if (!holdsVoid || peer.replica === undefined) return holdsVoid
  if (!refusesTheirs) return true
  if (!store.applied.dominates(digest.floor)) return true
  const [knowsUs, knownHere] = [digest.applied.get(store.replica) > 0, store.applied.get(peer.replica) > 0]
  return knowsUs === knownHere ? store.replica > peer.replica : knownHere
}
