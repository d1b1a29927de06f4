/**
 * Who is told of this replica's digest, when, and in how few bytes. A peer that holds the anchor is
 * told what has risen since, any other one the whole.
 *
 * Over a transport that does not say who is there, everybody is told with each round, because only
 * that shows that we are. Over one that does:
 *
 *     written here        soon, who has not sent a confirmation by then (confirmations.ts): whom the operation
 *                         did not reach learns that it exists; and at once, who sends none
 *     else something new  a quarter of the peers with each round, or 8 of them if that is more,
 *                         until all have been told: what n replicas tell each other is n² digests.
 *                         What a writer that is there gathers by confirmations is nothing new
 *     nothing new         3 peers drawn by lot, after 2 rounds, then twice as late each time; one of
 *                         them while confirmations and roll calls show that the replicas hear each other
 *
 * A digest that is lost is not told again for its own sake. Whoever needs one asks for it: of a
 * peer that lacks operations, or has yet to acknowledge or announce something, by what it has said
 * last; and of a peer whose change refers to an anchor that is not here. The question is a change as
 * well, so that both sides learn. What nobody misses, the peers drawn by lot bring to light.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Peer, Peers, Link } from '../peers.ts'
import type { Lack } from '../members/known-replicas.ts'
import type { Presence } from '../members/presence.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Post } from '../reception/post.ts'
import type { DigestChange } from '../wire/frames.ts'
import { DIGEST_SPACING } from './digests.ts'
import type { OwnDigest } from './own-digest.ts'
import { ACKNOWLEDGED_ROUNDS, ANNOUNCED_ROUNDS, readsConfirmations, type Confirmations } from './confirmations.ts'

/** Of the peers, told of something new with one round; and how many are always few enough. */
const TOLD_SHARE = 1 / 4
const TOLD_MIN = 8
/** Told with one round in which there is nothing new. */
const GOSSIP_PEERS = 3
/** The same when something has been told within this many of the longest times between two. */
const GOSSIP_PEERS_BUSY = 1
const BUSY_GOSSIPS = 2
/** A confirmation is late after so many times as long as it takes to send one, or a quarter of the interval. */
const SOON_LATE = 4
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
  /** What is waited for, and when it last came nearer to that; `undefined` if that is not known. */
  readonly lackOf: (peer: Peer) => Pick<Lack, 'of' | 'sinceMs'> | undefined
  /** Whether confirmations and roll calls will say it. */
  readonly isToldElse: (peer: Peer) => boolean
  readonly confirmations: Confirmations
}

export class Telling {
  readonly #parts: TellingParts
  readonly #gossipMsMax: number
  /** How long to wait for the next gossip over a link, and until when. */
  readonly #gossip = new Map<Link, { readonly ms: number; readonly dueMs: number }>()
  /** What had been written when a round came, oldest first. */
  #written: { readonly ms: number; readonly through: number }[] = []
  #writtenAs: ReplicaId | undefined
  /** What was written long enough ago to have a confirmation. */
  #lateWritten = 0
  /** When something new was last told by a digest. */
  #toldMs = -Infinity
  /** Whether a confirmation is out for something written a moment ago. */
  #isAwaiting = false
  /** Frames that told of the digest; a broadcast is one. */
  count = 0

  constructor(parts: TellingParts) {
    this.#parts = parts
    const { digestIntervalMs } = parts.settings
    this.#gossipMsMax = Math.max(digestIntervalMs, Math.min(GOSSIP_MS_MAX, digestIntervalMs * GOSSIP_ROUNDS_MAX))
  }

  /** Whether another round is needed soon. */
  get isAwaiting(): boolean {
    return this.#isAwaiting
  }

  round(round: Round): void {
    const { post, presence, peers } = this.#parts
    this.#noteWritten(round.nowMs)
    this.#isAwaiting = false
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
      const soon = isWritten ? due.filter((peer) => !readsConfirmations(peer)) : []
      for (const peer of new Set([...soon, ...longestUntold(due, tellableCount(readers.length))])) {
        peer.told.ms = nowMs
        this.tell(peer, false)
      }
      this.#toldMs = nowMs
      this.#gossipIn(via, settings.digestIntervalMs * GOSSIP_ROUNDS_MIN, nowMs)
    }
    for (const peer of readers) this.#askIfUnheard(peer, nowMs)
    if (due.length > 0) return
    const { ms, dueMs } = this.#gossip.get(via) ?? { ms: settings.digestIntervalMs, dueMs: 0 }
    if (nowMs < dueMs) return
    const busyMs = this.#gossipMsMax * BUSY_GOSSIPS
    const isBusy = nowMs - Math.max(this.#toldMs, this.#parts.confirmations.sentMs) < busyMs
    const picked = drawn(readers, isBusy ? GOSSIP_PEERS_BUSY : GOSSIP_PEERS, random)
    for (const peer of picked) this.#tellChange(peer, { reply: false, asks: 'nothing' })
    this.#gossipIn(via, ms * 2, nowMs)
  }

