/**
 * Causal stability (Baquero, Almeida, Shoker 2014): a dot is stable when every member has applied
 * it and nothing concurrent with it can still arrive. Then its place in every fold is final, and
 * compaction may put it into a snapshot.
 *
 * The stable vector is the pointwise minimum of what we have applied and of each member's usable
 * acknowledgement (see known-replicas.ts for when one is usable). It only grows while membership
 * does not. O(members × replicas), so it is computed with digests and not with operations.
 *
 * One replica's word is not enough: a newcomer that it has not heard of may be joining through
 * another one. So what is stable here is announced, and only what every member has announced may be
 * compacted. A newcomer must have seen what the member through which it joins has announced (see
 * joining.ts); therefore nothing that it writes is concurrent with what anybody has compacted. A
 * replica that has met no other one announces what it has compacted, and may compact all that it
 * has. One that has, and hears nobody any more, compacts nothing: it is the one that is cut off,
 * and could not be told afterwards what the others did with what it has folded.
 *
 * A newcomer announces at once what the one announces through which it joins (`joined`). It cannot
 * ask the dead what they had acknowledged: if it waited for them for the horizon, and died before
 * that was over, it would hold all others back with them, and so would the next one.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { MEMBERS_MANY, VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { ReplicationObserver } from '../events.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Digest, Confirmation, MemberRow, RollCall } from '../wire/frames.ts'
import { KnownReplicas, MEMBERS_MAX, strip, type GoneReason, type KnownReplica, type Lack } from './known-replicas.ts'
import type { ReplicationStore } from '../store.ts'

/** Who has a log in memory cannot come back with it: what it had and others lack is gone with it. */
const VOLATILE_HORIZON_MS = 10 * 60_000

/** Rounds of silence after which who was given up by an operator is waited for no more. */
const EVICTED_ROUNDS = 10

/** A relay hears a member of which it has heard something within so many rounds. */
const HEARD_ROUNDS = 10

export type StabilitySettings = Pick<ReplicationSettings, 'horizonMs' | 'digestIntervalMs'>

/** The replica has met others and hears none, or there are more replicas than are kept track of. */
export type Standstill = 'cut-off' | 'too-many-replicas'

/**
 * Follows who there is and what they have acknowledged, and tells the store what has become stable.
 */
export class Stability {
  readonly #store: ReplicationStore
  readonly #settings: StabilitySettings
  readonly known: KnownReplicas
  #stable = new VersionVector()
  #compactable = new VersionVector()
  readonly #observe: ReplicationObserver
  #toldOfMany = false

  constructor(store: ReplicationStore, settings: StabilitySettings, observe: ReplicationObserver) {
    this.#store = store
    this.#settings = settings
    this.#observe = observe
    this.known = new KnownReplicas({
      horizonMs: settings.horizonMs,
      whyGone: (member, nowMs) => this.#whyGone(member, nowMs),
      onGone: ({ replica, name }, reason) =>
        observe({ kind: 'member:gone', replica, reason, ...(name === '' ? {} : { name }) }),
      onOverflow: (limit) => observe({ kind: 'member:overflow', limit }),
    })
  }

  get memberCount(): number {
    return this.known.count
  }

  /** Why nothing more can become stable, whatever the members say; `undefined` if it can. */
  get standstill(): Standstill | undefined {
    if (this.known.overflowed) return 'too-many-replicas'
    return this.#store.hasMetOthers && this.known.present().next().done === true ? 'cut-off' : undefined
  }

  /** The members that hold back compaction, as of the last digest of this replica. */
  *lacking(): IterableIterator<KnownReplica & { readonly lack: Lack }> {
    for (const member of this.known.present()) if (hasLack(member)) yield member
  }

  /** The replicas that this one hears itself, for its digests. */
  heardReplicas(): ReplicaId[] {
    const heard: ReplicaId[] = []
    for (const { replica, heardDirectly } of this.known.present()) {
      if (heardDirectly && heard.length < VECTOR_ENTRIES_MAX) heard.push(replica)
    }
    return heard
  }

  /** What this replica announces: acknowledged by all members that it knows. */
  get announced(): VersionVector {
    return this.#stable
  }

