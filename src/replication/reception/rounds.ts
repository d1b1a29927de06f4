/**
 * The rounds of digests, both ways: what this replica tells of itself at each beat and in reply,
 * and what follows from what a peer tells. With each digest that goes out, silent peers go down,
 * silent members leave, and what has become stable is told to the store.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { isStorageError } from '../../log/storage-error.ts'
import type { Env } from '../../ports/env.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { AntiEntropy } from '../anti-entropy/anti-entropy.ts'
import { DIGEST_SPACING, DigestSchedule, SafeVector } from '../anti-entropy/digests.ts'
import { LagWatch } from '../anti-entropy/lag-watch.ts'
import { digestAfter, OwnDigest } from '../anti-entropy/own-digest.ts'
import { Confirmations } from '../anti-entropy/confirmations.ts'
import { Telling } from '../anti-entropy/telling.ts'
import type { ReplicationObserver } from '../events.ts'
import { CloneWatch } from '../members/clone-watch.ts'
import { heedEnds } from '../members/ends.ts'
import { FormatAgreement } from '../members/format-agreement.ts'
import { Joining } from '../members/joining.ts'
import { Presence } from '../members/presence.ts'
import type { KnownReplica } from '../members/known-replicas.ts'
import { normalised, Pruner } from '../members/pruner.ts'
import { Stability } from '../members/stability.ts'
import type { ReplicationSettings } from '../options.ts'
import type { PeerAddress } from '../../ports/transport.ts'
import type { Link, Peer, Peers } from '../peers.ts'
import type { Post } from './post.ts'
import { randomShare } from '../../ports/random-word.ts'
import type { SnapshotFetch } from '../snapshot/snapshot-fetch.ts'
import type { ReplicationStore } from '../store.ts'
import type { Digest, DigestChange, Hello, Confirmation, RollCall } from '../wire/frames.ts'

/** Who is told of the rounds. */
export interface RoundsHost {
  /** A round has begun. */
  beat(nowMs: number): void
  /** A peer is there by the word of its transport. */
  peerUp(via: Link, address: PeerAddress): void
  /** This replica has written something by itself. */
  wrote(): void
  /** From now on others may be told of what this replica writes. */
  joined(): void
}

export interface RoundsParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
  readonly peers: Peers
  readonly antiEntropy: AntiEntropy
  readonly fetch: SnapshotFetch
  readonly host: RoundsHost
}

export class Rounds {
  readonly #parts: RoundsParts
  readonly #stability: Stability
  readonly formats: FormatAgreement
  readonly #joining: Joining
  readonly #pruner: Pruner
  readonly #schedule: DigestSchedule
  readonly #safe: SafeVector
  readonly #lag: LagWatch
  readonly #clones: CloneWatch
  readonly #own = new OwnDigest()
  readonly #telling: Telling
  readonly #confirmations: Confirmations
  /** Who is there by the word of the transports, as of the last round. */
  readonly presence: Presence
  /** The last operation of this replica that a round has told of. */
  #toldOwn = 0
  #receivedCount = 0
  /** The last round could not note what it had to. It has been told. */
  #isRefused = false

