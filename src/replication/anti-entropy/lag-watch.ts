/**
 * Compares what a peer has with what it was told of: tells a lagging peer apart from one that is
 * merely a moment behind.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Digest } from '../wire/frames.ts'
import { type Peer, missingCount } from '../peers.ts'

export class LagWatch {
  readonly #laggingMs: number
  readonly #observe: ReplicationObserver
  /** What our last broadcast digest said. */
  told: VersionVector = new VersionVector()

  constructor(laggingMs: number, observe: ReplicationObserver) {
    this.#laggingMs = laggingMs
    this.#observe = observe
  }

  /** Whether the peer has all that it was told of. */
  isUpToDate(peer: Peer, digest: Digest, nowMs: number): boolean {
    if (digest.applied.dominates(this.told)) {
      peer.behindSinceMs = undefined
      peer.isLagging = false
      return true
    }
    peer.behindSinceMs ??= nowMs
    if (!peer.isLagging && nowMs - peer.behindSinceMs >= this.#laggingMs) {
      peer.isLagging = true
      this.#observe({ kind: 'peer:lagging', peer: peer.name, missingCount: missingCount(digest.applied, this.told) })
    }
    return false
  }
}
