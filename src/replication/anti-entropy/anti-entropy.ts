/**
 * Anti-entropy (Demers et al. 1987; by version vectors, as in Petersen et al. 1997, "Flexible
 * Update Propagation"): compares what peers have with what we have applied, and asks for the
 * difference in ranges of (replica, sequence).
 *
 * - Each missing range is asked of one peer at a time; ranges are spread over the peers that have
 *   them.
 * - A little patience first, because what is missing is usually under way.
 * - An answer covers a window of bytes and says when it ends; the rest is asked for then. Without
 *   an answer, or with one that brought nothing, the writer's ranges wait twice as long as last
 *   time before they are asked for again, elsewhere if possible.
 * - What only relays have of other regions is asked for when it has not come for a while, and by one of
 *   a region first: see patience.ts.
 * - A peer whose floor we do not dominate cannot serve us by operations: see snapshot-fetch.ts.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { CausalBuffer } from './causal-buffer.ts'
import type { ReplicationObserver } from '../events.ts'
import { REQUEST_RANGES_MAX, type OperationRange } from '../wire/frames.ts'
import type { ReplicationSettings } from '../options.ts'
import { Patience } from './patience.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import { randomShare } from '../../ports/random-word.ts'
import type { ReplicationStore } from '../store.ts'

/** Gaps of one writer in one request. */
const GAPS_MAX = 64

export interface AntiEntropyOptions {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly buffer: CausalBuffer
  readonly peers: Peers
  readonly observe: ReplicationObserver
  readonly post: Post
}

interface Request {
  readonly number: number
  readonly peer: Peer
  /** What had been applied and was waiting of each writer when the request went out. */
  readonly before: ReadonlyMap<ReplicaId, number>
  deadlineMs: number
}

/** A writer whose operations did not come. */
interface Failure {
  count: number
  notBeforeMs: number
  peer: Peer
}

export class AntiEntropy {
  readonly #options: AntiEntropyOptions
  readonly #requests = new Map<Peer, Request>()
  readonly #asked = new Map<ReplicaId, Request>()
  readonly #failures = new Map<ReplicaId, Failure>()
  readonly #patience: Patience
  readonly #gapsReported = new Map<ReplicaId, number>()
  #number = 0
  #timer: Timer | undefined
  #timerMs = Infinity
  #requestCount = 0
  #isClosed = false
  /** Set while a snapshot is being taken in: nothing is asked for. */
  isPaused = false

  constructor(options: AntiEntropyOptions) {
    this.#options = options
    this.#patience = new Patience(options)
  }

  /** Requests that wait for their answers. */
  get pendingCount(): number {
    return this.#requests.size
  }

  get requestCount(): number {
    return this.#requestCount
  }

  /** Something may be missing: looks after a short while, once for many calls. */
  consider(): void {
    this.#lookAt(this.#now() + this.#options.settings.requestDelayMs)
  }

  /** A frame came in answer to request `number`. */
  answered(peer: Peer, number: number, end: boolean): void {
    const request = this.#requests.get(peer)
    if (request?.number !== number) return
    request.deadlineMs = this.#now() + this.#options.settings.requestTimeoutMs
    if (!end) return
    this.#finish(request)
    this.consider()
  }

  /** The peer is gone, or is not who it was. */
  forget(peer: Peer): void {
    const request = this.#requests.get(peer)
    if (request === undefined) return
    this.#finish(request)
    this.consider()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#requests.clear()
    this.#asked.clear()
  }

