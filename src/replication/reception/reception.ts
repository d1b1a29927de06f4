/**
 * What happens with frames that arrive: decoded, booked to the peer that sent them, and handed to
 * the part that they concern.
 *
 * Work is done in slices of a budget, in which one operation costs 1 and any other frame as much as
 * a few; the inbox yields between slices. Nothing that arrives can throw out of here: malformed
 * frames are counted and reported.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { asError } from '../../../crdt/warp-error.ts'
import type { Env } from '../../ports/env.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import { Acknowledgements } from '../acknowledgement/acknowledgements.ts'
import { AcknowledgementAnswerer } from '../acknowledgement/answerer.ts'
import { Holdings } from '../acknowledgement/holdings.ts'
import { Admitter } from '../anti-entropy/admitter.ts'
import { Answers } from '../anti-entropy/answers.ts'
import { AntiEntropy } from '../anti-entropy/anti-entropy.ts'
import type { ReplicationObserver } from '../events.ts'
import { FrameDecoder } from '../wire/frame-decoder.ts'
import type { Frame, Sender, SnapshotRequest } from '../wire/frames.ts'
import { CatchingUp, type ReplicationProgress } from './catching-up.ts'
import { FrameWork } from './frame-work.ts'
import { type ArrivedFrame, Inbox } from './inbox.ts'
import { FORMAT_LOWEST } from '../../operation/envelope/formats.ts'
import { LeaseTalk } from '../leases/lease-talk.ts'
import { CopyTalk } from '../loads/copy-talk.ts'
import { LoadTalk } from '../loads/load-talk.ts'
import { MessageTalk } from '../messages/message-talk.ts'
import { Introductions } from '../introductions.ts'
import type { ReplicationSettings } from '../options.ts'
import { type Link, type Peer, Peers } from '../peers.ts'
import type { Post } from './post.ts'
import { type CompactionBlock, compactionBlock, queuesOf, type QueueFill } from '../replication-report.ts'
import { type ReceptionParts, type ReceptionStats, receptionStats } from '../replication-stats.ts'
import { strip } from '../members/known-replicas.ts'
import { Regions, type RegionsParts } from '../regions/regions.ts'
import { Rounds } from './rounds.ts'
import { SnapshotFetch } from '../snapshot/snapshot-fetch.ts'
import { SnapshotOffers } from '../snapshot/snapshot-offer.ts'
import { randomWord } from '../../ports/random-word.ts'
import type { ReplicationStore } from '../store.ts'
import type { PeerAddress } from '../../ports/transport.ts'

/** Operations tried in one slice: about a millisecond. */
const SLICE_OPERATIONS = 512
const FRAME_COST = 16

export interface ReceptionOptions {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
  /** A snapshot has been taken in, or not: what waited for that may go on. */
  readonly onResume: () => void
}

