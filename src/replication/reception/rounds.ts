/**
 * The rounds of digests, both ways: what this replica tells of itself at each beat and in reply,
 * and what follows from what a peer tells. With each digest that goes out, silent peers go down,
 * silent members leave, and what has become stable is told to the store.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Env } from '../../ports/env.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { AntiEntropy } from '../anti-entropy/anti-entropy.ts'
import { DIGEST_SPACING, DigestSchedule, SafeVector } from '../anti-entropy/digests.ts'
import { LagWatch } from '../anti-entropy/lag-watch.ts'
import type { ReplicationObserver } from '../events.ts'
import { CloneWatch } from '../members/clone-watch.ts'
import { heedEnds } from '../members/ends.ts'
import { FormatAgreement } from '../members/format-agreement.ts'
import { Joining } from '../members/joining.ts'
import { strip } from '../members/known-replicas.ts'
import { normalised, Pruner } from '../members/pruner.ts'
import { Stability } from '../members/stability.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer } from '../peers.ts'
import type { Post } from './post.ts'
import { randomWord } from '../random-word.ts'
import type { SnapshotFetch } from '../snapshot/snapshot-fetch.ts'
import type { ReplicationStore } from '../store.ts'
import type { Digest, Hello } from '../wire/frames.ts'

/** Who is told of the rounds. */
export interface RoundsHost {
  /** A digest has gone out to everybody. */
  beat(nowMs: number): void
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
  /** Digests sent, to everybody or to one peer, and taken in. */
  readonly counts = { sent: 0, received: 0 }

  constructor(parts: RoundsParts) {
    const { store, env, settings, observe, post } = parts
    this.#parts = parts
    this.#joining = new Joining(store)
    this.#lag = new LagWatch(settings.peerLaggingMs, observe)
    this.#clones = new CloneWatch({ store, observe, post })
    this.#stability = new Stability(store, settings.horizonMs, observe)
    this.#pruner = new Pruner(store, this.#stability)
    this.formats = new FormatAgreement(store, this.#stability.known, observe)
    const { digestIntervalMs: intervalMs, digestSoonMs: soonMs } = settings
    const random = (): number => randomWord(env) / 2 ** 32
    this.#schedule = new DigestSchedule({ env, intervalMs, soonMs, random, send: () => this.#beat() })
    this.#safe = new SafeVector(store)
  }

  /** The transports are open. */
  start(): void {
    this.#stability.advance(this.#now(), false)
    this.#schedule.start()
  }

  close(): void {
    this.#schedule.close()
  }

  /** Whether others may be told of what this replica writes. */
  get isJoined(): boolean {
    return this.#joining.isJoined
  }

  get stability(): Stability {
    return this.#stability
  }

  /** There is something new to tell of. Cheap. */
  changed(): void {
    this.#schedule.changed()
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

  digest(peer: Peer, told: Digest): void {
    const { store, antiEntropy, host } = this.#parts
    const digest = normalised(told, store.ended)
    const now = this.#now()
    this.counts.received++
    peer.has.join(digest.applied)
    peer.floor ??= new VersionVector()
    peer.floor.join(digest.floor)
    this.#clones.digest(peer, digest)
    if (peer.replica !== undefined) this.#stability.digest(peer.replica, digest, now)
    this.#compare(peer, digest, now)
    const wasJoined = this.isJoined
    const joining = this.#joining.meet(digest)
    if (!wasJoined && this.isJoined) host.joined()
    const holdsVoid = heedEnds(store, peer, digest, this.isJoined)
    if (holdsVoid || joining === 'snapshot' || store.needsSnapshot === true || !store.applied.dominates(peer.floor))
      this.#require(peer)
    else if (!store.applied.dominates(peer.has)) antiEntropy.consider()
  }

  /** Ids have been pruned. */
  forgetPruned(): void {
    this.#stability.forgetPruned()
    strip(this.#lag.told, this.#parts.store.ended)
  }

  tell(peer: Peer, reply: boolean): void {
    this.#parts.post.send(peer, this.#encode(reply))
  }

  #now(): number {
    return this.#parts.env.monotonic()
  }

  /** Tells a peer that is behind what there is, but not in a storm. */
  #compare(peer: Peer, digest: Digest, now: number): void {
    const { digestIntervalMs } = this.#parts.settings
    if (this.#lag.isUpToDate(peer, digest, now) || digest.reply) return
    if (now - peer.repliedMs < digestIntervalMs / DIGEST_SPACING) return
    peer.repliedMs = now
    this.tell(peer, true)
  }

  #require(peer: Peer): void {
    const { store, fetch, antiEntropy } = this.#parts
    if (peer.replica === store.replica) return
    fetch.require(peer)
    antiEntropy.isPaused = fetch.isUnderWay
  }

  #encode(reply: boolean): Uint8Array {
    const { store, post } = this.#parts
    this.counts.sent++
    const heard = this.#stability.heardReplicas()
    const applied = this.#joining.tellable(this.#safe.read())
    const { floor, retired } = store
    const stable = this.#stability.announced
    return post.encoder.digest({ reply, applied, floor, stable, heard, retired: retired.entries() })
  }

  /** With each broadcast digest. */
  #beat(): void {
    const { store, fetch, post, host } = this.#parts
    const now = this.#now()
    post.broadcast(this.#encode(false))
    this.#lag.told = this.#joining.tellable(this.#safe.read())
    if (this.#safe.isBehind) this.#schedule.changed()
    host.beat(now)
    const isWhole = !fetch.isUnderWay && store.needsSnapshot !== true
    this.#stability.advance(now, isWhole)
    if (isWhole && this.isJoined && this.#pruner.beat()) host.wrote()
  }
}