  heard(replica: ReplicaId, nowMs: number): void {
    // What comes of one that has been pruned is late.
    if (replica === this.#store.replica || this.#store.ended.isPruned(replica)) return
    this.known.heard(replica, nowMs)
    if (!this.#store.hasMetOthers) this.#store.metOthers()
  }

  /** `replica` has sent a digest. */
  digest(replica: ReplicaId, digest: Digest, nowMs: number): void {
    this.known.seen(digest.applied, nowMs)
    for (const named of digest.heard) this.known.named(named, nowMs)
    if (replica !== this.#store.replica) this.known.acknowledged(replica, digest.applied)
    const member = this.known.get(replica)
    member?.stable.join(digest.stable)
    if (member !== undefined) member.said = { applied: digest.applied, retired: digest.retired }
    if (digest.applied.dominates(this.#store.floor)) this.known.returned(replica)
    this.known.forget(this.#store.replica)
  }

  /**
   * This replica, which is new, has joined, and hears `sponsor`. If it has seen what that announces,
   * it announces it as well: so who joins through it from now on must have seen it, too. Not if it
   * knows of operations by somebody whom the sponsor does not know: that one may have seen less.
   */
  joined(sponsor: ReplicaId, { stable, heard, applied }: Digest, seen: VersionVector | undefined): void {
    if (seen?.dominates(stable) !== true) return
    const waitedFor = new Set([sponsor, ...heard])
    for (const { replica, sequence } of this.known.present())
      if (sequence > 0 && !waitedFor.has(replica) && applied.get(replica) === 0) return
    this.#stable.join(stable)
  }

  /**
   * A relay has told what a member says that it hears: what has risen in what that member has
   * acknowledged and announced. It is taken as if the member had said it here.
   */
  relayed(row: MemberRow, heardMs: number): void {
    const { ended, floor, replica: self } = this.#store
    const { replica, isPersistent, name, through } = row
    if (replica === self || ended.isPruned(replica)) return
    const member = this.known.relayed(replica, heardMs)
    if (member === undefined) return
    this.known.says(replica, { highest: row.format, name, isPersistent })
    const acknowledged = ended.stripped(row.acknowledged).copy()
    acknowledged.raise(replica, through)
    this.known.acknowledgedSome(replica, acknowledged)
    member.stable.join(ended.stripped(row.stable))
    const retired = row.ended.filter(([id]) => !ended.isPruned(id))
    member.said = { applied: VersionVector.from(retired.filter(([, end]) => end > 0)), retired }
    // The relay may wait longer for who is silent than this replica does.
    if (row.silentMs > this.#settings.digestIntervalMs * HEARD_ROUNDS) return
    const all = member.acknowledged.copy()
    all.join(acknowledged)
    if (all.dominates(floor)) this.known.returned(replica)
  }

  /** `replica` has sent a confirmation for this replica's operations. */
  confirmation(replica: ReplicaId, { applied, own, stable }: Confirmation): void {
    const { replica: self } = this.#store
    const some = VersionVector.from([
      [self, applied],
      [replica, own],
    ])
    this.known.acknowledgedSome(replica, some)
    this.known.get(replica)?.stable.raise(self, stable)
  }

  /**
   * `writer` has sent a roll call: what the others say of its operations, of each with the last
   * operation of its own by then. It is taken as if they had said it here.
   */
  rollCall(
    writer: ReplicaId,
    { acknowledged, stable, announced }: RollCall,
    others: Iterable<readonly [replica: ReplicaId, own: number]>,
  ): void {
    this.known.acknowledgedSome(writer, VersionVector.from([[writer, acknowledged]]))
    this.known.get(writer)?.stable.raise(writer, stable)
    for (const [replica, own] of others) {
      if (replica === this.#store.replica || replica === writer) continue
      const some = VersionVector.from([
        [writer, acknowledged],
        [replica, own],
      ])
      this.known.acknowledgedSome(replica, some)
      this.known.get(replica)?.stable.raise(writer, announced)
    }
  }

  /** How far all of `others` have acknowledged this replica's operations, and announced them. */
  rollOf(others: readonly ReplicaId[]): Pick<RollCall, 'acknowledged' | 'stable' | 'announced'> {
    const { replica: self, applied } = this.#store
    const stable = this.#stable.get(self)
    let [acknowledged, announced] = [applied.get(self), stable]
    for (const replica of others) {
      const member = this.known.get(replica)
      acknowledged = Math.min(acknowledged, member?.acknowledged.get(self) ?? 0)
      announced = Math.min(announced, member?.stable.get(self) ?? 0)
    }
    return { acknowledged, stable, announced }
  }

  /** The writers of the operations that `member` has yet to acknowledge, or to announce. */
  *lackedWriters(member: KnownReplica): IterableIterator<ReplicaId> {
    for (const [replica, sequence] of this.#store.applied.entries())
      if (member.acknowledged.get(replica) < sequence) yield replica
    for (const [replica, sequence] of this.#stable.entries()) if (member.stable.get(replica) < sequence) yield replica
  }

  /** Ids have been pruned. */
  forgetPruned(): void {
    const { ended } = this.#store
    this.known.forgetPruned(ended)
    for (const vector of [this.#stable, this.#compactable]) strip(vector, ended)
  }

  /**
   * With each digest that goes out. `mayStabilise`: the store is not in the middle of a snapshot.
   * Throws what the store cannot note for now; the next one tries it again.
   */
  advance(nowMs: number, mayStabilise: boolean): void {
    const { applied, replica } = this.#store
    this.known.seen(applied, nowMs)
    this.known.forget(replica)
    this.known.expire(nowMs)
    this.#watchCount()
    if (!mayStabilise || this.known.overflowed) return
    this.known.settle(applied)
    const members = [...this.known.present()]
    const isAlone = members.length === 0
    if (isAlone && this.#store.hasMetOthers) return
    const isAnnounced = this.#store.compacts && !isAlone
    this.#stable.join(
      isAnnounced
        ? stableVector(
            applied,
            members.map((member) => member.acknowledged),
          )
        : this.#store.floor,
    )
    if (isAnnounced) for (const member of members) this.#noteLack(member, nowMs)
    const compactable = isAlone
      ? applied
      : stableVector(
          this.#stable,
          members.map((member) => member.stable),
        )
    if (compactable.size === 0 || this.#compactable.dominates(compactable)) return
    this.#stabilise(compactable)
  }

  /** How many take part, this replica counted. */
  get presentCount(): number {
    let count = 1
    for (const _ of this.known.present()) count++
    return count
  }

  #watchCount(): void {
    const { presentCount: count } = this
    if (count < MEMBERS_MANY) this.#toldOfMany = false
    else if (!this.#toldOfMany) {
      this.#toldOfMany = true
      this.#observe({ kind: 'members:many', count, limit: MEMBERS_MAX })
    }
  }

  #stabilise(compactable: VersionVector): void {
    const before = this.#compactable
    // What is pruned on the way goes from it at once.
    this.#compactable = compactable.copy()
    try {
      this.#store.stabilise(this.#compactable, [...this.known.away()])
    } catch (error) {
      this.#compactable = before
      throw error
    }
  }

  #whyGone({ replica, heardMs, heardDirectly, isVolatile }: KnownReplica, nowMs: number): GoneReason | undefined {
    const { departures, applied, retired } = this.#store
    const departure = departures.of(replica)
    if (departure === 'left') return departure
    // It has ended already: vectors name it, also those of before this process.
    if (!heardDirectly && retired.endOf(replica) !== Infinity) return 'silent'
    const { horizonMs, digestIntervalMs } = this.#settings
    const silentMs = nowMs - heardMs
    // Who is given up and is there all the same says so: it goes on under another id.
    if (departure === 'evicted' && silentMs > digestIntervalMs * EVICTED_ROUNDS) return departure
    const awayMs = departures.awayMs(replica, applied)
    const waitedMs = awayMs ?? (isVolatile ? Math.min(VOLATILE_HORIZON_MS, horizonMs) : horizonMs)
    if (silentMs <= waitedMs) return undefined
    return awayMs === undefined ? 'silent' : 'away'
  }

  #noteLack(member: KnownReplica, nowMs: number): void {
    const before = member.lack
    const acknowledged = compare(this.#store.applied, member.acknowledged)
    const isAcknowledged = acknowledged.missingCount === 0
    const { saidCount, missingCount } = isAcknowledged ? compare(this.#stable, member.stable) : acknowledged
    if (missingCount === 0) {
      member.lack = undefined
      return
    }
    const of = isAcknowledged ? 'announcement' : 'acknowledgement'
    const isStill = before?.of === of && before.saidCount === saidCount
    member.lack = { of, saidCount, missingCount, sinceMs: isStill ? before.sinceMs : nowMs }
  }
}

/** Of the first vector, how many operations the second has, and how many not. */
function compare(
  all: VersionVector,
  said: VersionVector,
): { readonly saidCount: number; readonly missingCount: number } {
  let [saidCount, missingCount] = [0, 0]
  for (const [replica, sequence] of all.entries()) {
    const through = Math.min(sequence, said.get(replica))
    saidCount += through
    missingCount += sequence - through
  }
  return { saidCount, missingCount }
}

function hasLack(member: KnownReplica): member is KnownReplica & { readonly lack: Lack } {
  return member.lack !== undefined
}

/** The pointwise minimum. */
export function stableVector(applied: VersionVector, acknowledged: readonly VersionVector[]): VersionVector {
  const stable = new VersionVector()
  for (const [replica, sequence] of applied.entries()) {
    let least = sequence
    for (const vector of acknowledged) {
      least = Math.min(least, vector.get(replica))
      if (least === 0) break
    }
    stable.raise(replica, least)
  }
  return stable
}
