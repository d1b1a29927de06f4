/**
 * Which replica is in which region, and how far each region is behind: by the hellos of those that
 * are heard, and by what relays tell of the others.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { ReplicationObserver } from '../events.ts'
import type { KnownReplicas } from '../members/known-replicas.ts'
import { strip } from '../members/known-replicas.ts'
import { missingCount, type Peer, type Peers } from '../peers.ts'
import type { DescribedMember } from './member-telling.ts'
import type { PeerReport } from '../replication-stats.ts'
import type { ReplicationStore } from '../store.ts'
import type { Hello, MemberRow } from '../wire/frames.ts'

export interface RegionTableParts {
  readonly store: ReplicationStore
  readonly peers: Peers
  readonly members: () => KnownReplicas
  readonly observe: ReplicationObserver
  /** Its own; empty: none. */
  readonly region: string
  /** For so long a member may say nothing until it counts as down. */
  readonly silentMs: number
}

/** A region, as it is seen from here. */
export interface RegionReport {
  readonly region: string
  /** Replicas of it that are up, this one not counted. */
  readonly upCount: number
  /**
   * How many operations the replica of it lacks that is furthest behind, of those that are here and of
   * the replicas that are up, or of all if none is; absent until one has told what it has.
   */
  readonly lagCount?: number
  /** Since something was last heard of one of its replicas, itself or through a relay. */
  readonly silentMs: number
  /** Relays that are up and sit in it, this one not counted. */
  readonly relaysCount: number
}

/** Of two rows that differ by less, the later one counts: what they say was under way for unlike times. */
const JITTER_MS = 1000

/** A member that is heard through a relay. */
interface Distant {
  readonly row: Pick<MemberRow, 'name' | 'zone' | 'region' | 'format'>
  readonly has: VersionVector
  readonly by: Peer
  readonly heardMs: number
  /** The relay says so. */
  readonly isDown: boolean
}

/** What is heard without a relay in between. */
interface View {
  readonly seen: ReadonlySet<ReplicaId>
  /** The regions in which relays sit that are heard. */
  readonly relayed: ReadonlySet<string>
}

interface Seen {
  readonly isUp: boolean
  readonly silentMs: number
  readonly has: VersionVector | undefined
  readonly relayed: readonly string[]
}

export class RegionTable {
  readonly #parts: RegionTableParts
  readonly #distant = new Map<ReplicaId, Distant>()
  /** Hellos; kept while their senders are members. */
  readonly #said = new Map<ReplicaId, Pick<Hello, 'region' | 'zone'>>()
  /** Those that were heard here and went down, and when. */
  readonly #lost = new Map<ReplicaId, number>()
  /** The regions of which somebody was up at the last look. */
  #up: ReadonlySet<string> = new Set()

  constructor(parts: RegionTableParts) {
    this.#parts = parts
  }

