/**
 * Whether this replica has what its peers have told of. A replica that has just started has to
 * catch up with them once, whatever they go on to write meanwhile: the target is what they had when
 * it was set. From then on it may lag, which is counted from the moment at which it began to lack
 * something that it still lacks.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Env } from '../../ports/env.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer, Peers } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'

export interface ReplicationProgress {
  /**
   * - `'listening'`: it does not know yet who is there, or what they have.
   * - `'catching-up'`: it has not had all that its peers had when it heard them, since it started.
   * - `'taking-over'`: it is behind what a peer has compacted, and needs that peer's state.
   * - `'caught-up'`: none of these. It may lag a moment all the same.
   */
  readonly phase: 'listening' | 'catching-up' | 'taking-over' | 'caught-up'
  /** Operations that peers have told of and that are not here. */
  readonly missingCount: number
  /** For how long it has lacked something; 0 if it lacks nothing. */
  readonly behindMs: number
  /** So long may it lack something before it counts as lagging. */
  readonly behindMsMax: number
  /** It has met others, now or in an earlier life, and hears none. */
  readonly isAlone: boolean
  /** It and a peer have both compacted what the other one has never seen. */
  readonly isUnmergeable: boolean
}

export interface CatchingUpParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly peers: Peers
  readonly isFetching: () => boolean
  readonly isJoined: () => boolean
}

interface Heard {
  readonly up: readonly Peer[]
  readonly told: readonly Peer[]
  readonly has: VersionVector
  readonly isBehindFloor: boolean
  readonly isUnmergeable: boolean
}

export class CatchingUp {
  readonly #parts: CatchingUpParts
  #startedMs: number | undefined
  #hasCaughtUp = false
  /** Since when it hears peers that have told, and is one of them. */
  #hearsSinceMs: number | undefined
  /** What peers had when this was set, of which something is missing. */
  #target: VersionVector | undefined
  #sinceMs = 0

  constructor(parts: CatchingUpParts) {
    this.#parts = parts
  }

  /** The transports are open. */
  start(): void {
    this.#startedMs = this.#parts.env.monotonic()
  }

  /** Looks where it is. O(peers × replicas): call it with each round. */
  look(): ReplicationProgress {
    const { env, settings, store } = this.#parts
    const nowMs = env.monotonic()
    const heard = this.#hear()
    const { up, told, has, isUnmergeable } = heard
    const isListening = this.#isListening(up.length, told.length, nowMs)
    const isWhole = !this.#parts.isFetching() && store.needsSnapshot !== true && !heard.isBehindFloor
    const mayCatchUp = !isListening && isWhole && (told.length === 0 || this.#parts.isJoined())
    this.#follow(has, nowMs, this.#hasHeardARound(told, mayCatchUp, nowMs))
    const isTakingOver = !isWhole && (!isUnmergeable || !this.#hasCaughtUp)
    return {
      phase: this.#phase(isListening, isTakingOver),
      missingCount: this.#lackOf(has),
      behindMs: this.#target === undefined ? 0 : nowMs - this.#sinceMs,
      behindMsMax: settings.peerLaggingMs,
      isAlone: up.length === 0 && store.hasMetOthers,
      isUnmergeable,
    }
  }

  #phase(isListening: boolean, isTakingOver: boolean): ReplicationProgress['phase'] {
    if (isListening) return 'listening'
    if (isTakingOver) return 'taking-over'
    return this.#hasCaughtUp ? 'caught-up' : 'catching-up'
  }

  /** The peers that are up, those of them that have told what they have, and what that is. */
  #hear(): Heard {
    const { store, peers } = this.#parts
    const up = [...peers.all()].filter((peer) => peer.isUp && !peer.isRefused)
    const told = up.filter((peer) => peer.floor !== undefined && peer.replica !== store.replica)
    const has = new VersionVector()
    for (const peer of told) has.join(peer.has)
    const ahead = told.filter(({ floor }) => floor !== undefined && !store.applied.dominates(floor))
    const isUnmergeable = ahead.some((peer) => this.#lacksFloor(peer))
    return { up, told, has, isBehindFloor: ahead.length > 0, isUnmergeable }
  }

  /**
   * Before it has caught up once: somebody who is there has not told yet, or nobody is there and
   * might still come.
   */
  #isListening(upCount: number, toldCount: number, nowMs: number): boolean {
    if (this.#hasCaughtUp) return false
    if (this.#startedMs === undefined) return true
    const isEarly = nowMs - this.#startedMs < this.#parts.settings.peerSilentMs
    if (toldCount === 0) return upCount > 0 || isEarly
    return upCount > toldCount && isEarly
  }

  /**
   * Who has never met anybody says nothing of its own operations before it has heard this replica
   * (see `members/joining.ts`). So what a peer has is known once it has told again, or has had
   * nothing to say for a round of digests.
   */
  #hasHeardARound(told: readonly Peer[], mayCatchUp: boolean, nowMs: number): boolean {
    const { digestIntervalMs } = this.#parts.settings
    if (!mayCatchUp) this.#hearsSinceMs = undefined
    if (!mayCatchUp || told.length === 0) return mayCatchUp
    const sinceMs = (this.#hearsSinceMs ??= nowMs)
    if (nowMs - sinceMs < digestIntervalMs) return false
    return told.every(({ saidMs, heardMs }) => saidMs > sinceMs || nowMs - heardMs >= digestIntervalMs)
  }

  #follow(has: VersionVector, nowMs: number, mayCatchUp: boolean): void {
    if (!mayCatchUp && !this.#hasCaughtUp) {
      this.#target = undefined
      return
    }
    if (this.#target !== undefined && this.#lackOf(this.#target) === 0) {
      this.#target = undefined
      if (mayCatchUp) this.#hasCaughtUp = true
    }
    if (this.#lackOf(has) === 0) {
      this.#target = undefined
      if (mayCatchUp) this.#hasCaughtUp = true
    } else if (this.#target === undefined) {
      this.#target = has
      this.#sinceMs = nowMs
    }
  }

  /** Of how many operations up to `vector` this replica has not heard. What is void is not missing. */
  #lackOf(vector: VersionVector): number {
    const { applied, retired } = this.#parts.store
    let count = 0
    for (const [replica, sequence] of vector.entries())
      count += Math.max(0, Math.min(sequence, retired.endOf(replica)) - applied.get(replica))
    return count
  }

  /** Whether it lacks what has been folded here: then neither can take over the other's state. */
  #lacksFloor({ has }: Peer): boolean {
    const { floor } = this.#parts.store
    return [...floor.entries()].some(([replica, sequence]) => has.get(replica) > 0 && has.get(replica) < sequence)
  }
}
