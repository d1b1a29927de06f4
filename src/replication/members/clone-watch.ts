/**
 * Notices that somebody else writes, or has written, under this replica's id: a copied folder, a
 * restored backup, a log that lost its tail.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Digest } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'

export interface CloneWatchOptions {
  readonly store: ReplicationStore
  readonly observe: ReplicationObserver
  readonly post: Post
}

export class CloneWatch {
  readonly #options: CloneWatchOptions
  #reported: ReplicaId | undefined

  constructor(options: CloneWatchOptions) {
    this.#options = options
  }

  digest(peer: Peer, digest: Digest): void {
    const { store, observe, post } = this.#options
    const own = store.replica
    const seen = digest.applied.get(own)
    if (seen > store.applied.get(own)) {
      if (this.#reported !== own) observe({ kind: 'clone:detected', replica: own })
      this.#reported = own
      store.ownDotSeenElsewhere?.(seen)
    } else if (peer.replica === own && seen > 0) {
      // Somebody is up under our id. The newest operation that both have tells whether it is us:
      // the store compares them. Asked outside of anti-entropy, with the number of what is sent
      // unasked.
      post.send(peer, post.encoder.request(0, [{ replica: own, from: seen, to: seen }]))
    }
  }
}
