/** Notices that somebody else writes, or has written, under this replica's id: a copied folder, a restored backup, a log that lost its tail. */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Digest, OperationRange } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'

export interface CloneWatchOptions {
  readonly store: ReplicationStore
  readonly observe: ReplicationObserver
  /** Asks a peer for operations, outside of anti-entropy. */
  readonly request: (peer: Peer, range: OperationRange) => void
}

export class CloneWatch {
  readonly #options: CloneWatchOptions
  #reported: ReplicaId | undefined

  constructor(options: CloneWatchOptions) {
    this.#options = options
  }

  digest(peer: Peer, digest: Digest): void {
    const { store, observe, request } = this.#options
    const own = store.replica
    const seen = digest.applied.get(own)
    if (seen > store.applied.get(own)) {
      if (this.#reported !== own) observe({ kind: 'clone:detected', replica: own })
      this.#reported = own
      store.ownDotSeenElsewhere?.(seen)
    } else if (peer.replica === own && seen > 0) {
      // Somebody is up under our id. The newest operation that both have tells whether it is us: the store compares them.
      request(peer, { replica: own, from: seen, to: seen })
    }
  }
}
