/**
 * One process's view of who is on the network, as a transport has it that watches its peers: who
 * cannot be reached for a while is down, and who can be again is up. Then replicas go by its word,
 * and say nothing while there is nothing to say.
 */
import type { PeerAddress, TransportPeer, TransportReceiver } from '../../src/ports/transport.ts'
import type { TimeLine } from '../world/time-line.ts'
import type { Life } from './life.ts'

/** How often it looks, and after how long out of reach a peer is down. */
const LOOK_MS = 500
const DOWN_MS = 2500

export interface WireWatchOptions {
  readonly line: TimeLine
  readonly life: Life
  /** Both ways, and somebody is there who answers. */
  readonly canReach: (other: PeerAddress) => boolean
  readonly told: Required<Pick<TransportReceiver, 'peerUp' | 'peerDown'>>
}

export class WireWatch implements Required<Pick<TransportReceiver, 'peerUp' | 'peerDown'>> {
  readonly #options: WireWatchOptions
  readonly #peers = new Map<PeerAddress, { isUp: boolean; reachedMs: number }>()

  constructor(options: WireWatchOptions) {
    this.#options = options
    this.#lookSoon()
  }

  peers(): TransportPeer[] {
    return [...this.#peers].map(([address, { isUp }]) => ({ address, state: isUp ? 'up' : 'down' }))
  }

  peerUp(peer: PeerAddress): void {
    this.#peers.set(peer, { isUp: true, reachedMs: this.#options.line.nowMs })
    this.#options.told.peerUp(peer)
  }

  peerDown(peer: PeerAddress): void {
    this.#peers.delete(peer)
    this.#options.told.peerDown(peer)
  }

  #lookSoon(): void {
    const { line, life } = this.#options
    line.schedule(LOOK_MS, () => {
      if (!life.isAlive) return
      // Who is stopped sees nothing, and blames nobody for it afterwards.
      for (const [address, peer] of this.#peers) {
        if (life.isPaused || this.#options.canReach(address)) this.#reached(address, peer)
        else this.#missed(address, peer)
      }
      this.#lookSoon()
    })
  }

  #reached(address: PeerAddress, peer: { isUp: boolean; reachedMs: number }): void {
    const { line, told, life } = this.#options
    peer.reachedMs = line.nowMs
    if (peer.isUp || life.isPaused) return
    peer.isUp = true
    told.peerUp(address)
  }

  #missed(address: PeerAddress, peer: { isUp: boolean; reachedMs: number }): void {
    const { line, told } = this.#options
    if (!peer.isUp || line.nowMs - peer.reachedMs < DOWN_MS) return
    peer.isUp = false
    told.peerDown(address)
  }
}
