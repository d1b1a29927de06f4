/**
 * Regions: replicas that hear each other over their own transports, and hear of the others through
 * relays. This file composes the parts:
 *
 *     hellos, rows of relays ─► region table      who is where, how far each region is behind
 *     a relay, for each region that it sits in:
 *       operations of the others ─► lane ─► broadcaster ─► that region's transports
 *       words of their members  ─► member telling ─────►
 *
 * A relay is a replica like any other, on the transports of several regions: it takes part in each, and
 * anti-entropy alone would bring everything across. The lanes bring it at once, and once; whoever still
 * lacks something asks near ones first, and a relay only when it has waited for a while
 * (`anti-entropy/patience.ts`).
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { Broadcaster } from '../broadcaster.ts'
import type { ReplicationObserver } from '../events.ts'
import { strip, type KnownReplicas } from '../members/known-replicas.ts'
import type { Stability } from '../members/stability.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Link, Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { PeerReport } from '../replication-stats.ts'
import type { ReplicationStore } from '../store.ts'
import type { MemberRow } from '../wire/frames.ts'
import { Election } from './election.ts'
import { Group } from './group.ts'
import { Lane } from './lane.ts'
import { MemberTelling } from './member-telling.ts'
import { RegionTable, type RegionReport } from './region-table.ts'

export interface RegionsParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
  readonly peers: Peers
  readonly stability: () => Stability
  /** Nothing is sent for now. */
  readonly isPaused: () => boolean
  /** What this replica says of itself has changed. */
  readonly tell: () => void
}

/** From one region into another, by this relay. */
export interface CarriedLane {
  readonly from: string
  readonly to: string
  /** It carries; else another relay does, or it has yet to begin. */
  readonly isWorking: boolean
}

/** By then the hellos and digests of those that are there have come: who relays, and who has what. */
const READY_ROUNDS = 3

interface Carrying {
  readonly group: Group
  readonly lane: Lane
  readonly broadcaster: Broadcaster
  readonly telling: MemberTelling
}

export class Regions {
  readonly #parts: RegionsParts
  readonly #table: RegionTable
  readonly #groups = new Map<string, Group>()
  #carrying: readonly Carrying[] = []
  readonly #conflicts = new WeakSet<Peer>()
  #startedMs = Infinity
  #ready: Timer | undefined

  constructor(parts: RegionsParts) {
    const { store, peers, observe, post, settings } = parts
    this.#parts = parts
    const members = (): KnownReplicas => parts.stability().known
    const silentMs = Math.max(settings.peerSilentMs, settings.digestIntervalMs * READY_ROUNDS) * 2
    this.#table = new RegionTable({ store, peers, members, observe, region: post.self.region, silentMs })
  }

  /** The transports are open. */
  start(): void {
    this.#startedMs = this.#parts.env.monotonic()
    const { post } = this.#parts
    if (!post.isRelay) return
    for (const region of post.self.relayed) this.#groups.set(region, new Group(region))
    for (const via of post.links) this.#groupOf(via)?.links.push(via)
    this.#carrying = [...this.#groups.values()].map((group) => this.#carry(group))
    this.#ready = this.#parts.env.schedule(this.#readyMs, () => this.#settle())
  }

  close(): void {
    this.#ready?.cancel()
    for (const { broadcaster } of this.#carrying) broadcaster.close()
  }

  /** Operations that were carried from one region into another. */
  get carriedCount(): number {
    return this.#carrying.reduce((count, { broadcaster }) => count + broadcaster.operationCount, 0)
  }

  reports(): RegionReport[] {
    return this.#table.reports(this.#now())
  }

  /** What this relay may carry, as of the last look. */
  lanes(): CarriedLane[] {
    const { store, post } = this.#parts
    return this.#carrying.flatMap(({ group, lane }) =>
      [...lane.winners].map(([from, winner]) => ({
        ...{ from, to: group.region, isWorking: !post.carriesNothing && winner === store.replica },
      })),
    )
  }

  /** Members that are heard through relays only. */
  peerReports(): PeerReport[] {
    return this.#table.peerReports(this.#now())
  }

