/**
 * Who is there by the word of the transports. One that lists its peers watches them: while it calls
 * a peer up, or suspects it and has not given it up, the peer is there, however long nothing of it
 * has come. So replicas that have nothing to say need not say so. Over a transport that lists
 * nobody, only frames tell that a peer is there.
 */
import type { PeerAddress } from '../../ports/transport.ts'
import { PEERS_MAX } from '../../limits.ts'
import type { Link, Peer, Peers } from '../peers.ts'

export class Presence {
  readonly #present = new Map<Link, ReadonlySet<PeerAddress>>()
  readonly #peers: Peers

  constructor(peers: Peers) {
    this.#peers = peers
  }

  /**
   * Asks the transports. With each round: the answer holds until the next one. `onUp` is told of
   * whom a transport calls up and nobody has told us of: if both sides waited for the other one to
   * speak, nobody would.
   */
  look(links: readonly Link[], onUp: (via: Link, address: PeerAddress) => void): void {
    this.#present.clear()
    for (const via of links) {
      const peers = via.link.peers?.()
      if (peers === undefined) continue
      this.#present.set(via, new Set(peers.filter(({ state }) => state !== 'down').map(({ address }) => address)))
      for (const { address, state } of peers) {
        const isNew = state === 'up' && this.#peers.count < PEERS_MAX && this.#peers.find(via, address)?.isUp !== true
        if (isNew) onUp(via, address)
      }
    }
  }

  /** Whether the transport tells who is there. */
  watches(via: Link): boolean {
    return this.#present.has(via)
  }

  /** Whether the peer is there by the word of its transport. */
  has({ via, address }: Peer): boolean {
    return this.#present.get(via)?.has(address) === true
  }
}
