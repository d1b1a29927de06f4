/**
 * Who is there. Each replica says so every second; whoever says nothing three times is suspected, and
 * down after five. One that goes says goodbye. What is heard of anybody is a sign of life.
 */
import type { Timer } from '../../src/index.ts'
import { PEERS_MAX } from '../../src/limits.ts'
import type { TransportPeer, TransportReceiver } from '../../src/ports/transport.ts'
import { type BrokerClock, withJitter } from './platform-clock.ts'

export interface PresenceOptions {
  readonly clock: BrokerClock
  readonly heartbeatMs: number
  readonly receiver: TransportReceiver
  /** Says that we are there. */
  readonly beat: () => void
}

interface Peer {
  state: TransportPeer['state']
  heardMs: number
  /** Of what was heard last; 0 where it is not numbered. */
  number: number
  /** It has said that it understands what is deflated. */
  takesDeflated: boolean
}

/** What a message says of who sent it. */
export interface Sign {
  /** Of messages that are numbered. Default: this one is not. */
  readonly number?: number
  readonly takesDeflated?: boolean
}

const SUSPECT_BEATS = 3
const DOWN_BEATS = 5
/** Peers that are down are shown for so many beats. */
const FORGOTTEN_BEATS = 600

export class Presence {
  readonly #options: PresenceOptions
  readonly #peers = new Map<string, Peer>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#arm()
  }

  /**
   * A message came. Returns whether it is of somebody who may be listened to. Where a number is missing
   * something was missed, and the peer is up anew.
   */
  heard(address: string, { number = 0, takesDeflated = false }: Sign = {}): boolean {
    const heardMs = this.#options.clock.monotonic()
    const peer = this.#peers.get(address)
    if (peer === undefined) {
      if (this.#peers.size >= PEERS_MAX && !this.#forgetOneDown()) return false
      this.#peers.set(address, { state: 'up', heardMs, number, takesDeflated })
      this.#options.receiver.peerUp?.(address)
      return true
    }
    peer.heardMs = heardMs
    peer.takesDeflated = takesDeflated
    const isWhole = followsOn(peer.number, number)
    if (number !== 0) peer.number = number
    if (peer.state === 'up' && isWhole) return true
    peer.state = 'up'
    this.#options.receiver.peerUp?.(address)
    return true
  }

  /** Whether the peer understands what is deflated; without one: whether somebody is there, and everybody does. */
  takesDeflated(address?: string): boolean {
    if (address !== undefined) return this.#peers.get(address)?.takesDeflated === true
    let isThere = false
    for (const { state, takesDeflated } of this.#peers.values()) {
      if (state === 'down') continue
      if (!takesDeflated) return false
      isThere = true
    }
    return isThere
  }

  left(address: string): void {
    const peer = this.#peers.get(address)
    if (peer !== undefined) this.#down(address, peer)
  }

  /** The connection was lost, and with it, perhaps, what they have said: each is up anew when it is heard. */
  suspectAll(): void {
    for (const peer of this.#peers.values()) if (peer.state === 'up') peer.state = 'suspect'
  }

  peers(): readonly TransportPeer[] {
    return Array.from(this.#peers, ([address, { state }]) => ({ address, state }))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #arm(): void {
    const { clock, heartbeatMs, beat } = this.#options
    this.#timer = clock.schedule(withJitter(clock, heartbeatMs), () => {
      if (this.#isClosed) return
      beat()
      this.#look()
      this.#arm()
    })
  }

  #look(): void {
    const { clock, heartbeatMs, receiver } = this.#options
    const nowMs = clock.monotonic()
    for (const [address, peer] of this.#peers) {
      // With what jitter may add to each.
      const beats = (nowMs - peer.heardMs) / (1.25 * heartbeatMs)
      if (peer.state === 'up' && beats > SUSPECT_BEATS) {
        peer.state = 'suspect'
        receiver.report?.({ kind: 'peer:suspect', address })
      }
      if (peer.state === 'suspect' && beats > DOWN_BEATS) this.#down(address, peer)
      if (peer.state === 'down' && beats > FORGOTTEN_BEATS) this.#peers.delete(address)
    }
  }

  #down(address: string, peer: Peer): void {
    if (peer.state === 'down') return
    peer.state = 'down'
    this.#options.receiver.peerDown?.(address)
  }

  #forgetOneDown(): boolean {
    for (const [address, { state }] of this.#peers) {
      if (state !== 'down') continue
      this.#peers.delete(address)
      return true
    }
    return false
  }
}

/** Behind the largest number comes 1. */
function followsOn(before: number, number: number): boolean {
  return number === 0 || before === 0 || number === ((before + 1) >>> 0 || 1)
}
