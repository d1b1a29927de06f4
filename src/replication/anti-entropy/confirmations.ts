/**
 * What n replicas tell each other of one write, in 4n short frames rather than in n² digests. Each
 * writer gathers what the others say of its operations, and tells all of them the outcome:
 *
 *     confirmation   to the writer, soon: applied through here; and of earlier ones, announced
 *                    through here (stability.ts says what for)
 *     roll call      by the writer, to everybody: all whom I hear have acknowledged through here,
 *                    and announced through here
 *
 * Nothing waits for a roll call but compaction. So a few operations are told of at leisure, together
 * with those that follow them; from `MANY` on it is done with the next round. What is lost is noticed
 * by those who wait for it, and asked for: digests say all that confirmations and roll calls do.
 *
 * Only over transports that say who is there, and among replicas that read it. Of a writer that is
 * not there, everybody tells everybody (telling.ts), and whoever waits for what it has not told yet
 * asks.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { Presence } from '../members/presence.ts'
import type { Stability } from '../members/stability.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import type { Confirmation, RollCall } from '../wire/frames.ts'
import { DIGEST_SPACING } from './digests.ts'
import type { OwnDigest } from './own-digest.ts'

/** From so many operations on nothing is put off. */
const MANY = 16
/** For how many rounds a roll call is put off, and an announcement, which goes with a confirmation if there is one. */
const ROLL_CALL_ROUNDS = 10
const ANNOUNCEMENT_ROUNDS = 12
/** By then others have heard that all have announced an operation, at leisure as it may be told. */
export const ANNOUNCED_ROUNDS: number = 2 * ROLL_CALL_ROUNDS + ANNOUNCEMENT_ROUNDS + 6
/** The same of what has been acknowledged. */
export const ACKNOWLEDGED_ROUNDS: number = ROLL_CALL_ROUNDS + 4

export interface ConfirmationsParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly own: OwnDigest
  readonly post: Post
  readonly peers: Peers
  readonly presence: Presence
  readonly stability: Stability
  /** Takes what is to be told of this replica now. */
  readonly take: () => void
}

/** What a peer has been told. */
interface Told {
  /** Of its operations. */
  applied: number
  announced: number
  /** Since when there is an announcement to tell. */
  sinceMs: number | undefined
  /** Of this replica's operations. */
  rollCall: Pick<RollCall, 'acknowledged' | 'announced'>
}

export class Confirmations {
  readonly #parts: ConfirmationsParts
  #replica: ReplicaId | undefined
  #told = new WeakMap<Peer, Told>()
  #writers: ReadonlySet<ReplicaId> = new Set()
  #timer: Timer | undefined
  #confirmationsMs = -Infinity
  /** Since when there is a roll call to tell. */
  #rollCallMs: number | undefined
  #isClosed = false
  /** When something was last sent. */
  sentMs: number = -Infinity