  /** Empty if it is not known. */
  regionOf(replica: ReplicaId): string {
    const { store, region } = this.#parts
    if (replica === store.replica) return region
    return (this.#said.get(replica) ?? this.#distant.get(replica)?.row)?.region ?? ''
  }

  /** All that are known, this replica's own among them. */
  regions(): ReadonlySet<string> {
    const regions = new Set([this.#parts.region])
    for (const { region } of this.#said.values()) regions.add(region)
    for (const { row } of this.#distant.values()) regions.add(row.region)
    regions.delete('')
    return regions
  }

  /** What others are told of a member; its region and zone are empty if they are not known. */
  describe(replica: ReplicaId, nowMs: number): DescribedMember {
    const zone = (this.#said.get(replica) ?? this.#distant.get(replica)?.row)?.zone ?? ''
    return { region: this.regionOf(replica), zone, isDown: this.#isDown(replica, nowMs) }
  }

  /** Of a member that was neither heard nor told of since the start it is not known. */
  #isDown(replica: ReplicaId, nowMs: number): boolean {
    const view = this.#view()
    if (view.seen.has(replica)) return false
    const distant = this.#distant.get(replica)
    return distant === undefined ? this.#lost.has(replica) : !this.#mayBeUp(replica, distant, { nowMs, ...view })
  }

  /** `peer` has said who it is. */
  hello({ replica, hello }: Peer): void {
    if (replica !== undefined && hello !== undefined) this.#said.set(replica, hello)
  }

  /** `peer` is down. */
  down({ replica }: Peer, nowMs: number): void {
    if (replica !== undefined) this.#lost.set(replica, nowMs)
  }

  /** A relay has told of a member. */
  take(by: Peer, row: MemberRow, heardMs: number): void {
    const { store } = this.#parts
    if (row.replica === store.replica || store.ended.isPruned(row.replica)) return
    const known = this.#distant.get(row.replica)
    const has = known?.has ?? new VersionVector()
    has.join(row.acknowledged)
    has.raise(row.replica, row.through)
    if (known !== undefined && heardMs < known.heardMs - JITTER_MS) return
    const { name, zone, region, format, isDown } = row
    const lastMs = Math.max(heardMs, known?.heardMs ?? -Infinity)
    this.#distant.set(row.replica, { row: { name, zone, region, format }, has, by, heardMs: lastMs, isDown })
  }

  /** With each round: forgets who is no member, and tells which other regions have come and gone. */
  look(nowMs: number): void {
    const members = this.#parts.members()
    for (const table of [this.#distant, this.#said, this.#lost])
      for (const replica of [...table.keys()]) if (members.get(replica)?.gone !== false) table.delete(replica)
    const up = new Set<string>()
    for (const { region, upCount } of this.reports(nowMs)) if (upCount > 0) up.add(region)
    up.delete(this.#parts.region)
    for (const region of up) if (!this.#up.has(region)) this.#parts.observe({ kind: 'region:up', region })
    for (const region of this.#up) if (!up.has(region)) this.#parts.observe({ kind: 'region:down', region })
    this.#up = up
  }

  forgetPruned(): void {
    for (const { has } of this.#distant.values()) strip(has, this.#parts.store.ended)
  }

  /** Every region of which a replica is known, by name. */
  reports(nowMs: number): RegionReport[] {
    const { applied } = this.#parts.store
    const regions = new Map<string, Seen[]>()
    const note = (region: string, seen: Seen): void => {
      if (region !== '') regions.set(region, [...(regions.get(region) ?? []), seen])
    }
    for (const seen of this.#heard(nowMs)) note(seen.region, seen)
    for (const { distant, ...seen } of this.#unheard(nowMs)) note(distant.row.region, { ...seen, relayed: [] })
    const relays = [...regions.values()].flat().filter(({ isUp, relayed }) => isUp && relayed.length > 1)
    return [...regions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([region, seen]) => ({
        region,
        ...summedUp(seen, applied),
        relaysCount: relays.filter(({ relayed }) => relayed.includes(region)).length,
      }))
  }

  /** The members that are heard through relays only, beside the peers of `warp.peers()`. */
  peerReports(nowMs: number): PeerReport[] {
    const { applied } = this.#parts.store
    return [...this.#unheard(nowMs)].map(({ replica, distant, isUp, silentMs, has }) => {
      const { name, zone, region, format } = distant.row
      return {
        ...{ transport: distant.by.via.name, address: distant.by.address, replica, isRelayed: true, region, format },
        ...(name === '' ? {} : { name }),
        ...(zone === '' ? {} : { zone }),
        ...{ state: isUp ? 'up' : 'down', isLagging: false, silentMs, roles: [] },
        lagCount: missingCount(has, applied),
      }
    })
  }

  *#heard(nowMs: number): IterableIterator<Seen & { readonly region: string }> {
    for (const { replica, isUp, heardMs, has, floor, hello } of this.#parts.peers.all()) {
      if (replica === undefined || hello === undefined) continue
      const told = floor === undefined ? undefined : has
      yield { region: hello.region, isUp, silentMs: nowMs - heardMs, has: told, relayed: hello.relayed }
    }
  }

  *#unheard(nowMs: number): IterableIterator<{
    readonly replica: ReplicaId
    readonly distant: Distant
    readonly isUp: boolean
    readonly silentMs: number
    readonly has: VersionVector
  }> {
    const view = this.#view()
    for (const [replica, distant] of this.#distant) {
      if (view.seen.has(replica)) continue
      const isUp = this.#mayBeUp(replica, distant, { nowMs, ...view })
      yield { replica, distant, isUp, silentMs: nowMs - distant.heardMs, has: distant.has }
    }
  }

  /**
   * Whether a member is up, by all that is known: its relay has not said otherwise, and not long ago, and a
   * relay is there that could say so. Where none is, the member is out of reach at once.
   */
  #mayBeUp(replica: ReplicaId, distant: Distant, { nowMs, relayed }: View & { readonly nowMs: number }): boolean {
    const { row, by, isDown, heardMs } = distant
    if (isDown || nowMs - heardMs > this.#parts.silentMs) return false
    // It was heard here, and is lost: a relay may hear it on.
    if ((this.#lost.get(replica) ?? -Infinity) > heardMs - JITTER_MS) return false
    // Who told of it may sit in its region, or have heard of it from a relay further on.
    return by.hello?.relayed.includes(row.region) === true ? relayed.has(row.region) : relayed.size > 0
  }

  #view(): View {
    const [seen, relayed] = [new Set<ReplicaId>(), new Set<string>()]
    for (const { replica, isUp, isRelay, hello } of this.#parts.peers.all()) {
      if (replica === undefined || !isUp) continue
      seen.add(replica)
      if (isRelay) for (const region of hello?.relayed ?? []) relayed.add(region)
    }
    return { seen, relayed }
  }
}

function summedUp(seen: readonly Seen[], applied: VersionVector): Omit<RegionReport, 'region' | 'relaysCount'> {
  const up = seen.filter(({ isUp }) => isUp)
  const counted = up.length === 0 ? seen : up
  const lags = counted.flatMap(({ has }) => (has === undefined ? [] : [missingCount(has, applied)]))
  return {
    upCount: up.length,
    silentMs: Math.round(Math.min(...seen.map(({ silentMs }) => silentMs))),
    ...(lags.length === 0 ? {} : { lagCount: Math.max(...lags) }),
  }
}
