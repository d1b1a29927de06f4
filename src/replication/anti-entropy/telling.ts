/**
 * Who is told of this replica's digest, when, and in how few bytes. A peer that holds the anchor is
 * told what has risen since, any other one the whole.
 *
 * Over a transport that does not say who is there, everybody is told with each round, because only
 * that shows that we are. Over one that does:
 *
 *     written here        everybody, soon: whom the operation did not reach learns that it exists
 *     else something new  a quarter of the peers with each round, or 8 of them if that is more,
 *                         until all have been told: what n replicas tell each other is n² digests
 *     nothing new         3 peers drawn by lot, after 2 rounds, then twice as late each time
 *
 * A digest that is lost is not told again for its own sake. Whoever needs one asks for it: of a
 * peer that lacks operations, or has yet to acknowledge or announce something, by what it has said
 * last; and of a peer whose change refers to an anchor that is not here. The question is a change as
 * well, so that both sides learn. What nobody misses, the peers drawn by lot bring to light.
 */
import type { Peer, Peers, Link } from '../peers.ts'
import type { Presence } from '../members/presence.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Post } from '../reception/post.ts'
import type { DigestChange } from '../wire/frames.ts'
import type { OwnDigest } from './own-digest.ts'

/** Of the peers, told of something new with one round; and how many are always few enough. */
const TOLD_SHARE = 1 / 4
const TOLD_MIN = 8
/** Told with one round in which there is nothing new. */
const GOSSIP_PEERS = 3
/** Rounds until the first of these, and between two at most; in time, not beyond a minute's half. */
const GOSSIP_ROUNDS_MIN = 2
const GOSSIP_ROUNDS_MAX = 32
const GOSSIP_MS_MAX = 30_000

export interface Round {
  readonly nowMs: number
  /** The digest tells of something that this replica has written. */
  readonly isWritten: boolean
}

export interface TellingParts {
  readonly own: OwnDigest
  readonly post: Post
  readonly peers: Peers
  readonly presence: Presence
  readonly settings: ReplicationSettings
  /** A number in [0, 1). */
  readonly random: () => number
  /** Whether the peer, by what it has said, has yet to say something that is waited for. */
  readonly isWaitedFor: (peer: Peer) => boolean
}

export class Telling {
  readonly #parts: TellingParts
  readonly #gossipMsMax: number
  /** How long to wait for the next gossip over a link, and until when. */
  readonly #gossip = new Map<Link, { readonly ms: number; readonly dueMs: number }>()
  /** Frames that told of the digest; a broadcast is one. */
  count = 0

  constructor(parts: TellingParts) {
    this.#parts = parts
    const { digestIntervalMs } = parts.settings
    this.#gossipMsMax = Math.max(digestIntervalMs, Math.min(GOSSIP_MS_MAX, digestIntervalMs * GOSSIP_ROUNDS_MAX))
  }

  round(round: Round): void {
    const { post, presence, peers } = this.#parts
    for (const via of post.links) {
      const up = [...peers.all()].filter((peer) => peer.via === via && peer.isUp && !peer.isRefused)
      if (presence.watches(via)) this.#toSome(via, up, round)
      else this.#toAll(via, up)
      for (const peer of up) this.#askIfNeeded(peer, up.length, round.nowMs)
    }
  }

  /** Tells one peer. */
  tell(peer: Peer, reply: boolean): void {
    const { own } = this.#parts
    if (!readsChanges(peer)) {
      this.#tellWhole(peer, reply)
      return
    }
    if (!this.#holdsAnchor(peer)) {
      const isSent = this.#sendAnchor(peer, reply)
      if (!isSent || own.count === 0) return
    }
    this.#tellChange(peer, { reply, asks: 'nothing' })
  }

