/**
 * What happens with frames that arrive: decoded, booked to the peer that sent them, and handed to the part that they concern.
 * Also the beat of replication: with each digest that goes out, silent peers go down, silent members leave, and
 * what has become stable is told to the store.
 *
 * Work is done in slices of a budget, in which one operation costs 1 and any other frame as much as a few; the inbox yields
 * between slices. Nothing that arrives can throw out of here: malformed frames are counted and reported.
 */
import { asError } from '../../crdt/warp-error.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Env } from '../ports/env.ts'
import { Admitter } from './anti-entropy/admitter.ts'
import { Answers } from './anti-entropy/answers.ts'
import { AntiEntropy } from './anti-entropy/anti-entropy.ts'
import { CloneWatch } from './membership/clone-watch.ts'
import { DIGEST_SPACING, DigestSchedule, SafeVector } from './anti-entropy/digests.ts'
import { heedEnds } from './membership/ends.ts'
import type { ReplicationObserver } from './events.ts'
import { type Digest, type Frame, FrameDecoder, FrameEncoder, type OperationRange, type Sender } from './wire/frames.ts'
import { FrameWork } from './frame-work.ts'
import { type ArrivedFrame, Inbox } from './inbox.ts'
import { Joining } from './membership/joining.ts'
import { LagWatch } from './anti-entropy/lag-watch.ts'
import type { ReplicationSettings } from './options.ts'
import { type Link, type Peer, Peers } from './peers.ts'
import { type ReceptionStats, receptionStats } from './replication-stats.ts'
import { SnapshotFetch } from './snapshot/snapshot-fetch.ts'
import { SnapshotOffers } from './snapshot/snapshot-offer.ts'
import { randomWord } from './random-word.ts'
import { Stability } from './membership/stability.ts'
import type { ReplicationStore } from './store.ts'
import type { PeerAddress } from '../ports/transport.ts'

/** Operations tried in one slice: about a millisecond. */
const SLICE_OPERATIONS = 512
const FRAME_COST = 16

export interface ReceptionOptions {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly broadcast: (frame: Uint8Array) => void
  readonly send: (peer: Peer, frame: Uint8Array) => boolean
  /** A snapshot has been taken in, or not: what waited for that may go on. */
  readonly onResume: () => void
}

