/**
 * Which replicas there are, when each was last heard, and what each has acknowledged.
 *
 * Every replica id that appears in any vector is a member, so that membership spreads transitively:
 * a replica whose operation reached us through others counts as well as one that we hear ourselves,
 * and so does a replica that only reads, once anybody hears it. A member that has been silent
 * beyond the horizon, or has said that it leaves, is `gone`: it no longer holds back stability. One
 * that was silent comes back when it says that it has applied what was compacted meanwhile, or when
 * others have taken in something new of it. An id of an earlier incarnation leaves in the same way.
 *
 * Acknowledgements (what causal stability needs; Baquero, Almeida, Shoker 2014): a member's vector
 * V says that it has applied V, but its own earlier operations may have been written before it had,
 * and may still be under way. Once we hold its own operations up to V[member], whatever else
 * arrives from it was written after V. Only then is V used. A vector that cannot be used yet waits;
 * the oldest and the newest are kept, so that a member which writes all the time still makes
 * progress.
 *
 * Bounded at 4096 members. Beyond, the members that are gone make room; if there are none, nothing
 * is stable until there are fewer, because an untracked replica may lack anything.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Departure } from '../../operation/departures.ts'
import { FORMAT_LOWEST } from '../../operation/envelope/formats.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import type { Digest, Hello } from '../wire/frames.ts'

/** Takes what is pruned out of a vector that is kept. */
export function strip(vector: VersionVector, ended: EndedIds): void {
  const stripped = ended.stripped(vector)
  if (stripped !== vector) vector.assign(stripped)
}

export const MEMBERS_MAX: number = VECTOR_ENTRIES_MAX

/** Why a member is waited for no more. */
export type GoneReason = 'silent' | 'away' | Departure

export interface KnownReplica {
  readonly replica: ReplicaId
  /** Monotonic milliseconds: when it was heard, or a new operation of it was. */
  heardMs: number
  /** Whether its own frames have been heard, not only of it. */
  heardDirectly: boolean
  /** The highest sequence of it seen in any vector. */
  sequence: number
  gone: boolean
  /** It has left, and never counts again. */
  hasDeparted: boolean
  /** Its log is in memory, as it says: it cannot come back with what it had. */
  isVolatile: boolean
  /** The highest format that it reads, as far as it has said, and its name for people. */
  format: number
  name: string
  /** What it has applied, and nothing from it is still to come that had not seen this. */
  readonly acknowledged: VersionVector
  /** The last operation of its own when it acknowledged that. */
  through: number
  /** What it has announced as stable. */
  readonly stable: VersionVector
  /** What it has applied and where ids have ended for it, as it last said. */
  said: Pick<Digest, 'applied' | 'retired'> | undefined
  /** Acknowledgements that cannot be used yet, oldest first, at most two. */
  readonly waiting: VersionVector[]
  /** How it holds back compaction, if it does. */
  lack: Lack | undefined
}

/** What a member has still to say before compaction can go on. */
export interface Lack {
  /** That it has applied operations, or that it knows that all members have. */
  readonly of: 'acknowledgement' | 'announcement'
  readonly missingCount: number
  /** How many operations it has said that of. */
  readonly saidCount: number
  /** Monotonic milliseconds: since when it lacks something and has said nothing more. */
  readonly sinceMs: number
}

export interface KnownReplicasOptions {
  /** Why a member that counts is waited for no more from now on; `undefined` while it is. */
  readonly whyGone: (member: KnownReplica, nowMs: number) => GoneReason | undefined
  readonly onGone: (member: KnownReplica, reason: GoneReason) => void
  /** How long a member is remembered that found no room. */
  readonly horizonMs: number
  readonly onOverflow: (limit: number) => void
}

export class KnownReplicas {
  readonly #members = new Map<ReplicaId, KnownReplica>()
  readonly #options: KnownReplicasOptions
  /** When a member last found no room. */
  #refusedMs: number | undefined

  constructor(options: KnownReplicasOptions) {
    this.#options = options
  }

