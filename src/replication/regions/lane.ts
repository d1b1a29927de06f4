/**
 * What a relay carries into one region, for the broadcaster: operations of other regions that are not
 * known to have come there, if this relay is the one that works (`election.ts`). An operation is passed
 * on once, whoever sends it again, because the region's vector says that it has come; so nothing runs
 * in circles.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { Position } from '../../operation/position.ts'
import type { BroadcastSource } from '../broadcaster.ts'
import type { ReplicationObserver } from '../events.ts'
import { strip } from '../members/known-replicas.ts'
import type { Link, Peers } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'
import type { Election } from './election.ts'
import type { Group } from './group.ts'

export interface LaneParts {
  readonly store: ReplicationStore
  readonly peers: Peers
  readonly election: Election
  readonly group: Group
  readonly observe: ReplicationObserver
  readonly regionOf: (replica: ReplicaId) => string
  /** All regions that are known. */
  readonly regions: () => Iterable<string>
  /** Nothing is carried yet, or for now. */
  readonly isPaused: () => boolean
}

/**
 * So many operations of a writer are carried at once after taking over, or when the relay has caught up
 * itself. More are left to those who ask: what is broadcast has no back-pressure.
 */
const RESUMED_MAX = 4096

export class Lane implements BroadcastSource {
  readonly #parts: LaneParts
  /** Who works, by the region from which it carries. */
  readonly #winners = new Map<string, ReplicaId>()
  /** The same, as it has been told. */
  readonly #told = new Map<string, ReplicaId>()
  /** Whether the operations of a writer go out, until something changes. */
  readonly #carries = new Map<ReplicaId, boolean>()

  /** Up to where the relay has fetched so much that it is left to those who ask. */
  readonly #left = new VersionVector()

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  get links(): readonly Link[] {
    return this.#parts.group.links
  }

  /** Who works, by the region from which it carries, as it has been told. */
  get winners(): ReadonlyMap<string, ReplicaId> {
    return this.#told
  }

  get region(): string {
    return this.#parts.group.region
  }

  isPaused(): boolean {
    return this.#parts.isPaused()
  }

  isSent(): boolean {
    return false
  }

  wants({ replica, sequence }: OperationReader): boolean {
    if (!this.carries(replica) || this.#left.includes(replica, sequence)) return false
    return this.#parts.group.carried.raise(replica, sequence)
  }

  caughtUp(): void {
    // What is appended from now on is looked at when it is there.
  }

  sent(): void {
    // The other relays see it come.
  }

  /** This replica fetches operations of a writer, which are there up to `through`; it has them up to `sequence`. */
  fetched(writer: ReplicaId, sequence: number, through: number): void {
    if (through - sequence > RESUMED_MAX) this.#left.raise(writer, through - RESUMED_MAX)
  }

  /** Ids have been pruned. */
  forgetPruned(): void {
    strip(this.#left, this.#parts.store.ended)
  }

  /**
   * Peers have come, gone or said something. Returns where to begin again, if this relay has taken
   * over and something has yet to be carried.
   */
  look(): Position | undefined {
    const { store, peers, group } = this.#parts
    const carries = new Map(this.#carries)
    this.#winners.clear()
    this.#carries.clear()
    const isThere = group.learn(peers)
    if (this.isPaused()) return undefined
    let from: Position | undefined
    for (const [writer, applied] of store.applied.entries()) {
      if (!this.carries(writer) || carries.get(writer) === true) continue
      const carried = group.carried.get(writer)
      if (!isThere || applied <= carried || applied - carried > RESUMED_MAX) continue
      from = Math.min(from ?? Infinity, store.positionAfter(writer, carried))
    }
    this.#tell()
    return from
  }

  #tell(): void {
    const { store, observe, regions } = this.#parts
    for (const from of regions()) {
      if (from === this.region) continue
      const [was, winner] = [this.#told.get(from), this.#winner(from)]
      this.#told.set(from, winner)
      if (was === winner || (winner !== store.replica && was !== store.replica)) continue
      const kind = winner === store.replica ? 'relay:works' : 'relay:rests'
      observe({ kind, from, to: this.region, replica: winner })
    }
  }

  #winner(from: string): ReplicaId {
    let winner = this.#winners.get(from)
    if (winner === undefined) {
      winner = this.#parts.election.winner(from, this.#parts.group)
      this.#winners.set(from, winner)
    }
    return winner
  }

  /** Whether what that replica writes and says is brought here by this relay, as of the last look. */
  carries(writer: ReplicaId): boolean {
    let carries = this.#carries.get(writer)
    if (carries === undefined) {
      carries = this.#isCarried(writer)
      this.#carries.set(writer, carries)
    }
    return carries
  }

  /** Its operations come from another region, and it does not send them here itself. */
  #isCarried(writer: ReplicaId): boolean {
    const { store, peers, group, regionOf } = this.#parts
    const region = regionOf(writer)
    if (writer === store.replica || region === this.region || group.hears(peers, writer)) return false
    return this.#winner(region) === store.replica
  }
}