export class Reception {
  readonly peers: Peers = new Peers((peer) => this.#down(peer, 'silent'))
  readonly #options: ReceptionOptions
  readonly #decoder: FrameDecoder
  readonly #inbox: Inbox
  readonly #admitter: Admitter
  readonly #antiEntropy: AntiEntropy
  readonly #answers: Answers
  readonly #offers: SnapshotOffers
  readonly #fetch: SnapshotFetch
  readonly #rounds: Rounds
  readonly #catchingUp: CatchingUp
  readonly acknowledgements: Acknowledgements
  readonly #answerer: AcknowledgementAnswerer
  readonly #holdings: Holdings
  #isHoldingMore = false
  readonly #introductions: Introductions
  readonly leases: LeaseTalk
  readonly loads: LoadTalk
  readonly copies: CopyTalk
  readonly messages: MessageTalk
  readonly regions: Regions
  #current: FrameWork | undefined
  /** The highest format that has been told to be written. */
  #told: number = FORMAT_LOWEST
  readonly #counts = { frames: 0, bytes: 0, malformed: 0, unknown: 0, echoed: 0, heldBack: 0, requests: 0 }

  constructor(options: ReceptionOptions) {
    const { store, env, settings, observe, post } = options
    this.#options = options
    this.#decoder = new FrameDecoder(store.table.formats)
    this.#inbox = new Inbox(env, {
      framesMax: settings.inboxFramesMax,
      bytesMax: settings.inboxBytesMax,
      slice: (take) => this.#slice(take),
      onDropped: (droppedCount) => this.#dropped(droppedCount),
    })
    const limits = { operationsMax: settings.bufferOperationsMax, bytesMax: settings.bufferBytesMax }
    this.#admitter = new Admitter(store, { limits, observe })
    const parts = { store, env, settings, observe, post }
    this.#antiEntropy = new AntiEntropy({ ...parts, buffer: this.#admitter.buffer, peers: this.peers })
    this.#answers = new Answers(parts)
    this.#offers = new SnapshotOffers(store, {
      ...{ env, chunkBytes: settings.snapshotChunkBytes, exportsMax: settings.snapshotExportsMax },
      idleMs: settings.snapshotIdleMs,
      send: (peer, chunk) => post.send(peer, post.encoder.snapshotChunk(chunk)),
      failed: (peer, error) => {
        this.#forget(peer)
        observe({ kind: 'store:unreadable', error })
      },
    })
    const fetch = {
      ...{ store, env, settings, observe, recorder: post.recorder },
      request: (peer: Peer, wanted: SnapshotRequest): void =>
        void post.send(peer, post.encoder.snapshotRequest(wanted)),
      onEnd: (): void => this.#resume(),
    }
    this.#fetch = new SnapshotFetch(fetch, randomWord(env))
    const holdings = (this.#holdings = new Holdings(store))
    this.acknowledgements = new Acknowledgements({
      ...{ store, env, settings, post, holdings },
      members: () => this.#rounds.formats.members(),
    })
    this.#answerer = new AcknowledgementAnswerer(store, post, holdings)
    store.onOrdered?.(() => this.#heldMoreSoon())
    this.#introductions = new Introductions(post, settings)
    const talk = { post, peers: this.peers }
    this.loads = new LoadTalk(talk)
    this.copies = new CopyTalk({ ...talk, progress: () => this.progress() })
    this.messages = new MessageTalk({ ...talk, observe })
    this.leases = new LeaseTalk({ ...parts, peers: this.peers, members: () => this.#rounds.stability.known })
    this.#rounds = new Rounds({
      ...{ ...parts, peers: this.peers, antiEntropy: this.#antiEntropy, fetch: this.#fetch },
      host: {
        beat: (nowMs) => this.#beat(nowMs),
        joined: () => this.#resume(),
        wrote: () => this.#wrote(),
        peerUp: (via, address) => this.peerUp(via, address),
      },
    })
    this.regions = this.#regionsOf(parts)
    this.#catchingUp = new CatchingUp({
      ...{ store, env, settings, peers: this.peers },
      isFetching: () => this.isImporting,
      isJoined: () => this.isJoined,
    })
  }

  #regionsOf(parts: Omit<RegionsParts, 'peers' | 'stability' | 'isPaused' | 'tell'>): Regions {
    return new Regions({
      ...{ ...parts, peers: this.peers },
      stability: () => this.#rounds.stability,
      isPaused: () => this.isImporting || !this.isJoined,
      tell: () => this.#sayHello(),
    })
  }

  /** What this replica says of itself has changed. */
  #sayHello(): void {
    for (const peer of this.peers.all()) this.#introductions.changed(peer)
  }

  /** The transports are open. */
  start(): void {
    this.#options.store.onPruned(() => this.#forgetPruned())
    this.#catchingUp.start()
    this.regions.start()
    this.#rounds.start()
  }

  get isImporting(): boolean {
    return this.#fetch.isUnderWay
  }

  /** Ids have been pruned: nothing names them, and what waited for them waits no more. */
  #forgetPruned(): void {
    const { ended } = this.#options.store
    for (const { has, floor } of this.peers.all()) {
      strip(has, ended)
      if (floor !== undefined) strip(floor, ended)
    }
    this.#rounds.forgetPruned()
    this.regions.forgetPruned()
    this.#admitter.forgetPruned()
    this.#inbox.wake()
  }

  /** Whether others may be told of what this replica writes. */
  get isJoined(): boolean {
    return this.#rounds.isJoined
  }

  /** Whether this replica has what the others have told of. */
  progress(): ReplicationProgress {
    return this.#catchingUp.look()
  }

  /** There is something new to tell of. Cheap. */
  changed(): void {
    this.#rounds.changed()
  }

  receive(via: Link, from: PeerAddress, bytes: Uint8Array): void {
    this.#counts.frames++
    this.#counts.bytes += bytes.length
    const { recorder } = this.#options.post
    if (recorder !== undefined) {
      const labels = { transport: via.name }
      recorder.add(INSTRUMENTS.receivedFrames, 1, labels)
      recorder.add(INSTRUMENTS.receivedBytes, bytes.length, labels)
    }
    this.#inbox.push({ via, from, bytes })
  }

  get isBusy(): boolean {
    return this.#inbox.isBusy
  }

  peerUp(via: Link, address: PeerAddress): void {
    const peer = this.peers.find(via, address) ?? this.peers.add(via, address, this.#now())
    this.#up(peer)
    this.#introductions.met(peer, this.#now())
    this.#rounds.met(peer)
  }

  peerDown(via: Link, address: PeerAddress): void {
    this.#inbox.outdate(via, address)
    const peer = this.peers.find(via, address)
    if (peer !== undefined) this.#down(peer, 'transport')
  }

  close(): void {
    this.#inbox.close()
    this.regions.close()
    this.#rounds.close()
    this.#antiEntropy.close()
    this.#answers.close()
    this.acknowledgements.close()
    this.leases.close()
    this.#fetch.close()
    this.#offers.close()
    this.#admitter.buffer.clear()
    for (const peer of [...this.peers.all()]) this.#down(peer, 'closed')
  }

  stats(): ReceptionStats {
    return receptionStats(this.#parts())
  }

  /** How full each bounded queue is. */
  queues(): QueueFill[] {
    return queuesOf(this.#parts(), this.#options.settings)
  }

  /** Every replica that has taken part, or may, but this one. */
  members(): { readonly replica: ReplicaId; readonly name: string }[] {
    const { known } = this.#rounds.stability
    return [...known.present(), ...known.away()].map(({ replica, name }) => ({ replica, name }))
  }

  /** What other replicas have to say before compaction can go on. */
  compactionBlock(): CompactionBlock {
    return compactionBlock(this.#rounds.stability, this.#options.env)
  }

  #parts(): ReceptionParts {
    return {
      admitter: this.#admitter,
      antiEntropy: this.#antiEntropy,
      answers: this.#answers,
      offers: this.#offers,
      inbox: this.#inbox,
      acknowledgements: this.acknowledgements,
      answerer: this.#answerer,
      counts: this.#counts,
      peers: this.peers.count,
      rounds: this.#rounds,
    }
  }

  #now(): number {
    return this.#options.env.monotonic()
  }

  /** One slice of the inbox's work. Returns whether something half done is left. */
  #slice(take: () => ArrivedFrame | undefined): boolean {
    const { recorder } = this.#options.post
    recorder?.record(INSTRUMENTS.inboxFrames, this.#inbox.count)
    const appliedBefore = this.#admitter.counts.applied
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
    const appliedCount = this.#admitter.counts.applied - appliedBefore
    if (appliedCount > 0) {
      this.#rounds.applied()
      this.leases.applied()
      this.regions.appended()
    }
    recorder?.add(INSTRUMENTS.appliedOperations, appliedCount)
    recorder?.record(INSTRUMENTS.waitingOperations, this.#admitter.buffer.count)
    if (this.#admitter.buffer.count > 0) this.#antiEntropy.consider()
    this.#holdings.progressed()
    this.#answerer.progressed()
    return this.#current !== undefined || !this.#admitter.isDrained
  }

  /** An ordered log has given operations, perhaps many in this turn. */
  #heldMoreSoon(): void {
    if (this.#isHoldingMore) return
    this.#isHoldingMore = true
    this.#options.env.defer(() => {
      this.#isHoldingMore = false
      this.#holdings.progressed()
      this.#answerer.progressed()
    })
  }

  #workOff(work: FrameWork, budget: number): number {
    let left = budget
    try {
      left = work.offerTo(this.#admitter, budget, { mayGoOn: () => !this.isImporting, regions: this.regions })
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
    if (this.#options.post.isOwn(frame.sender)) {
      this.#counts.echoed++
      return
    }
    let peer: Peer | undefined
    try {
      peer = this.#heard(arrived, frame.sender)
      this.#react(peer, frame)
    } catch (error) {
      // The store failed, not the peer: its disk, say. Whatever was under way with this peer starts
      // again.
      if (peer !== undefined) this.#forget(peer)
      this.#options.observe({ kind: 'store:unreadable', error: asError(error) })
    }
  }

  #react(peer: Peer, frame: Frame): void {
    // Who cannot read what is written here, or writes what cannot be read here, may say so, and
    // nothing else.
    if (peer.isRefused && frame.kind !== 'hello') return
    switch (frame.kind) {
      case 'digest':
        this.#rounds.digest(peer, frame)
        return
      case 'digest-change':
        this.#rounds.digestChange(peer, frame)
        return
      case 'operations':
        this.#current = new FrameWork(peer, frame)
        return
      case 'request':
        this.#counts.requests++
        if (!this.isImporting) this.#answers.answer(peer, frame.number, frame.ranges)
        return
      case 'snapshot-request':
        if (this.#mayOffer) this.#offers.request(peer, frame, this.#now())
        return
      case 'snapshot-chunk':
        this.#fetch.chunk(peer, frame)
        return
      default:
        this.#converse(peer, frame)
    }
  }

  /** What replicas tell each other about themselves and about what they hold. */
  #converse(peer: Peer, frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        if (this.#introductions.hello(peer, frame, this.#now())) this.acknowledgements.met(peer)
        this.#rounds.hello(peer, frame)
        this.regions.hello(peer)
        this.#settleFormat(false)
        return
      case 'wanted':
        this.#answerer.wanted(peer, frame.wanted)
        return
      case 'held':
        this.acknowledgements.held(peer, frame.held)
        return
      case 'confirmation':
        this.#rounds.confirmation(peer, frame)
        return
      case 'roll-call':
        this.#rounds.rollCall(peer, frame)
        return
      default:
        this.#converseOfCopies(peer, frame)
    }
  }

  /** What replicas tell each other of leases, loads, copies and channels. */
  #converseOfCopies(peer: Peer, frame: Frame): void {
    switch (frame.kind) {
      case 'lease-wanted':
        this.leases.wanted(peer, frame)
        return
      case 'lease-left':
        this.leases.left(peer, frame)
        return
      case 'load-request':
        this.loads.request(peer, frame)
        return
      case 'load-fill':
        this.loads.fill(peer, frame)
        return
      case 'rows-stored':
        this.loads.stored(frame.rows)
        return
      case 'holdings-wanted':
        this.copies.wanted(peer, frame)
        return
      case 'holdings-told':
        this.copies.told(peer, frame)
        return
      case 'message':
        this.messages.message(peer, frame.message)
        return
      case 'message-heads':
        this.messages.heads(peer, frame.heads)
        return
      case 'members':
        this.regions.members(peer, frame.members)
        return
      default:
        this.#counts.unknown++
    }
  }

  get #mayOffer(): boolean {
    return this.isJoined && !this.isImporting && this.#options.store.needsSnapshot !== true
  }

  #heard({ via, from, isLate = false }: ArrivedFrame, sender: Sender): Peer {
    const now = this.#now()
    let peer = this.peers.find(via, from)
    const before = peer?.sender
    if (peer?.heard(sender, now) === true) {
      // Another replica at that address, or the same one started again: what was known of it does
      // not hold.
      peer.sender = before
      this.#down(peer, 'replaced')
      peer = undefined
    }
    const isNew = peer === undefined
    if (peer === undefined) {
      peer = this.peers.add(via, from, now)
      peer.heard(sender, now)
      this.#introductions.met(peer, now)
    }
    if (!isLate) this.#up(peer)
    if (!peer.isRefused) this.#rounds.heard(sender.replica, now)
    if (isNew && !isLate) this.acknowledgements.met(peer)
    return peer
  }

  /** A snapshot transfer has ended, or this replica may take part from now on. */
  #resume(): void {
    this.#antiEntropy.isPaused = false
    this.#admitter.reconsider()
    this.#inbox.wake()
    this.#antiEntropy.consider()
    this.#rounds.changed()
    this.#options.onResume()
  }

  /** It may be sent once it outlives this process. */
  #wrote(): void {
    const tell = (): void => {
      this.#options.onResume()
      this.#rounds.changed()
    }
    this.#options.store.settled('logged').then(tell, () => undefined)
  }

  #beat(now: number): void {
    const { settings } = this.#options
    this.#admitter.forgetVoid()
    // What waits is tried again, whether or not a frame comes.
    if (!this.#admitter.isDrained || this.#admitter.buffer.count > 0) this.#inbox.wake()
    const silentMs = Math.max(settings.peerSilentMs, settings.digestIntervalMs * 3)
    for (const peer of [...this.peers.all()])
      if (now - peer.heardMs > silentMs && !this.#rounds.presence.has(peer)) this.#down(peer, 'silent')
    this.#offers.expire(now)
    this.#introductions.beat(this.peers.all(), now)
    this.leases.beat()
    this.messages.beat()
    this.regions.beat(now)
    this.#settleFormat(true)
    this.#catchingUp.look()
  }

  #settleFormat(isRound: boolean): void {
    const { formats } = this.#options.store.table
    const before = formats.seen
    this.#rounds.formats.settle([...this.peers.all()], isRound)
    // Everybody has to know what has been written, or a newcomer that cannot read it would be let
    // in somewhere.
    if (this.#told < before) this.#sayHello()
    this.#told = before
  }

  #up(peer: Peer): void {
    if (peer.isUp) return
    peer.isUp = true
    this.messages.met(peer)
    this.#options.observe({ kind: 'peer:up', peer: peer.name })
    this.regions.up(peer)
  }

  #down(peer: Peer, reason: 'transport' | 'silent' | 'replaced' | 'closed'): void {
    this.peers.remove(peer)
    this.#forget(peer)
    this.#leftBehind(peer.replica)
    if (!peer.isUp) return
    peer.isUp = false
    this.#options.observe({ kind: 'peer:down', peer: peer.name, reason })
    if (reason !== 'closed') this.regions.down(peer)
  }

  /** A peer with that id is not there any more; over another transport it may be. */
  #leftBehind(replica: ReplicaId | undefined): void {
    if (replica !== undefined && !this.peers.isSeen(replica)) this.acknowledgements.gone(replica)
  }

  #forget(peer: Peer): void {
    this.#antiEntropy.forget(peer)
    this.#answers.forget(peer)
    this.#answerer.forget(peer)
    this.#offers.forget(peer)
    this.#fetch.forget(peer)
    this.loads.forget(peer)
    this.copies.forget(peer)
    this.leases.forget(peer)
  }

  #malformed(peer: Pick<Peer, 'name'>, error: unknown): void {
    this.#counts.malformed++
    this.#options.observe({ kind: 'frame:malformed', peer: peer.name, error: asError(error) })
  }

  #dropped(droppedCount: number): void {
    this.#options.observe({ kind: 'queue:overflow', queue: 'inbox', droppedCount })
    this.#antiEntropy.consider()
    this.#rounds.changed()
  }
}