  /** Something may have become sendable. Cheap. */
  appended(): void {
    this.#settle()
    for (const { broadcaster } of this.#carrying) broadcaster.wake()
  }

  /**
   * An operation has come from `peer`, asked for or not: the region of the link has all of its writer
   * up to there, unless a relay has given it to this replica alone.
   */
  arrived(peer: Peer, isAsked: boolean, replica: ReplicaId, sequence: number): void {
    if (isAsked) for (const { lane } of this.#carrying) lane.fetched(replica, sequence, peer.has.get(replica))
    if (this.#carrying.length === 0 || (isAsked && peer.isRelay)) return
    this.#groupOf(peer.via)?.carried.raise(replica, sequence)
  }

  /** `peer` has said who it is. */
  hello(peer: Peer): void {
    this.#table.hello(peer)
    this.#checkRegion(peer)
    this.#look()
  }

  /** A relay tells of members. */
  members(peer: Peer, rows: readonly MemberRow[]): void {
    const now = this.#now()
    const stability = this.#parts.stability()
    for (const row of rows) {
      stability.relayed(row, now - row.silentMs)
      this.#table.take(peer, row, now - row.silentMs)
    }
  }

  up(peer: Peer): void {
    for (const { group, telling } of this.#carrying) if (group.links.includes(peer.via)) telling.forget()
    this.#look()
  }

  down(peer: Peer): void {
    this.#table.down(peer, this.#now())
    this.#look()
  }

  /** With each round, when this replica has said what it has to. */
  beat(nowMs: number): void {
    this.#table.look(nowMs)
    this.#settle()
    this.#look()
    if (this.#parts.post.carriesNothing) return
    for (const { telling } of this.#carrying) telling.beat(nowMs)
  }

  forgetPruned(): void {
    const { ended } = this.#parts.store
    this.#table.forgetPruned()
    for (const { carried } of this.#groups.values()) strip(carried, ended)
    for (const { lane } of this.#carrying) lane.forgetPruned()
  }

  #now(): number {
    return this.#parts.env.monotonic()
  }

  #groupOf(via: Link): Group | undefined {
    const { post } = this.#parts
    return this.#groups.get(post.regionOf(via))
  }

  /** A relay that has just come up does not know yet who works. */
  #isPaused(): boolean {
    return this.#parts.isPaused() || this.#now() - this.#startedMs < this.#readyMs
  }

  get #readyMs(): number {
    return this.#parts.settings.digestIntervalMs * READY_ROUNDS
  }

  /**
   * Whether this relay carries, and whether others may count on it, is one thing: they are told in the
   * turn in which it begins or stops. Until they have heard it two carry, and none does harm.
   */
  #settle(): void {
    const { post, tell } = this.#parts
    const carriesNothing = post.isRelay && this.#isPaused()
    if (post.carriesNothing === carriesNothing) return
    post.carriesNothing = carriesNothing
    tell()
    this.#look()
    for (const { broadcaster } of this.#carrying) broadcaster.wake()
  }

  #look(): void {
    for (const { lane, broadcaster } of this.#carrying) {
      const from = lane.look()
      if (from !== undefined) broadcaster.rewind(from)
    }
  }

  #carry(group: Group): Carrying {
    const { store, env, settings, observe, post, peers } = this.#parts
    const election = new Election(peers, () => ({ replica: store.replica, relayed: post.self.relayed }))
    const lane = new Lane({
      ...{ store, peers, election, group, observe },
      regionOf: (replica) => this.#table.regionOf(replica),
      regions: () => this.#table.regions(),
      isPaused: () => post.carriesNothing || this.#isPaused(),
    })
    const telling = new MemberTelling({
      members: () => this.#parts.stability().known,
      describe: (replica, nowMs) => this.#table.describe(replica, nowMs),
      tells: (replica) => lane.carries(replica),
      send: (rows) => {
        const frame = post.encoder.members(rows)
        for (const via of group.links) post.broadcastOver(via, frame)
      },
    })
    const broadcaster = new Broadcaster({ store, env, settings, observe, post, source: lane })
    return { group, lane, broadcaster, telling }
  }

  /** Whoever is heard over a region's transports is at home there, or relays to it. */
  #checkRegion(peer: Peer): void {
    const here = this.#parts.post.regionOf(peer.via)
    const { region = '', relayed = [] } = peer.hello ?? {}
    if (here === '' || region === '' || region === here || relayed.includes(here) || this.#conflicts.has(peer)) return
    this.#conflicts.add(peer)
    this.#parts.observe({ kind: 'region:conflict', peer: peer.name, region, here })
  }
}