  constructor(parts: RoundsParts) {
    const { store, env, settings, observe, post, peers } = parts
    this.#parts = parts
    this.presence = new Presence(peers)
    this.#joining = new Joining(store)
    this.#lag = new LagWatch(settings.peerLaggingMs, observe)
    this.#clones = new CloneWatch({ store, observe, post })
    this.#stability = new Stability(store, settings, observe)
    this.#pruner = new Pruner(store, this.#stability)
    this.formats = new FormatAgreement(store, this.#stability.known, observe)
    const { digestIntervalMs: intervalMs, digestSoonMs: soonMs } = settings
    const random = (): number => randomShare(env)
    this.#schedule = new DigestSchedule({ env, intervalMs, soonMs, random, send: () => this.#beat() })
    this.#safe = new SafeVector(store)
    const { presence } = this
    this.#confirmations = new Confirmations({
      ...{ store, env, settings, own: this.#own, post, peers, presence, stability: this.#stability },
      take: () => this.#take(),
    })
    this.#telling = new Telling({
      ...{ own: this.#own, post, peers, presence, settings, random, confirmations: this.#confirmations },
      isWaitedFor: (peer) => this.#isWaitedFor(peer),
      lackOf: (peer) => this.#memberOf(peer)?.lack,
      isToldElse: (peer) => this.#isToldElse(peer),
    })
  }

  /** The transports are open. */
  start(): void {
    this.#stability.advance(this.#now(), false)
    this.#schedule.start()
  }

  close(): void {
    this.#confirmations.close()
    this.#schedule.close()
  }

  /** Whether others may be told of what this replica writes. */
  get isJoined(): boolean {
    return this.#joining.isJoined
  }

  get stability(): Stability {
    return this.#stability
  }

  /** Digests and changes sent, to everybody or to one peer, and taken in. */
  get counts(): { readonly sent: number; readonly received: number } {
    return { sent: this.#telling.count, received: this.#receivedCount }
  }

  /** There is something new to tell of. Cheap. */
  changed(): void {
    this.#schedule.changed()
  }

  /** Operations of others have been applied. Cheap. */
  applied(): void {
    this.#confirmations.applied()
  }

  confirmation(peer: Peer, confirmation: Confirmation): void {
    this.#confirmations.confirmation(peer, confirmation)
    this.#fetchWhatIsMissing(peer)
  }

  rollCall(peer: Peer, rollCall: RollCall): void {
    this.#confirmations.rollCall(peer, rollCall)
    this.#fetchWhatIsMissing(peer)
  }

  /** A frame of `replica` has come. */
  heard(replica: ReplicaId, nowMs: number): void {
    this.#stability.heard(replica, nowMs)
  }

  /** `peer` has said who it is. */
  hello(peer: Peer, hello: Hello): void {
    if (!this.formats.hello(peer, hello)) return
    if (peer.replica === undefined) return
    this.#stability.heard(peer.replica, this.#now())
    this.#stability.known.says(peer.replica, hello)
  }

  digest(peer: Peer, told: Digest & { readonly number: number }): void {
    this.#receivedCount++
    const { anchor } = peer
    if (told.number > (anchor?.number ?? 0)) {
      peer.anchor = { number: told.number, digest: told, count: 0 }
      peer.lacksAnchor = false
      peer.askDelayMs = undefined
    } else if (told.number !== 0 && !isLatest(told, anchor)) return
    this.#hear(peer, told)
  }

  /** `peer` says what has risen in its digest, and may ask for ours. */
  digestChange(peer: Peer, change: DigestChange): void {
    this.#receivedCount++
    if (change.asks !== 'nothing') this.#answer(peer, change.asks)
    const { anchor } = peer
    if (anchor === undefined || change.anchor > anchor.number) {
      peer.lacksAnchor = true
      return
    }
    // It was overtaken by one that said more.
    if (change.anchor < anchor.number || change.count < anchor.count) return
    if (change.count > anchor.count) peer.askDelayMs = undefined
    anchor.count = change.count
    this.#hear(peer, digestAfter(anchor.digest, change))
  }

  #hear(peer: Peer, said: Digest): void {
    const now = this.#now()
    const digest = normalised(said, this.#parts.store.ended)
    peer.said = said
    peer.saidMs = now
    this.#consider(peer, digest, now)
    // What it lacks is told, but not in a storm.
    if (!this.#lag.isUpToDate(peer, digest, now) && !digest.reply) this.#reply(peer, now)
  }

  /** Draws the consequences of what a peer says, or has said and still says. */
  #consider(peer: Peer, digest: Digest, now: number): void {
    const { store, host } = this.#parts
    peer.has.join(digest.applied)
    peer.floor ??= new VersionVector()
    peer.floor.join(digest.floor)
    this.#clones.digest(peer, digest)
    if (peer.replica !== undefined) this.#stability.digest(peer.replica, digest, now)
    const wasJoined = this.isJoined
    const joining = this.#joining.meet(digest, () => this.#announced())
    if (!wasJoined && this.isJoined) {
      if (digest.applied.get(store.replica) === 0) this.#joinedAnew()
      host.joined()
    }
    const holdsVoid = heedEnds(store, peer, digest, this.isJoined)
    const isMissing = this.#fetchFrom(peer, holdsVoid || joining === 'snapshot')
    peer.isUnsettled = isMissing || joining !== 'joined' || peer.replica === store.replica
  }

  /** What each peer that is up announces as stable. */
  *#announced(): IterableIterator<VersionVector> {
    const { peers, store } = this.#parts
    for (const { isUp, said } of peers.all()) if (isUp && said !== undefined) yield store.ended.normalised(said.stable)
  }

  /** Nobody has known this replica before. Whoever of its peers lets it in, it has seen what most of them announce. */
  #joinedAnew(): void {
    const { peers, store } = this.#parts
    for (const { isUp, said, replica } of peers.all())
      if (isUp && said !== undefined && replica !== undefined)
        this.#stability.joined(replica, normalised(said, store.ended), store.firstSaw)
  }

  /** Sees to what the peer has and this replica lacks. Returns whether there is anything. */
  #fetchFrom(peer: Peer, needsState: boolean): boolean {
    const { store, antiEntropy } = this.#parts
    const { has, floor = has } = peer
    if (needsState || store.needsSnapshot === true || !store.applied.dominates(floor)) {
      this.#require(peer)
      return true
    }
    const isMissing = !store.applied.dominates(has)
    if (isMissing) antiEntropy.consider()
    return isMissing
  }

  /** Ids have been pruned. */
  forgetPruned(): void {
    this.#stability.forgetPruned()
    this.#lag.told = this.#parts.store.ended.stripped(this.#lag.told)
  }

  /** `peer` has come up, perhaps again: what was sent meanwhile may not have reached it. */
  met(peer: Peer): void {
    peer.told.number = 0
    this.#tell(peer, false)
  }

  #tell(peer: Peer, reply: boolean): void {
    this.#take()
    this.#telling.tell(peer, reply)
  }

  #now(): number {
    return this.#parts.env.monotonic()
  }

  /** `peer` waits for something that this replica may have said, and lost it. */
  #answer(peer: Peer, asks: 'change' | 'whole'): void {
    if (asks === 'whole') peer.told.number = 0
    this.#reply(peer, this.#now())
  }

  #reply(peer: Peer, now: number): void {
    if (now - peer.repliedMs < this.#parts.settings.digestIntervalMs / DIGEST_SPACING) return
    peer.repliedMs = now
    this.#tell(peer, true)
  }

  /** By what it has said, it lacks operations, or has yet to acknowledge or announce some. */
  #isWaitedFor(peer: Peer): boolean {
    return this.#memberOf(peer)?.lack !== undefined || !peer.has.dominates(this.#lag.told)
  }

  /** Whether all that is waited for of it is told by confirmations and roll calls. */
  #isToldElse(peer: Peer): boolean {
    const member = this.#memberOf(peer)
    if (member === undefined) return false
    for (const writer of this.#stability.lackedWriters(member)) if (!this.#confirmations.tells(writer)) return false
    return true
  }

  #memberOf({ replica }: Peer): KnownReplica | undefined {
    return replica === undefined ? undefined : this.#stability.known.get(replica)
  }

  /** A frame other than a digest has said what the peer has. */
  #fetchWhatIsMissing(peer: Peer): void {
    const { store, antiEntropy } = this.#parts
    if (!store.applied.dominates(peer.has)) antiEntropy.consider()
  }

  #require(peer: Peer): void {
    const { store, fetch, antiEntropy } = this.#parts
    if (peer.replica === store.replica) return
    fetch.require(peer)
    antiEntropy.isPaused = fetch.isUnderWay
  }

  /** Takes what is to be told of this replica now. */
  #take(): void {
    const { store } = this.#parts
    const applied = this.#joining.tellable(this.#safe.read())
    const [floor, stable] = [store.floor.copy(), this.#stability.announced.copy()]
    const heard = this.#stability.heardReplicas()
    const digest = { reply: false, applied, floor, stable, heard, retired: store.retired.entries() }
    this.#own.take(store.replica, digest, (writer) => this.#confirmations.tells(writer))
  }

  /** What peers have said still holds: with each round, as if they said it again. */
  #considerAgain(nowMs: number): void {
    const { store } = this.#parts
    // Or this replica has a new id meanwhile.
    const isWaiting = !this.isJoined || store.needsSnapshot === true
    for (const peer of this.#parts.peers.all()) {
      if (!peer.isUp || !this.presence.has(peer)) continue
      if (peer.replica !== undefined && !peer.isRefused) this.heard(peer.replica, nowMs)
      if ((isWaiting || peer.isUnsettled) && peer.said !== undefined)
        this.#reconsider(peer, normalised(peer.said, store.ended), nowMs)
    }
  }

  /** What was written first here may have to be read for it: the next round tries again. */
  #reconsider(peer: Peer, digest: Digest, nowMs: number): void {
    try {
      this.#consider(peer, digest, nowMs)
    } catch (error) {
      if (!isStorageError(error)) throw error
      this.#parts.observe({ kind: 'store:unreadable', error })
    }
  }

  /** With each round. */
  #beat(): void {
    const { store, fetch, post, host } = this.#parts
    const now = this.#now()
    this.presence.look(post.links, (via, address) => host.peerUp(via, address))
    this.#considerAgain(now)
    this.#confirmations.look()
    this.#take()
    const { applied } = this.#own.current
    const written = applied.get(store.replica)
    this.#telling.round({ nowMs: now, isWritten: written > this.#toldOwn })
    this.#confirmations.round(now)
    this.#toldOwn = written
    this.#lag.told = applied
    if (this.#safe.isBehind || this.#telling.isAwaiting) this.#schedule.changed()
    host.beat(now)
    const isWhole = !fetch.isUnderWay && store.needsSnapshot !== true
    this.#note(() => {
      this.#stability.advance(now, isWhole)
      if (isWhole && this.isJoined && this.#pruner.beat()) host.wrote()
    })
    post.recorder?.record(INSTRUMENTS.members, this.#stability.presentCount)
  }

  /** Does what may need a record. With a full disk, say, it waits for a later round. */
  #note(work: () => void): void {
    const { store, observe } = this.#parts
    try {
      work()
      this.#isRefused = false
    } catch (error) {
      if (!isStorageError(error)) throw error
      if (!this.#isRefused) observe({ kind: 'store:refused', replica: store.replica, error })
      this.#isRefused = true
    }
  }
}

/** Whether the peer has said nothing since it told of this digest. */
function isLatest({ number }: { readonly number: number }, anchor: Peer['anchor']): boolean {
  return anchor?.number === number && anchor.count === 0
}
