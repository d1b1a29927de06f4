/**
 * Peers: replicas as they are seen over one transport, by address. What a peer has (by its digests,
 * and by what it sends: whoever sends an operation has everything of its writer before it) decides
 * what is asked of whom. Bounded: beyond the bound the peer that has been silent longest makes
 * room.
 */
import { PEERS_MAX } from '../limits.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { PeerName } from './events.ts'
import type { Digest, Hello, Sender } from './wire/frames.ts'
import type { PeerAddress, TransportLink } from '../ports/transport.ts'

/** One transport that has been opened. */
export interface Link {
  readonly index: number
  readonly name: string
  readonly link: TransportLink
}

export class Peer {
  readonly via: Link
  readonly address: PeerAddress
  sender: Sender | undefined
  heardMs: number
  /** It is up: heard not too long ago. */
  isUp = false
  /** What it has for us; at least its last digest. */
  readonly has: VersionVector = new VersionVector()
  /** What it has compacted; `undefined` until its first digest. */
  floor: VersionVector | undefined
  /** Since when it lacks what we have had for a while. */
  behindSinceMs: number | undefined
  isLagging = false
  repliedMs: number = -Infinity
  /** What it has said of itself: its last digest, with what has risen in it since. */
  said: Digest | undefined
  /** When it last said so, or was met. */
  saidMs: number
  /** Its last digest that has a number, and how often it has changed since. */
  anchor: { readonly number: number; readonly digest: Digest; count: number } | undefined
  /** A change came of a digest that is not here. */
  lacksAnchor = false
  /** What it has said cannot be all that there is to it: it is looked at again with each round. */
  isUnsettled = false
  /**
   * Our digest that it has been told, by its number, and what has risen in it, by its version; and
   * when.
   */
  readonly told: { number: number; version: number; ms: number; written: number } = {
    ...{ number: 0, version: 0, ms: -Infinity },
    /** The last operation of this replica that a digest has told it of. */
    written: 0,
  }
  /** When it was last asked for its digest, and how long to wait for it before it is asked again. */
  askedMs: number = -Infinity
  askDelayMs: number | undefined
  /** Since when it has something to say that is waited for, and has said nothing of that. */
  waitedMs: number | undefined
  /** Who it says that it is, in this session. */
  hello: Hello | undefined
  /**
   * It reads too little, or writes what this replica cannot read: nothing of it is taken in but its
   * hellos.
   */
  isRefused = false
  /** When it was last sent ours, and how often. */
  saidHelloMs: number = -Infinity
  helloCount = 0

  constructor(via: Link, address: PeerAddress, heardMs: number) {
    this.via = via
    this.address = address
    this.heardMs = heardMs
    this.saidMs = heardMs
  }

  get replica(): ReplicaId | undefined {
    return this.sender?.replica
  }

  /** Whether it sits in several regions. */
  get isRelay(): boolean {
    return (this.hello?.relayed.length ?? 0) > 1
  }

  get name(): PeerName {
    const place = { transport: this.via.name, address: this.address }
    if (this.sender === undefined) return place
    const name = this.hello?.name ?? ''
    return { ...place, replica: this.sender.replica, ...(name === '' ? {} : { name }) }
  }

  /**
   * A frame of it came. Returns whether it is another replica, or started again: nothing known of
   * it holds any longer.
   */
  heard(sender: Sender, nowMs: number): boolean {
    this.heardMs = nowMs
    const known = this.sender
    this.sender = sender
    if (known === undefined) return false
    return known.replica !== sender.replica || known.session !== sender.session
  }
}

/** How many operations `vector` lacks of what `other` has. */
export function missingCount(vector: VersionVector, other: VersionVector): number {
  let count = 0
  for (const [replica, sequence] of other.entries()) count += Math.max(0, sequence - vector.get(replica))
  return count
}

export class Peers {
  readonly #peers = new Map<string, Peer>()
  readonly #onEvicted: (peer: Peer) => void

  constructor(onEvicted: (peer: Peer) => void) {
    this.#onEvicted = onEvicted
  }

  get count(): number {
    return this.#peers.size
  }

  all(): IterableIterator<Peer> {
    return this.#peers.values()
  }

  find(via: Link, address: PeerAddress): Peer | undefined {
    return this.#peers.get(`${via.index}/${address}`)
  }

  /** Whether `replica` is up, over whatever transport. */
  isSeen(replica: ReplicaId): boolean {
    for (const peer of this.#peers.values()) if (peer.isUp && peer.replica === replica) return true
    return false
  }

  add(via: Link, address: PeerAddress, nowMs: number): Peer {
    if (this.#peers.size >= PEERS_MAX) this.#evict()
    const peer = new Peer(via, address, nowMs)
    this.#peers.set(`${via.index}/${address}`, peer)
    return peer
  }

  remove(peer: Peer): void {
    this.#peers.delete(`${peer.via.index}/${peer.address}`)
  }

  #evict(): void {
    let oldest: Peer | undefined
    for (const peer of this.#peers.values()) if (oldest === undefined || peer.heardMs < oldest.heardMs) oldest = peer
    if (oldest === undefined) return
    this.remove(oldest)
    this.#onEvicted(oldest)
  }
}