export class Reception {
  readonly peers: Peers = new Peers((peer) => this.#down(peer, 'silent'))
  readonly #options: ReceptionOptions
  readonly #session: number
  readonly #encoder: FrameEncoder
  readonly #decoder = new FrameDecoder()
  readonly #inbox: Inbox
  readonly #admitter: Admitter
  readonly #antiEntropy: AntiEntropy
  readonly #answers: Answers
  readonly #offers: SnapshotOffers
  readonly #fetch: SnapshotFetch
  readonly #stability: Stability
  readonly #joining: Joining
  readonly #digests: DigestSchedule
  readonly #safe: SafeVector
  readonly #lag: LagWatch
  readonly #clones: CloneWatch
  #current: FrameWork | undefined
  readonly #counts = { frames: 0, bytes: 0, malformed: 0, unknown: 0, echoed: 0, heldBack: 0 }

  constructor(options: ReceptionOptions) {
    const { store, env, settings, observe } = options
    this.#options = options
    this.#session = randomWord(env)
    const random = (): number => randomWord(env) / 2 ** 32
    const sender = (): Sender => this.sender()
    this.#encoder = new FrameEncoder(store.table, sender)
    this.#inbox = new Inbox(env, {
      framesMax: settings.inboxFramesMax,
      bytesMax: settings.inboxBytesMax,
      slice: (take) => this.#slice(take),
      onDropped: (droppedCount) => this.#dropped(droppedCount),
    })
    const limits = { operationsMax: settings.bufferOperationsMax, bytesMax: settings.bufferBytesMax }
    this.#joining = new Joining(store)
    this.#lag = new LagWatch(settings.peerLaggingMs, observe)
    const request = (peer: Peer, range: OperationRange): void =>
      void options.send(peer, this.#encoder.request(0, [range]))
    this.#clones = new CloneWatch({ store, observe, request })
    this.#admitter = new Admitter(store, { limits, observe })
    const { buffer } = this.#admitter
    this.#antiEntropy = new AntiEntropy({
      ...{ store, env, settings, buffer, peers: this.peers, observe, random },
      request: (peer, number, ranges) => options.send(peer, this.#encoder.request(number, ranges)),
    })
    this.#answers = new Answers(store, env, {
      ...{ sender, batchBytes: settings.batchBytes, windowBytes: settings.windowBytes, send: options.send },
      onOversize: (peer, sequence, bytes) =>
        observe({ kind: 'operation:oversize', transport: peer.via.name, sequence, bytes }),
      onUnreadable: (error) => this.unreadable(error),
    })
    this.#offers = new SnapshotOffers(store, {
      chunkBytes: settings.snapshotChunkBytes,
      exportsMax: settings.snapshotExportsMax,
      idleMs: settings.snapshotIdleMs,
      send: (peer, chunk) => options.send(peer, this.#encoder.snapshotChunk(chunk)),
    })
    const fetch = {
      ...{ store, env, settings, observe },
      request: (peer: Peer, wanted: Parameters<FrameEncoder['snapshotRequest']>[0]): void => {
        options.send(peer, this.#encoder.snapshotRequest(wanted))
      },
      onEnd: (): void => this.#resume(),
    }
    this.#fetch = new SnapshotFetch(fetch, randomWord(env))
    this.#stability = new Stability(store, settings.horizonMs, observe)
    const { digestIntervalMs: intervalMs, digestSoonMs: soonMs } = settings
    this.#digests = new DigestSchedule({ env, intervalMs, soonMs, random, send: () => this.#beat() })
    this.#safe = new SafeVector(store)
  }

  /** The transports are open. */
  start(): void {
    this.#stability.advance(this.#now(), false)
    this.#digests.start()
  }

  get isImporting(): boolean {
    return this.#fetch.isUnderWay
  }

  sender(): Sender {
    return { replica: this.#options.store.replica, session: this.#session }
  }

  /** Whether others may be told of what this replica writes. */
  get isJoined(): boolean {
    return this.#joining.isJoined
  }

  /** There is something new to tell of. Cheap. */
  changed(): void {
    this.#digests.changed()
  }

  receive(via: Link, from: PeerAddress, bytes: Uint8Array): void {
    this.#counts.frames++
    this.#counts.bytes += bytes.length
    this.#inbox.push({ via, from, bytes })
  }

  get isBusy(): boolean {
    return this.#inbox.isBusy
  }

  peerUp(via: Link, address: PeerAddress): void {
    const peer = this.peers.find(via, address) ?? this.peers.add(via, address, this.#now())
    this.#up(peer)
    this.#tell(peer, false)
  }

  peerDown(via: Link, address: PeerAddress): void {
    const peer = this.peers.find(via, address)
    if (peer !== undefined) this.#down(peer, 'transport')
  }

  close(): void {
    this.#inbox.close()
    this.#digests.close()
    this.#antiEntropy.close()
    this.#answers.close()
    this.#fetch.close()
    this.#offers.close()
    this.#admitter.buffer.clear()
    for (const peer of [...this.peers.all()]) this.#down(peer, 'closed')
  }

  stats(): ReceptionStats {
    return receptionStats({
      admitter: this.#admitter,
      antiEntropy: this.#antiEntropy,
      answers: this.#answers,
      offers: this.#offers,
      inbox: this.#inbox,
      counts: this.#counts,
      peers: this.peers.count,
      members: this.#stability.memberCount,
    })
  }

  #now(): number {
    return this.#options.env.monotonic()
  }

  /** One slice of the inbox's work. Returns whether something half done is left. */
  #slice(take: () => ArrivedFrame | undefined): boolean {
    let budget = SLICE_OPERATIONS
    while (budget > 0) {
      budget = this.#admitter.drain(budget)
      if (this.#current !== undefined) {
        budget = this.#workOff(this.#current, budget)
        continue
      }
      const arrived = budget > 0 ? take() : undefined
      if (arrived === undefined) break
      budget -= FRAME_COST
      this.#dispatch(arrived)
    }
    if (this.#admitter.buffer.count > 0) this.#antiEntropy.consider()
    return this.#current !== undefined || !this.#admitter.isDrained
  }

  #workOff(work: FrameWork, budget: number): number {
    let left = budget
    try {
      left = work.offerTo(this.#admitter, budget, () => !this.isImporting)
    } catch (error) {
      this.#malformed(work.peer, error)
      work.giveUp()
    }
    if (!work.isDone && !this.isImporting) return left
    this.#counts.heldBack += work.leftCount
    this.#current = undefined
    const { number, end } = work.frame
    if (number !== 0) this.#antiEntropy.answered(work.peer, number, end)
    return left
  }

  #dispatch(arrived: ArrivedFrame): void {
    const { via, from, bytes } = arrived
    let frame: Frame
    try {
      frame = this.#decoder.decode(bytes)
    } catch (error) {
      this.#malformed(this.peers.find(via, from) ?? { name: { transport: via.name, address: from } }, error)
      return
    }
    if (frame.sender.replica === this.#options.store.replica && frame.sender.session === this.#session) {
      this.#counts.echoed++
      return
    }
    let peer: Peer | undefined
    try {
      peer = this.#heard(via, from, frame.sender)
      this.#react(peer, frame)
    } catch (error) {
      // The store failed, not the peer: its disk, say. Whatever was under way with this peer starts again.
      if (peer !== undefined) this.#forget(peer)
      this.unreadable(error)
    }
  }

  /** The store could not do what replication needs of it. */
  unreadable(error: unknown): void {
    this.#options.observe({ kind: 'store:unreadable', error: asError(error) })
  }

  #react(peer: Peer, frame: Frame): void {
    switch (frame.kind) {
      case 'digest':
        this.#digest(peer, frame)
        return
      case 'operations':
        this.#current = new FrameWork(peer, frame)
        return
      case 'request':
        if (!this.isImporting) this.#answers.answer(peer, frame.number, frame.ranges)
        return
      case 'snapshot-request':
        if (this.#mayOffer) this.#offers.request(peer, frame, this.#now())
        return
      case 'snapshot-chunk':
        this.#fetch.chunk(peer, frame)
        return
      case 'unknown':
        this.#counts.unknown++
    }
  }

  get #mayOffer(): boolean {
    return this.isJoined && !this.isImporting && this.#options.store.needsSnapshot !== true
  }

  #heard(via: Link, from: PeerAddress, sender: Sender): Peer {
    const now = this.#now()
    let peer = this.peers.find(via, from)
    if (peer?.heard(sender, now) === true) {
      // Another replica at that address, or the same one started again: what was known of it does not hold.
      this.#forget(peer)
      this.peers.remove(peer)
      peer = undefined
    }
    peer ??= this.peers.add(via, from, now)
    peer.heard(sender, now)
    this.#up(peer)
    this.#stability.heard(sender.replica, now)
    return peer
  }

  #digest(peer: Peer, digest: Digest): void {
    const { store } = this.#options
    const now = this.#now()
    peer.has.join(digest.applied)
    peer.floor ??= new VersionVector()
    peer.floor.join(digest.floor)
    this.#clones.digest(peer, digest)
    if (peer.replica !== undefined) this.#stability.digest(peer.replica, digest, now)
    this.#compare(peer, digest, now)
    const wasJoined = this.isJoined
    const joining = this.#joining.meet(digest)
    if (!wasJoined && this.isJoined) this.#resume()
    const holdsVoid = heedEnds(store, peer, digest, this.isJoined)
    if (holdsVoid || joining === 'snapshot' || store.needsSnapshot === true || !store.applied.dominates(peer.floor))
      this.#require(peer)
    else if (!store.applied.dominates(peer.has)) this.#antiEntropy.consider()
  }

  /** Tells a peer that is behind what there is, but not in a storm. */
  #compare(peer: Peer, digest: Digest, now: number): void {
    const { digestIntervalMs } = this.#options.settings
    if (this.#lag.isUpToDate(peer, digest, now) || digest.reply) return
    if (now - peer.repliedMs < digestIntervalMs / DIGEST_SPACING) return
    peer.repliedMs = now
    this.#tell(peer, true)
  }

  #require(peer: Peer): void {
    if (peer.replica === this.#options.store.replica) return
    this.#fetch.require(peer)
    this.#antiEntropy.isPaused = this.#fetch.isUnderWay
  }

  /** A snapshot transfer has ended, or this replica may take part from now on. */
  #resume(): void {
    this.#antiEntropy.isPaused = false
    this.#admitter.reconsider()
    this.#inbox.wake()
    this.#antiEntropy.consider()
    this.#digests.changed()
    this.#options.onResume()
  }

  #tell(peer: Peer, reply: boolean): void {
    this.#options.send(peer, this.#encodeDigest(reply))
  }

  #encodeDigest(reply: boolean): Uint8Array {
    const heard = this.#stability.heardReplicas()
    const applied = this.#joining.tellable(this.#safe.read())
    const { floor, retired } = this.#options.store
    const stable = this.#stability.announced
    return this.#encoder.digest({ reply, applied, floor, stable, heard, retired: retired.entries() })
  }

  /** With each broadcast digest. */
  #beat(): void {
    const { settings, broadcast } = this.#options
    const now = this.#now()
    broadcast(this.#encodeDigest(false))
    this.#lag.told = this.#joining.tellable(this.#safe.read())
    if (this.#safe.isBehind) this.#digests.changed()
    this.#admitter.forgetVoid()
    if (!this.#admitter.isDrained) this.#inbox.wake()
    const silentMs = Math.max(settings.peerSilentMs, settings.digestIntervalMs * 3)
    for (const peer of [...this.peers.all()]) if (now - peer.heardMs > silentMs) this.#down(peer, 'silent')
    this.#offers.expire(now)
    this.#stability.advance(now, !this.isImporting && this.#options.store.needsSnapshot !== true)
  }

  #up(peer: Peer): void {
    if (peer.isUp) return
    peer.isUp = true
    this.#options.observe({ kind: 'peer:up', peer: peer.name })
  }

  #down(peer: Peer, reason: 'transport' | 'silent' | 'closed'): void {
    this.peers.remove(peer)
    this.#forget(peer)
    if (!peer.isUp) return
    peer.isUp = false
    this.#options.observe({ kind: 'peer:down', peer: peer.name, reason })
  }

  #forget(peer: Peer): void {
    this.#antiEntropy.forget(peer)
    this.#answers.forget(peer)
    this.#offers.forget(peer)
    this.#fetch.forget(peer)
  }

  #malformed(peer: Pick<Peer, 'name'>, error: unknown): void {
    this.#counts.malformed++
    this.#options.observe({ kind: 'frame:malformed', peer: peer.name, error: asError(error) })
  }

  #dropped(droppedCount: number): void {
    this.#options.observe({ kind: 'queue:overflow', queue: 'inbox', droppedCount })
    this.#antiEntropy.consider()
    this.#digests.changed()
  }
}