  /** A confirmation of it should be here by now: the operation was lost, or the confirmation. */
  #askIfUnheard(peer: Peer, nowMs: number): void {
    const known = Math.max(this.#knownWritten(peer), peer.told.written)
    if (known >= this.#parts.own.written || !readsConfirmations(peer) || !this.#holdsAnchor(peer)) return
    if (known >= this.#lateWritten) this.#isAwaiting = true
    else this.#ask(peer, nowMs)
  }

  /** How far the peer has what is written here, as far as it has said. */
  #knownWritten({ has }: Peer): number {
    const { replica } = this.#parts.own
    return replica === undefined ? 0 : has.get(replica)
  }

  #noteWritten(nowMs: number): void {
    const { own, settings } = this.#parts
    const { digestIntervalMs, digestSoonMs } = settings
    const untilMs = nowMs - Math.max(digestIntervalMs / DIGEST_SPACING, digestSoonMs * SOON_LATE)
    if (own.replica !== this.#writtenAs) this.#written = []
    this.#writtenAs = own.replica
    if (own.written > (this.#written.at(-1)?.through ?? 0)) this.#written.push({ ms: nowMs, through: own.written })
    while ((this.#written[1]?.ms ?? Infinity) <= untilMs) this.#written.shift()
    const [first] = this.#written
    this.#lateWritten = first !== undefined && first.ms <= untilMs ? first.through : 0
  }

  #gossipIn(via: Link, ms: number, nowMs: number): void {
    const bounded = Math.min(ms, this.#gossipMsMax)
    this.#gossip.set(via, { ms: bounded, dueMs: nowMs + bounded })
  }

  #askIfNeeded(peer: Peer, upCount: number, nowMs: number): void {
    if (!readsChanges(peer)) return
    if (!peer.lacksAnchor && !this.#isWaiting(peer)) {
      peer.askDelayMs = undefined
      peer.waitedMs = undefined
      return
    }
    const lack = this.#parts.lackOf(peer)
    peer.waitedMs = Math.max(peer.waitedMs ?? nowMs, lack?.sinceMs ?? 0)
    const isAsked = this.#isAtLeisure(peer)
      ? this.#isOverdueAtLeisure(peer, lack, nowMs)
      : this.#isOverdue(peer, upCount, nowMs)
    if (isAsked) this.#ask(peer, nowMs)
  }

  #ask(peer: Peer, nowMs: number): void {
    peer.askedMs = nowMs
    if (!this.#holdsAnchor(peer) && !this.#sendAnchor(peer, false)) return
    this.#tellChange(peer, { reply: false, asks: peer.lacksAnchor || peer.anchor === undefined ? 'whole' : 'change' })
  }

  /** Whether confirmations and roll calls will say what is waited for. */
  #isAtLeisure(peer: Peer): boolean {
    if (peer.lacksAnchor || peer.said === undefined || !readsConfirmations(peer)) return false
    return this.#knownWritten(peer) >= this.#lateWritten && this.#parts.isToldElse(peer)
  }

  #isOverdueAtLeisure(peer: Peer, lack: Pick<Lack, 'of'> | undefined, nowMs: number): boolean {
    const rounds = lack?.of === 'announcement' ? ANNOUNCED_ROUNDS : ACKNOWLEDGED_ROUNDS
    const sinceMs = Math.max(peer.askedMs, peer.saidMs, peer.waitedMs ?? nowMs)
    return nowMs - sinceMs >= this.#parts.settings.digestIntervalMs * rounds
  }

  /** If so it is asked twice as late the next time. */
  #isOverdue(peer: Peer, upCount: number, nowMs: number): boolean {
    // By then it has told of what is new to it.
    const patienceMs = this.#parts.settings.digestIntervalMs * (1 + roundsToTell(upCount))
    const delayMs = Math.min(this.#gossipMsMax, peer.askDelayMs ?? patienceMs)
    if (nowMs - Math.max(peer.askedMs, peer.lacksAnchor ? -Infinity : peer.saidMs) < delayMs) return false
    peer.askDelayMs = delayMs * 2
    return true
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
    if (post.send(peer, this.#change(how, readsConfirmations(peer)))) this.#noteTold(peer)
  }

  #change(how: Pick<DigestChange, 'reply' | 'asks'> = { reply: false, asks: 'nothing' }, isShort = false): Uint8Array {
    const { own, post } = this.#parts
    const announcesAll = isShort && own.announcesAll
    const risen = announcesAll ? { ...own.risen, stable: new VersionVector() } : own.risen
    return post.encoder.digestChange({ ...how, anchor: own.number, count: own.count, announcesAll, risen })
  }

  #noteTold({ told }: Peer): void {
    const { own } = this.#parts
    told.number = own.number
    told.version = own.version
    told.written = own.written
  }

  #holdsAnchor({ told }: Peer): boolean {
    return told.number === this.#parts.own.number
  }

  #isTold(peer: Peer): boolean {
    const { own } = this.#parts
    return this.#holdsAnchor(peer) && peer.told.version >= (readsConfirmations(peer) ? own.news : own.version)
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
