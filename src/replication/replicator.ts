/**
 * Replication: carries this replica's operations to the others and theirs to it, over transports
 * that may lose, repeat and reorder. This file composes the parts and decides nothing by itself:
 *
 *     own appends ─► broadcaster ─► transports          transports ─► inbox ─► reception ─► admission ─► store
 *                                                                                 │
 *                                digests, both ways ◄─────────────────────────────┤ what do they have, what do we lack
 *                                anti-entropy: requests ─► answers ◄──────────────┤
 *                                snapshots: fetch ─► offer ◄──────────────────────┘ behind what has been compacted
 *
 * Every reaction to the network enqueues; the work is done in slices between which the event loop
 * turns. Every queue has a bound, and whatever is dropped is repaired by anti-entropy, so two
 * replicas that can exchange frames converge within a few rounds of digests. Per digest interval a
 * replica tells of its digest at most four times, and sends each peer at most four in reply. While
 * nothing differs it says next to nothing (`anti-entropy/telling.ts`).
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Env } from '../ports/env.ts'
import type { Recorder } from '../ports/recorder.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { Broadcaster } from './broadcaster.ts'
import type { ReplicationEvent, ReplicationObserver } from './events.ts'
import { type ReplicationOptions, type ReplicationSettings, replicationSettings } from './options.ts'
import type { Link } from './peers.ts'
import type { ReplicationProgress } from './reception/catching-up.ts'
import { OwnOperations } from './own-operations.ts'
import { Post } from './reception/post.ts'
import { Reception } from './reception/reception.ts'
import type { CompactionBlock, QueueFill } from './replication-report.ts'
import { type PeerReport, type ReplicationStats, peerReports } from './replication-stats.ts'
import type { RegionReport } from './regions/region-table.ts'
import type { CarriedLane } from './regions/regions.ts'
import type { RegionPlan } from './regions/region-plan.ts'
import type { ReplicaAcknowledgements } from '../store/write-road/acknowledgement.ts'
import type { ReplicationStore } from './store.ts'
import type { CopyTalkPort } from '../ports/talk/copy-talk.ts'
import type { LoadTalkPort } from '../ports/talk/load-talk.ts'
import type { LeaseTalkPort } from '../ports/talk/lease-times.ts'
import type { MessageTalkPort } from '../ports/talk/message-talk.ts'
import type { Transport, TransportLink, TransportReceiver } from '../ports/transport.ts'

/**
 * A transport must carry frames of this size, splitting them if need be: digests of many replicas
 * are this large.
 */
export const TRANSPORT_FRAME_BYTES_MIN: number = 256 * 1024

export interface ReplicatorOptions {
  readonly store: ReplicationStore
  readonly env: Env
  readonly transports: readonly Transport[]
  /** Its region, and how to reach others, if it relays. Default: it knows of no regions. */
  readonly regions?: RegionPlan
  readonly options?: ReplicationOptions
  /** For people, at most 64 characters; shown by peers. */
  readonly name?: string
  /** Where this replica runs; `acks: { zones }` counts zones. */
  readonly zone?: string
  readonly observe?: ReplicationObserver
  /** Told of what is measured; without it nothing is. */
  readonly recorder?: Recorder | undefined
}

export class Replicator {
  readonly #options: ReplicatorOptions
  readonly #settings: ReplicationSettings
  readonly #post: Post
  readonly #reception: Reception
  #broadcaster: Broadcaster | undefined
  #state: 'new' | 'starting' | 'running' | 'closed' = 'new'
  #closing: Promise<void> | undefined