  #toAll(via: Link, up: readonly Peer[]): void {
    const { own, post } = this.#parts
    const areHolding = up.length > 0 && up.every((peer) => readsChanges(peer) && this.#holdsAnchor(peer))
    // What is broadcast whole is the anchor of all who hear it.
    if (!areHolding) own.anchorAnew()
    this.count++
    post.broadcastOver(via, areHolding ? this.#change() : post.encoder.digest(own.anchor, own.number))
    for (const peer of up) this.#noteTold(peer)
  }

  #toSome(via: Link, up: readonly Peer[], { nowMs, isWritten }: Round): void {
    const { settings, random } = this.#parts
    // Who does not say that it reads changes may well miss us, too, when it does not hear us.
    for (const peer of up) if (!readsChanges(peer)) this.#tellWhole(peer, false)
    const readers = up.filter(readsChanges)
    const due = readers.filter((peer) => !this.#isTold(peer))
    if (due.length > 0) {
      const count = isWritten ? due.length : tellableCount(readers.length)
      for (const peer of longestUntold(due, count)) {
        peer.told.ms = nowMs
        this.tell(peer, false)
      }
      this.#gossipIn(via, settings.digestIntervalMs * GOSSIP_ROUNDS_MIN, nowMs)
      return
    }
    const { ms, dueMs } = this.#gossip.get(via) ?? { ms: settings.digestIntervalMs, dueMs: 0 }
    if (nowMs < dueMs) return
    for (const peer of drawn(readers, GOSSIP_PEERS, random)) this.#tellChange(peer, { reply: false, asks: 'nothing' })
    this.#gossipIn(via, ms * 2, nowMs)
  }

  #gossipIn(via: Link, ms: number, nowMs: number): void {
    const bounded = Math.min(ms, this.#gossipMsMax)
    this.#gossip.set(via, { ms: bounded, dueMs: nowMs + bounded })
  }

  #askIfNeeded(peer: Peer, upCount: number, nowMs: number): void {
    if (!readsChanges(peer)) return
    const { settings } = this.#parts
    if (!peer.lacksAnchor && !this.#isWaiting(peer)) {
      peer.askDelayMs = undefined
      return
    }
    // By then it has told of what is new to it.
    const patienceMs = settings.digestIntervalMs * (1 + roundsToTell(upCount))
    const delayMs = Math.min(this.#gossipMsMax, peer.askDelayMs ?? patienceMs)
    if (nowMs - Math.max(peer.askedMs, peer.lacksAnchor ? -Infinity : peer.saidMs) < delayMs) return
    peer.askedMs = nowMs
    peer.askDelayMs = delayMs * 2
    if (!this.#holdsAnchor(peer) && !this.#sendAnchor(peer, false)) return
    this.#tellChange(peer, { reply: false, asks: peer.lacksAnchor || peer.anchor === undefined ? 'whole' : 'change' })
  }

  /** Whether it has to say something that it does not say with each round anyway. */
  #isWaiting(peer: Peer): boolean {
    const { presence, isWaitedFor } = this.#parts
    return presence.watches(peer.via) && (peer.said === undefined || isWaitedFor(peer))
  }

  /** As it is now, to one that reads no changes, or has not said so. */
  #tellWhole(peer: Peer, reply: boolean): void {
    const { own, post } = this.#parts
    const number = own.count === 0 ? own.number : 0
    this.count++
    if (post.send(peer, post.encoder.digest({ ...own.current, reply }, number)) && number !== 0) this.#noteTold(peer)
  }

  #sendAnchor(peer: Peer, reply: boolean): boolean {
    const { own, post } = this.#parts
    this.count++
    if (!post.send(peer, post.encoder.digest({ ...own.anchor, reply }, own.number))) return false
    peer.told.number = own.number
    if (own.count === 0) peer.told.version = own.version
    return true
  }

  #tellChange(peer: Peer, how: Pick<DigestChange, 'reply' | 'asks'>): void {
    const { post } = this.#parts
    this.count++
    if (post.send(peer, this.#change(how))) this.#noteTold(peer)
  }

  #change(how: Pick<DigestChange, 'reply' | 'asks'> = { reply: false, asks: 'nothing' }): Uint8Array {
    const { own, post } = this.#parts
    return post.encoder.digestChange({ ...how, anchor: own.number, count: own.count, risen: own.risen })
  }

  #noteTold({ told }: Peer): void {
    const { own } = this.#parts
    told.number = own.number
    told.version = own.version
  }

  #holdsAnchor({ told }: Peer): boolean {
    return told.number === this.#parts.own.number
  }

  #isTold(peer: Peer): boolean {
    return this.#holdsAnchor(peer) && peer.told.version === this.#parts.own.version
  }
}

function readsChanges({ hello }: Peer): boolean {
  return hello?.readsChanges === true
}

/** How many of so many peers are told of something new in one round. */
function tellableCount(peers: number): number {
  return Math.max(TOLD_MIN, Math.ceil(peers * TOLD_SHARE))
}

/** In how many rounds so many peers have been told of something new. */
export function roundsToTell(peers: number): number {
  return Math.ceil(peers / tellableCount(peers))
}

/** So that each has its turn, also while there is something new with each round. */
function longestUntold(peers: readonly Peer[], count: number): Peer[] {
  return [...peers].sort((a, b) => a.told.ms - b.told.ms).slice(0, count)
}

/** At most `count` of them, by lot. */
function drawn(peers: readonly Peer[], count: number, random: () => number): Peer[] {
  const left = [...peers]
  const picked: Peer[] = []
  if (count >= left.length) return left
  while (picked.length < count) picked.push(...left.splice(Math.floor(random() * left.length), 1))
  return picked
}
