/**
 * The way out to peers: the frames of this replica, over every transport. A frame that a transport
 * cannot take now is lost, as on any bad day; whoever sends says so to its caller and tries again
 * later.
 */
import type { Env } from '../../ports/env.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import type { Recorder } from '../../ports/recorder.ts'
import { asError } from '../../../crdt/warp-error.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Link, Peer } from '../peers.ts'
import { randomWord } from '../../ports/random-word.ts'
import type { ReplicationStore } from '../store.ts'
import { FrameEncoder } from '../wire/frame-encoder.ts'
import type { Sender } from '../wire/frames.ts'

/** What this replica says of itself. */
export interface Self {
  /** For people; empty: none. */
  readonly name: string
  /** Empty: none. */
  readonly zone: string
  /** Empty: none. */
  readonly region: string
  /** The regions in which it sits, if it is a relay; else none. */
  readonly relayed: readonly string[]
}

export interface PostParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly self: Self
  readonly observe: ReplicationObserver
  readonly recorder?: Recorder | undefined
}

export class Post {
  readonly links: Link[] = []
  readonly encoder: FrameEncoder
  readonly self: Self
  /** Told of what goes out and, by others, of what comes in. */
  readonly recorder: Recorder | undefined
  /** Whether this relay carries nothing for now, as its hellos say. `Regions` sees to it. */
  carriesNothing: boolean
  sentFrames = 0
  sentBytes = 0
  /** By the index of the link. */
  readonly #regions = new Map<number, string>()
  readonly #store: ReplicationStore
  readonly #observe: ReplicationObserver
  /** Drawn anew each time that a replica starts. */
  readonly #session: number

  constructor({ store, env, self, observe, recorder }: PostParts) {
    this.recorder = recorder
    this.self = self
    this.carriesNothing = self.relayed.length > 1
    this.#store = store
    this.#observe = observe
    this.#session = randomWord(env)
    this.encoder = new FrameEncoder(store.table, () => this.sender)
  }

  /** Who this replica is, as its frames say. */
  get sender(): Sender {
    return { replica: this.#store.replica, session: this.#session }
  }

  /** Whether a frame is this replica's own, come back. */
  isOwn(sender: Sender): boolean {
    return sender.session === this.#session && sender.replica === this.#store.replica
  }

  /** Whether this replica sits in several regions. */
  get isRelay(): boolean {
    return this.self.relayed.length > 1
  }

  /** Whose transport that is: the region of the replicas that hear each other over it. Empty: not known. */
  regionOf(via: Link): string {
    return this.#regions.get(via.index) ?? this.self.region
  }

  /** A transport has been opened: that of a region. */
  opened(via: Link, region: string): void {
    this.links.push(via)
    this.#regions.set(via.index, region)
  }

  /** A hello of this replica: a view that is valid until the next frame is encoded. */
  hello(asks: boolean): Uint8Array {
    const { name, zone, region, relayed } = this.self
    const { persistent: isPersistent, table } = this.#store
    const { formats } = table
    const { highest, seen: written } = formats
    const reads = { readsChanges: true, readsConfirmations: true, readsLeases: true, readsMessages: true }
    const answers = { answersLoads: true, tellsCopies: true }
    return this.encoder.hello({
      asks,
      isPersistent,
      ...reads,
      ...answers,
      carriesNothing: this.carriesNothing,
      highest,
      written,
      name,
      zone,
      region,
      relayed,
    })
  }

  broadcast(frame: Uint8Array): void {
    for (const via of this.links) this.broadcastOver(via, frame)
  }

  broadcastOver(via: Link, frame: Uint8Array): void {
    this.#count(via, frame)
    try {
      via.link.broadcast(frame)
    } catch (error) {
      this.failed(via, error)
    }
  }

  /** Returns `false` if the peer's queue is full. */
  send(peer: Peer, frame: Uint8Array): boolean {
    try {
      if (!peer.via.link.send(peer.address, frame)) return false
      this.#count(peer.via, frame)
      return true
    } catch (error) {
      this.failed(peer.via, error)
      return false
    }
  }

  failed(via: Link, error: unknown): void {
    this.#observe({ kind: 'transport:failed', transport: via.name, error: asError(error) })
  }

  #count(via: Link, frame: Uint8Array): void {
    this.sentFrames++
    this.sentBytes += frame.length
    const { recorder } = this
    if (recorder === undefined) return
    const labels = { transport: via.name }
    recorder.add(INSTRUMENTS.sentFrames, 1, labels)
    recorder.add(INSTRUMENTS.sentBytes, frame.length, labels)
  }
}