  #now(): number {
    return this.#options.env.monotonic()
  }

  /** A number in [0, 1). */
  #random(): number {
    return randomShare(this.#options.env)
  }

  #lookAt(dueMs: number): void {
    if (this.#isClosed || dueMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    this.#timer = this.#options.env.schedule(Math.max(0, dueMs - this.#now()), () => {
      this.#timerMs = Infinity
      this.#look()
    })
  }

  #look(): void {
    if (this.#isClosed || this.isPaused) return
    const now = this.#now()
    for (const request of [...this.#requests.values()]) if (request.deadlineMs <= now) this.#finish(request)
    const plan = this.#plan(now)
    for (const [peer, ranges] of plan) this.#send(peer, ranges, now)
    for (const request of this.#requests.values()) this.#lookAt(request.deadlineMs)
  }

  /** Which ranges to ask of whom. */
  #plan(now: number): Map<Peer, OperationRange[]> {
    const { store, peers } = this.#options
    const plan = new Map<Peer, OperationRange[]>()
    const lacking = whoHasWhatWeLack(store, peers)
    this.#patience.look(lacking)
    for (const [replica, { owners, isFar }] of lacking) {
      if (this.#asked.has(replica)) continue
      const dueMs = isFar ? this.#patience.dueMs(replica, now) : 0
      if (dueMs > now) {
        this.#lookAt(dueMs)
        continue
      }
      const failure = this.#failures.get(replica)
      if (failure !== undefined && failure.notBeforeMs > now) {
        this.#lookAt(failure.notBeforeMs)
        continue
      }
      const peer = this.#choose(owners, plan, failure?.peer)
      if (peer === undefined) continue
      const ranges = plan.get(peer) ?? []
      ranges.push(...this.#missing(replica, peer.has.get(replica), REQUEST_RANGES_MAX - ranges.length))
      if (ranges.length > 0) plan.set(peer, ranges)
    }
    return plan
  }

  #missing(replica: ReplicaId, to: number, countMax: number): OperationRange[] {
    const { store, buffer, observe } = this.#options
    const applied = store.applied.get(replica)
    const upTo = Math.min(to, store.retired.endOf(replica))
    const gaps = buffer.gaps(replica, { applied, to: upTo }, Math.min(GAPS_MAX, countMax))
    const first = gaps[0]
    const wasAskedInVain = this.#failures.has(replica)
    if (first !== undefined && wasAskedInVain && (this.#gapsReported.get(replica) ?? 0) < first.from) {
      this.#gapsReported.set(replica, first.from)
      observe({ kind: 'gap', replica, from: first.from, to: upTo })
    }
    return gaps.map((gap) => ({ replica, ...gap }))
  }

  /**
   * Of the peers that have it and are free, the one with the least to do; not the one that failed,
   * if there is another.
   */
  #choose(
    owners: readonly Peer[],
    plan: ReadonlyMap<Peer, OperationRange[]>,
    failed: Peer | undefined,
  ): Peer | undefined {
    let best: Peer | undefined
    let bestLoad = Infinity
    for (const peer of owners) {
      if (this.#requests.has(peer)) continue
      const load = (plan.get(peer)?.length ?? 0) + (peer === failed ? REQUEST_RANGES_MAX : 0) + this.#random()
      if (load >= bestLoad) continue
      best = peer
      bestLoad = load
    }
    return best
  }

  #send(peer: Peer, ranges: readonly OperationRange[], now: number): void {
    const { settings, post } = this.#options
    const before = new Map<ReplicaId, number>()
    for (const { replica } of ranges) before.set(replica, this.#progress(replica))
    if (peer.isRelay) for (const replica of before.keys()) this.#patience.asked(replica)
    const number = ++this.#number
    const request: Request = { number, peer, before, deadlineMs: now + settings.requestTimeoutMs }
    this.#requests.set(peer, request)
    for (const replica of before.keys()) this.#asked.set(replica, request)
    this.#requestCount++
    if (!post.send(peer, post.encoder.request(number, ranges))) this.#finish(request)
  }

  /**
   * The request is over, in whatever way: what it brought decides how soon its writers are asked
   * for again.
   */
  #finish(request: Request): void {
    if (this.#requests.get(request.peer) === request) this.#requests.delete(request.peer)
    const { settings } = this.#options
    for (const [replica, before] of request.before) {
      if (this.#asked.get(replica) === request) this.#asked.delete(replica)
      if (this.#progress(replica) > before) {
        this.#failures.delete(replica)
        continue
      }
      const count = (this.#failures.get(replica)?.count ?? 0) + 1
      const delayMs = Math.min(settings.retryDelayMsMax, settings.requestDelayMs * 2 ** Math.min(count, 30))
      const notBeforeMs = this.#now() + delayMs * (0.75 + this.#random() / 2)
      this.#failures.set(replica, { count, notBeforeMs, peer: request.peer })
      this.#lookAt(notBeforeMs)
    }
  }

  /** Grows with each operation of `replica` that arrives, applied or not. */
  #progress(replica: ReplicaId): number {
    const { store, buffer } = this.#options
    return store.applied.get(replica) + buffer.countOf(replica, store.applied.get(replica))
  }
}

/** Who can send operations that are missing here. */
export interface Lacking {
  /** Those that have the most. */
  owners: Peer[]
  /** All of them are relays, and none is the writer. */
  isFar: boolean
}

/**
 * For each writer of which we lack operations, the peers that can send the most of them: near ones, if
 * there are any, however little they have.
 */
function whoHasWhatWeLack(store: ReplicationStore, peers: Peers): Map<ReplicaId, Lacking> {
  const lacking = new Map<ReplicaId, Lacking>()
  for (const peer of peers.all()) {
    if (!canServe(peer, store)) continue
    for (const [replica, sequence] of peer.has.entries()) {
      const applied = store.applied.get(replica)
      if (sequence > applied && applied < store.retired.endOf(replica)) noteOwner(lacking, replica, peer)
    }
  }
  return lacking
}

function canServe(peer: Peer, { applied }: ReplicationStore): boolean {
  return peer.isUp && peer.floor !== undefined && applied.dominates(peer.floor)
}

function noteOwner(lacking: Map<ReplicaId, Lacking>, replica: ReplicaId, peer: Peer): void {
  const known = lacking.get(replica)
  const isFar = peer.isRelay && peer.replica !== replica
  if (known === undefined || (known.isFar && !isFar)) {
    lacking.set(replica, { owners: [peer], isFar })
    return
  }
  if (isFar && !known.isFar) return
  const most = known.owners[0]?.has.get(replica) ?? 0
  const sequence = peer.has.get(replica)
  if (sequence > most) known.owners = [peer]
  else if (sequence === most) known.owners.push(peer)
}
