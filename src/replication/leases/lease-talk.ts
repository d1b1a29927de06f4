/**
 * What replicas ask each other: how long leases have left. It is asked for, and never told unasked: an
 * answer counts from when it was asked for, so that no message, however late, makes a lease longer. Who
 * has a renewal and does not know what is left since then asks the owner soon after it has come, and
 * everybody with each round again. Who can say, says.
 */
import { OldestFirst } from '../../../crdt/oldest-first.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { LeaseLeft, LeaseTalkPort, LeaseTimesPort, UnknownLease } from '../../ports/talk/lease-times.ts'
import type { KnownReplicas } from '../members/known-replicas.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import { LEASES_PER_FRAME_MAX, type LeaseLeftFrame, type LeaseWantedFrame } from '../wire/frames.ts'

export interface LeaseTalkParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly post: Post
  readonly peers: Peers
  readonly members: () => KnownReplicas
}

interface Question {
  readonly peer: Peer
  readonly askedMs: number
}

/** Leases that are asked for at once: 100 kB for each peer. */
const ASKED_MAX = 4096
/** Questions that have not been answered. One that is forgotten is asked again with the next round. */
const QUESTIONS_MAX = 1024

export class LeaseTalk implements LeaseTalkPort {
  readonly #parts: LeaseTalkParts
  #times: LeaseTimesPort | undefined
  readonly #questions = new OldestFirst<number, Question>()
  #lastNumber = 0
  #asking: Timer | undefined
  #isClosed = false

  constructor(parts: LeaseTalkParts) {
    this.#parts = parts
  }

  connect(times: LeaseTimesPort): void {
    this.#times = times
  }

  get isSenior(): boolean {
    const { replica: self } = this.#parts.store
    for (const { replica } of this.#parts.members().present()) if (replica < self) return false
    return true
  }

  /** A peer does not know what is left of these. */
  wanted(peer: Peer, { number, leases }: LeaseWantedFrame): void {
    const lefts: LeaseLeft[] = this.#times?.leftOf(leases) ?? []
    if (lefts.length === 0) return
    const { post } = this.#parts
    post.send(peer, post.encoder.leaseLeft({ number, lefts }))
  }

  /** A peer answers. */
  left(peer: Peer, { number, lefts }: LeaseLeftFrame): void {
    const question = this.#questions.get(number)
    if (question?.peer !== peer) return
    this.#questions.delete(number)
    this.#times?.hear(lefts, question.askedMs)
    // There are more than are asked for at once.
    if (this.#unknown().length === ASKED_MAX) this.applied()
  }

  /** Nothing comes of that peer any more. */
  forget(peer: Peer): void {
    for (const [number, question] of [...this.#questions]) if (question.peer === peer) this.#questions.delete(number)
  }

  /** Operations of others have been applied. Cheap. */
  applied(): void {
    if (this.#asking !== undefined || this.#isClosed || this.#times === undefined) return
    if (this.#times.unknown(1).length === 0) return
    this.#asking = this.#parts.env.schedule(this.#parts.settings.digestSoonMs, () => {
      this.#asking = undefined
      this.#askOwners()
    })
  }

  /** With each round: everybody, for the owner may be gone, or may not know. */
  beat(): void {
    const unknown = this.#unknown()
    if (unknown.length > 0) for (const peer of this.#readers()) this.#ask(peer, unknown)
  }

  close(): void {
    this.#isClosed = true
    this.#asking?.cancel()
  }

  #askOwners(): void {
    const unknown = this.#unknown()
    for (const peer of this.#readers()) {
      const own = unknown.filter(({ owner }) => owner === peer.replica)
      if (own.length > 0) this.#ask(peer, own)
    }
  }

  #unknown(): UnknownLease[] {
    return this.#isClosed ? [] : (this.#times?.unknown(ASKED_MAX) ?? [])
  }

  #ask(peer: Peer, unknown: readonly UnknownLease[]): void {
    const { post, env } = this.#parts
    for (let from = 0; from < unknown.length; from += LEASES_PER_FRAME_MAX) {
      const leases = unknown.slice(from, from + LEASES_PER_FRAME_MAX).map(({ lease }) => lease)
      const number = ++this.#lastNumber
      this.#questions.set(number, { peer, askedMs: env.monotonic() })
      if (this.#questions.size > QUESTIONS_MAX) this.#questions.delete(this.#questions.oldest() as number)
      post.send(peer, post.encoder.leaseWanted({ number, leases }))
    }
  }

  *#readers(): IterableIterator<Peer> {
    for (const peer of this.#parts.peers.all())
      if (peer.isUp && !peer.isRefused && peer.hello?.readsLeases === true) yield peer
  }
}
