/**
 * What replicas tell each other of how long leases have left. The owner tells everybody with each
 * renewal. Who has a renewal and does not know what is left since then asks: soon after it has come, and
 * with each round again. Who can say, says. A message that is lost is asked for again.
 */
import type { Env, Timer } from '../../ports/env.ts'
import type { LeaseLeft, LeaseTalkPort, LeaseTimesPort } from '../../ports/talk/lease-times.ts'
import type { KnownReplicas } from '../members/known-replicas.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import { LEASES_PER_FRAME_MAX } from '../wire/frames.ts'

export interface LeaseTalkParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly post: Post
  readonly peers: Peers
  readonly members: () => KnownReplicas
}

/** Leases that are asked for at once: 100 kB for each peer. */
const ASKED_MAX = 4096

export class LeaseTalk implements LeaseTalkPort {
  readonly #parts: LeaseTalkParts
  #times: LeaseTimesPort | undefined
  readonly #renewed = new Set<string>()
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

  renewed(lease: string): void {
    this.#renewed.add(lease)
    if (this.#renewed.size === 1) this.#parts.env.defer(() => this.#tell())
  }

  /** A peer does not know what is left of these. */
  wanted(peer: Peer, leases: readonly string[]): void {
    const lefts = this.#times?.leftOf(leases) ?? []
    if (lefts.length > 0) this.#send(peer, lefts)
  }

  left(lefts: readonly LeaseLeft[]): void {
    this.#times?.hear(lefts)
  }

  /** Operations of others have been applied. Cheap. */
  applied(): void {
    if (this.#asking !== undefined || this.#isClosed || this.#times === undefined) return
    if (this.#times.unknown(1).length === 0) return
    this.#asking = this.#parts.env.schedule(this.#parts.settings.digestSoonMs, () => {
      this.#asking = undefined
      this.beat()
    })
  }

  /** With each round. */
  beat(): void {
    const unknown = this.#times?.unknown(ASKED_MAX) ?? []
    if (unknown.length === 0 || this.#isClosed) return
    const { post } = this.#parts
    for (const peer of this.#readers())
      for (const some of pieces(unknown)) post.send(peer, post.encoder.leaseWanted(some))
  }

  close(): void {
    this.#isClosed = true
    this.#asking?.cancel()
  }

  #tell(): void {
    const lefts = this.#times?.leftOf(this.#renewed) ?? []
    this.#renewed.clear()
    if (lefts.length === 0 || this.#isClosed) return
    for (const peer of this.#readers()) this.#send(peer, lefts)
  }

  #send(peer: Peer, lefts: readonly LeaseLeft[]): void {
    const { post } = this.#parts
    for (const some of pieces(lefts)) post.send(peer, post.encoder.leaseLeft(some))
  }

  *#readers(): IterableIterator<Peer> {
    for (const peer of this.#parts.peers.all())
      if (peer.isUp && !peer.isRefused && peer.hello?.readsLeases === true) yield peer
  }
}

function* pieces<Item>(items: readonly Item[]): IterableIterator<readonly Item[]> {
  for (let from = 0; from < items.length; from += LEASES_PER_FRAME_MAX)
    yield items.slice(from, from + LEASES_PER_FRAME_MAX)
}