  constructor(parts: ConfirmationsParts) {
    this.#parts = parts
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  /** Whether what is new of `writer`'s operations is told otherwise than by digests to everybody. */
  tells(writer: ReplicaId): boolean {
    if (writer === this.#parts.store.replica) return true
    // What is written in one region is news in the others, which do not hear the writer.
    return this.#writers.has(writer) && !this.#parts.post.isRelay
  }

  /** With each round, before this replica's digest is taken. */
  look(): void {
    const { replica } = this.#parts.store
    if (replica !== this.#replica) this.#told = new WeakMap()
    this.#replica = replica
    const writers = new Set<ReplicaId>()
    for (const { replica: writer } of this.#readers()) writers.add(writer as ReplicaId)
    this.#writers = writers
  }

  /** Operations of others have been applied. Cheap. */
  applied(): void {
    if (this.#timer !== undefined || this.#writers.size === 0 || this.#isClosed) return
    const { env, settings, take } = this.#parts
    const now = env.monotonic()
    const dueMs = Math.max(
      now + settings.digestSoonMs,
      this.#confirmationsMs + settings.digestIntervalMs / DIGEST_SPACING,
    )
    this.#timer = env.schedule(dueMs - now, () => {
      this.#timer = undefined
      take()
      this.#sendConfirmations(env.monotonic(), false)
    })
  }

  /** With each round, when this replica's digest has been taken. */
  round(nowMs: number): void {
    this.#sendConfirmations(nowMs, true)
    this.#sendRollCalls(nowMs)
  }

  /** `peer` says how far it has this replica's operations. */
  confirmation(peer: Peer, confirmation: Confirmation): void {
    const { store, stability } = this.#parts
    if (peer.replica === undefined || confirmation.replica !== store.replica || store.ended.isPruned(peer.replica))
      return
    peer.saidMs = this.#parts.env.monotonic()
    peer.has.raise(store.replica, confirmation.applied)
    peer.has.raise(peer.replica, confirmation.own)
    stability.confirmation(peer.replica, confirmation)
  }

  /** `peer` says how far the others have its operations. */
  rollCall(peer: Peer, rollCall: RollCall): void {
    const { store, stability, peers, env } = this.#parts
    const { anchor, replica: writer } = peer
    if (writer === undefined || store.ended.isPruned(writer)) return
    if (anchor === undefined || rollCall.anchor > anchor.number) {
      peer.lacksAnchor = true
      return
    }
    if (rollCall.anchor < anchor.number) return
    peer.saidMs = env.monotonic()
    const { heard, applied } = anchor.digest
    const own = new Map(rollCall.through)
    const others = heard.flatMap((replica, i) =>
      store.ended.isPruned(replica) ? [] : [[replica, Math.max(applied.get(replica), own.get(i) ?? 0)] as const],
    )
    stability.rollCall(writer, rollCall, others)
    const named = new Set(heard)
    for (const other of peers.all()) {
      const isNamed = other.replica !== undefined && named.has(other.replica)
      if (isNamed && other.has.raise(writer, rollCall.acknowledged)) other.waitedMs = undefined
    }
  }

  /** Peers that read confirmations, and of which the transport says that they are there. */
  *#readers(): IterableIterator<Peer> {
    const { peers, presence, store } = this.#parts
    for (const peer of peers.all()) {
      const isThere = peer.isUp && !peer.isRefused && presence.watches(peer.via) && readsConfirmations(peer)
      if (isThere && peer.replica !== undefined && peer.replica !== store.replica) yield peer
    }
  }

  #toldOf(peer: Peer): Told {
    let told = this.#told.get(peer)
    if (told === undefined) {
      told = { applied: 0, announced: 0, sinceMs: undefined, rollCall: { acknowledged: 0, announced: 0 } }
      this.#told.set(peer, told)
    }
    return told
  }

  #sendConfirmations(nowMs: number, isRound: boolean): void {
    const { own, post, store, settings } = this.#parts
    const { applied: has, stable } = own.current
    if (!isRound) this.#confirmationsMs = nowMs
    for (const peer of this.#readers()) {
      const writer = peer.replica as ReplicaId
      const told = this.#toldOf(peer)
      const [applied, announced] = [has.get(writer), stable.get(writer)]
      const untold = announced - told.announced
      if (untold > 0) told.sinceMs ??= nowMs
      const isDue = untold >= MANY || nowMs - (told.sinceMs ?? nowMs) >= settings.digestIntervalMs * ANNOUNCEMENT_ROUNDS
      if (applied <= told.applied && !(isRound && untold > 0 && isDue)) continue
      const confirmation = { replica: writer, applied, own: has.get(store.replica), stable: announced }
      if (!post.send(peer, post.encoder.confirmation(confirmation))) continue
      this.sentMs = nowMs
      this.#confirmationsMs = nowMs
      told.applied = applied
      told.announced = announced
      told.sinceMs = undefined
    }
  }

  #sendRollCalls(nowMs: number): void {
    const { own, post, stability, settings } = this.#parts
    const { heard, applied } = own.anchor
    if (heard.length === 0) return
    const { acknowledged, stable, announced } = stability.rollOf(heard)
    let most = 0
    const due: Peer[] = []
    for (const peer of this.#readers()) {
      const { rollCall } = this.#toldOf(peer)
      const untold = Math.max(acknowledged - rollCall.acknowledged, announced - rollCall.announced)
      // It would not know whom this replica hears.
      if (untold <= 0 || peer.told.number !== own.number) continue
      most = Math.max(most, untold)
      due.push(peer)
    }
    if (due.length === 0) {
      this.#rollCallMs = undefined
      return
    }
    this.#rollCallMs ??= nowMs
    if (most < MANY && nowMs - this.#rollCallMs < settings.digestIntervalMs * ROLL_CALL_ROUNDS) return
    const through = heard.flatMap((replica, i) => {
      const last = stability.known.get(replica)?.through ?? 0
      return last > applied.get(replica) ? [[i, last] as const] : []
    })
    const frame = { anchor: own.number, acknowledged, stable, announced, through }
    this.#rollCallMs = undefined
    for (const peer of due) {
      if (!post.send(peer, post.encoder.rollCall(frame))) continue
      this.sentMs = nowMs
      this.#toldOf(peer).rollCall = { acknowledged, announced }
    }
  }
}

export function readsConfirmations({ hello }: Peer): boolean {
  return hello?.readsConfirmations === true
}
