/**
 * Up to where operations may be folded away (what is stable), and up to where they may be gone
 * already (the floor). What those who are away write meanwhile may be concurrent with what is
 * folded: before it is, their ids end here.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import { hlcFromMs, hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Domain } from '../keys/domain.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import type { Away } from '../operation/retired-ids.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'

export type IsStable = (dot: Dot) => boolean

export interface FrontierOptions {
  readonly floor: VersionVector
  /** What this replica has applied. */
  readonly applied: VersionVector
  /** Whether other replicas may exist: then only what they have acknowledged is stable. */
  readonly isReplicated: boolean
  readonly identity: ReplicaIdentity
  readonly ended: EndedIds
}

/** Ten minutes. */
const AWAITED_MAX: Hlc = hlcFromMs(600_000)

export class Frontier {
  /** Operations at or below may be gone from the log. */
  readonly floor: VersionVector
  readonly #applied: VersionVector
  readonly #identity: ReplicaIdentity
  readonly #isReplicated: boolean
  readonly #ended: EndedIds
  #stable = new VersionVector()
  #away: readonly Away[] = []
  /** An operation of which it is waited for that it is stable. */
  #awaited: (Dot & { readonly hlc: Hlc }) | undefined
  #stableMs = 0

  constructor({ floor, applied, isReplicated, identity, ended }: FrontierOptions) {
    this.floor = floor
    this.#applied = applied
    this.#isReplicated = isReplicated
    this.#ended = ended
    this.#identity = identity
  }

  /** Whether an operation of that domain is stable; `undefined` if all that are written are. */
  stableIn(domain: Domain): IsStable | undefined {
    if (domain.stableFrom !== 'acknowledged') return undefined
    const stable = this.#isReplicated ? this.#stable : this.#applied
    return ({ replica, sequence }) => stable.includes(replica, sequence) || this.#ended.isPruned(replica)
  }

  /**
   * No operation stamped before this moment, ms, is still to come: one that was stamped then is
   * stable. `Infinity` where no other replica writes.
   */
  stableMs(domain: Domain): number {
    return this.isShared(domain) ? this.#stableMs : Infinity
  }

  /** An operation has entered. */
  note({ replica, sequence, hlc }: Dot & { readonly hlc: Hlc }): void {
    const { hlc: since = 0 } = this.#awaited ?? {}
    // One of an id that has ended is perhaps never stable.
    if (hlc - since > AWAITED_MAX) this.#awaited = { replica, sequence, hlc }
  }

  /** Whether other replicas may write its operations. */
  isShared(domain: Domain): boolean {
    return this.#isReplicated && domain.stableFrom === 'acknowledged'
  }

  /** Nothing names what is pruned. */
  forgetPruned(): void {
    this.#stable = this.#ended.stripped(this.#stable)
  }

  /** `away` are known and not waited for. */
  stabilise(stable: VersionVector, away: readonly Away[]): void {
    this.#stable = stable.copy()
    this.#away = away
    const awaited = this.#awaited
    if (awaited === undefined) return
    if (!stable.includes(awaited.replica, awaited.sequence) && !this.#ended.isPruned(awaited.replica)) return
    this.#stableMs = Math.max(this.#stableMs, hlcToMs(awaited.hlc))
    this.#awaited = undefined
  }

  /**
   * Operations, all up to these that the key has, are going to be folded away. Nothing has been
   * written yet of the state that holds them.
   */
  pass(domain: Domain, operations: VersionVector): void {
    if (!domain.isSent) return
    this.floor.join(this.#ended.stripped(operations))
    const left = this.#away.filter(({ acknowledged }) => !acknowledged.dominates(this.floor))
    this.#identity.retire(left.map(({ replica }) => [replica, this.#applied.get(replica)] as const))
  }
}
