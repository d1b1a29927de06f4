/**
 * The links of one region, as a replica that sits in it sees them, and how far that region has each
 * writer's operations as far as that is known: because they came over these links, because its
 * replicas say that they have them, or because they were carried there from here.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Link, Peer, Peers } from '../peers.ts'

export class Group {
  readonly region: string
  readonly links: Link[] = []
  readonly carried: VersionVector = new VersionVector()

  constructor(region: string) {
    this.region = region
  }

  /** The peers over these links that are up and that are understood. */
  *peers(peers: Peers): IterableIterator<Peer> {
    for (const peer of peers.all()) if (peer.isUp && !peer.isRefused && this.links.includes(peer.via)) yield peer
  }

  /** Takes over what the replicas say that are at home there. Returns whether one is there and has said it. */
  learn(peers: Peers): boolean {
    let isThere = false
    for (const peer of this.peers(peers)) {
      if (peer.isRelay || peer.floor === undefined) continue
      isThere = true
      this.carried.join(peer.has)
    }
    return isThere
  }

  /** Whether that replica is heard over these links. */
  hears(peers: Peers, replica: ReplicaId): boolean {
    for (const peer of this.peers(peers)) if (peer.replica === replica) return true
    return false
  }
}