  /** Members that count, ourselves not among them. */
  *present(): IterableIterator<KnownReplica> {
    for (const member of this.#members.values()) if (!member.gone) yield member
  }

  /** Members that do not count any more. */
  *away(): IterableIterator<KnownReplica> {
    for (const member of this.#members.values()) if (member.gone) yield member
  }

  get(replica: ReplicaId): KnownReplica | undefined {
    return this.#members.get(replica)
  }

  get count(): number {
    return this.#members.size
  }

  /** Within the horizon there was a replica that could not be kept track of. */
  get overflowed(): boolean {
    return this.#refusedMs !== undefined
  }

  /** The replica itself was heard. */
  heard(replica: ReplicaId, nowMs: number): void {
    const member = this.#learn(replica, nowMs)
    if (member === undefined) return
    member.heardMs = nowMs
    member.heardDirectly = true
  }

  /** A relay has heard the replica: its words come through the relay. */
  relayed(replica: ReplicaId, heardMs: number): KnownReplica | undefined {
    const member = this.#learn(replica, heardMs)
    if (member === undefined) return undefined
    member.heardMs = Math.max(member.heardMs, heardMs)
    member.heardDirectly = true
    return member
  }

  /** The replica itself says what it reads, what people call it, and whether its log lasts. */
  says(replica: ReplicaId, { highest, name, isPersistent }: Pick<Hello, 'highest' | 'name' | 'isPersistent'>): void {
    const member = this.#members.get(replica)
    if (member === undefined) return
    member.format = highest
    member.name = name
    member.isVolatile = !isPersistent
  }

  /** A member that was gone has caught up with what was compacted meanwhile. */
  returned(replica: ReplicaId): void {
    const member = this.#members.get(replica)
    if (member !== undefined) member.gone = member.hasDeparted
  }

  /** The id was named by somebody who hears it. */
  named(replica: ReplicaId, nowMs: number): void {
    this.#learn(replica, nowMs)
  }

  /** Every id in `vector` is a member, and one whose sequence advanced is alive somewhere. */
  seen(vector: VersionVector, nowMs: number): void {
    for (const [replica, sequence] of vector.entries()) {
      const member = this.#learn(replica, nowMs)
      if (member === undefined || sequence <= member.sequence) continue
      member.sequence = sequence
      member.heardMs = nowMs
      member.gone = member.hasDeparted
    }
  }

  /** `replica` says that it has applied `vector`. */
  acknowledged(replica: ReplicaId, vector: VersionVector): void {
    const waiting = this.#members.get(replica)?.waiting
    if (waiting === undefined) return
    if (waiting.length === 2) waiting.pop()
    waiting.push(vector.copy())
  }

  /** The same of some operations only: what it has said of others still holds. */
  acknowledgedSome(replica: ReplicaId, some: VersionVector): void {
    const waiting = this.#members.get(replica)?.waiting
    if (waiting === undefined) return
    if (waiting.length === 2) waiting[1]?.join(some)
    else waiting.push(some)
  }

  /** Uses the acknowledgements that have become usable now that `applied` is here. */
  settle(applied: VersionVector): void {
    for (const member of this.#members.values()) {
      const { replica, waiting, acknowledged } = member
      const own = applied.get(replica)
      for (let first = waiting[0]; first !== undefined && first.get(replica) <= own; first = waiting[0]) {
        acknowledged.join(first)
        member.through = Math.max(member.through, first.get(replica))
        waiting.shift()
      }
    }
  }

  /** Marks those gone that have been silent for too long. */
  expire(nowMs: number): void {
    for (const member of this.#members.values()) {
      if (member.hasDeparted) continue
      const reason = this.#options.whyGone(member, nowMs)
      if (reason === undefined) continue
      member.hasDeparted = reason === 'left'
      if (!member.gone) this.#options.onGone(member, reason)
      member.gone = true
    }
    if (this.#refusedMs !== undefined && nowMs - this.#refusedMs > this.#options.horizonMs) this.#refusedMs = undefined
  }

  /** That id is ours, or takes no part: we do not wait for it. */
  forget(replica: ReplicaId): void {
    this.#members.delete(replica)
  }

  /** Nobody names pruned ids any more. */
  forgetPruned(ended: EndedIds): void {
    for (const member of this.#members.values()) {
      if (ended.isPruned(member.replica)) this.#members.delete(member.replica)
      for (const vector of [member.acknowledged, member.stable, ...member.waiting]) strip(vector, ended)
    }
  }

  #learn(replica: ReplicaId, nowMs: number): KnownReplica | undefined {
    const known = this.#members.get(replica)
    if (known !== undefined) return known
    if (this.#members.size >= MEMBERS_MAX && !this.#makeRoom(nowMs)) return undefined
    const member: KnownReplica = {
      replica,
      heardMs: nowMs,
      heardDirectly: false,
      sequence: 0,
      gone: false,
      hasDeparted: false,
      isVolatile: false,
      format: FORMAT_LOWEST,
      name: '',
      acknowledged: new VersionVector(),
      through: 0,
      stable: new VersionVector(),
      said: undefined,
      waiting: [],
      lack: undefined,
    }
    this.#members.set(replica, member)
    return member
  }

  #makeRoom(nowMs: number): boolean {
    for (const member of this.#members.values()) {
      if (!member.gone) continue
      this.#members.delete(member.replica)
      return true
    }
    if (this.#refusedMs === undefined) this.#options.onOverflow(MEMBERS_MAX)
    this.#refusedMs = nowMs
    return false
  }
}