  readonly #observe = (event: ReplicationEvent): void => {
    this.#options.observe?.(event)
  }

  /** Throws `WARP_E_CONFIG`. */
  static checkOptions(options: ReplicationOptions): void {
    replicationSettings(options)
  }

  /** Throws `WARP_E_CONFIG`. Nothing happens before `start`. */
  constructor(options: ReplicatorOptions) {
    this.#settings = replicationSettings(options.options)
    this.#options = options
    const { store, env } = options
    const { region = '', ends = [] } = options.regions ?? {}
    const relayed = ends.length > 1 ? ends.map((end) => end.region) : []
    const self = { name: options.name ?? '', zone: options.zone ?? '', region, relayed }
    this.#post = new Post({ store, env, self, observe: this.#observe, recorder: options.recorder })
    this.#reception = new Reception({
      ...{ store, env, settings: this.#settings, observe: this.#observe, post: this.#post },
      onResume: () => this.appended(),
    })
  }

  /**
   * Opens the transports. Rejects if one cannot be opened or `signal` fires, and has then closed
   * the others.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'new') throw new WarpError('WARP_E_CLOSED', 'a replicator is started once')
    this.#state = 'starting'
    try {
      const { transports, regions } = this.#options
      const [, ...others] = regions?.ends ?? []
      for (const end of [{ region: regions?.region ?? '', transports }, ...others]) {
        for (const transport of end.transports) {
          throwIfAborted(signal)
          await this.#open(transport, end.region)
        }
      }
      throwIfAborted(signal)
    } catch (error) {
      await this.close()
      throw error
    }
    if (this.#isClosed()) throw closedMeanwhile()
    this.#run()
  }

  /** The store has appended, or records have become sendable. Cheap; call it each time. */
  appended(): void {
    this.#broadcaster?.wake()
    this.#reception.regions.appended()
  }

  /** Sends what can be sent, says good-bye to the transports, settles everything. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Whether operations of this replica are sent; not before a peer has been heard. */
  get isJoined(): boolean {
    return this.#reception.isJoined
  }

  /** For how long this replica means to be away when it is closed in order. */
  get awayMs(): number {
    return this.#settings.awayMs
  }

  /** Waits until other replicas hold what is written here. */
  get acknowledgements(): ReplicaAcknowledgements {
    return this.#reception.acknowledgements
  }

  /** Tells others how long leases have left, and hears it of them. */
  get leases(): LeaseTalkPort {
    return this.#reception.leases
  }

  /** Asks others to load, and hands on what they ask. */
  get loads(): LoadTalkPort {
    return this.#reception.loads
  }

  /** Asks others what copies they hold, and hands on what they ask. */
  get copies(): CopyTalkPort {
    return this.#reception.copies
  }

  /** Sends messages of channels, and hands on what comes. */
  get messages(): MessageTalkPort {
    return this.#reception.messages
  }

  peers(): PeerReport[] {
    const { env, store } = this.#options
    const heard = peerReports(this.#reception.peers.all(), this.#post.links, store.applied, env.monotonic())
    return [...heard, ...this.#reception.regions.peerReports()]
  }

  /** Every region of which a replica is known, and how far it is behind. */
  regions(): RegionReport[] {
    return this.#reception.regions.reports()
  }

  /** What this relay may carry, and whether it does. */
  relays(): CarriedLane[] {
    return this.#reception.regions.lanes()
  }

  /** Every replica that has taken part, or may, but this one. */
  members(): { readonly replica: ReplicaId; readonly name: string }[] {
    return this.#reception.members()
  }

  stats(): ReplicationStats {
    return {
      sentFrames: this.#post.sentFrames,
      sentBytes: this.#post.sentBytes,
      broadcastOperations: this.#broadcaster?.operationCount ?? 0,
      relayedOperations: this.#reception.regions.carriedCount,
      ...this.#reception.stats(),
    }
  }

  /** Whether this replica has what the others have told of. */
  progress(): ReplicationProgress {
    return this.#reception.progress()
  }

  /** How full each bounded queue is. */
  queues(): QueueFill[] {
    return this.#reception.queues()
  }

  /** What other replicas have to say before compaction can go on. */
  compactionBlock(): CompactionBlock {
    return this.#reception.compactionBlock()
  }

  #run(): void {
    const { store, env } = this.#options
    this.#state = 'running'
    this.#broadcaster = new Broadcaster({
      ...{ store, env, settings: this.#settings, observe: this.#observe, post: this.#post },
      source: new OwnOperations(store, this.#reception, this.#post.links),
    })
    this.#reception.start()
  }

  async #open(transport: Transport, region: string): Promise<void> {
    // What comes before `open` has resolved is lost, as on any bad day; digests repeat it.
    const index = this.#post.links.length
    const reception = this.#reception
    const receiver: TransportReceiver = {
      get isBusy() {
        return reception.isBusy
      },
      receive: (from, bytes) => this.#via(index, (via) => this.#reception.receive(via, from, bytes)),
      peerUp: (address) => this.#via(index, (via) => this.#reception.peerUp(via, address)),
      peerDown: (address) => this.#via(index, (via) => this.#reception.peerDown(via, address)),
      report: (report) => this.#observe({ ...report, transport: transport.name }),
    }
    const link = await transport.open(receiver)
    if (this.#isClosed()) {
      await link.close()
      throw closedMeanwhile()
    }
    this.#post.opened({ index, name: transport.name, link }, region)
    checkLink(transport, link)
  }

  #via(index: number, act: (via: Link) => void): void {
    const via = this.#post.links[index]
    if (via !== undefined && !this.#isClosed()) act(via)
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  async #close(): Promise<void> {
    this.#broadcaster?.close()
    this.#reception.close()
    this.#state = 'closed'
    const closings = await Promise.allSettled(this.#post.links.map(({ link }) => link.close()))
    closings.forEach((closing, i) => {
      const via = this.#post.links[i]
      if (closing.status === 'rejected' && via !== undefined) this.#post.failed(via, closing.reason)
    })
  }
}

function checkLink(transport: Transport, link: TransportLink): void {
  if (link.frameBytesMax >= TRANSPORT_FRAME_BYTES_MIN) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `transport ${transport.name} takes frames of ${link.frameBytesMax} bytes; replication needs ` +
      `${TRANSPORT_FRAME_BYTES_MIN}; let the transport split larger frames`,
    { details: { transport: transport.name, frameBytesMax: link.frameBytesMax } },
  )
}

function closedMeanwhile(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'replication was closed while it started')
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new WarpError('WARP_E_ABORTED', 'replication was aborted while it started', { cause: signal.reason })
}
