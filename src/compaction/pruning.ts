/**
 * Pruning: ids that have left go from every vector here once the operation that says so is stable.
 * It counts as folded away then: who has not seen it lies below the floor.
 */
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { Budget } from '../operation/budget.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import type { EngineEvent } from '../store/event.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'
import type { KeyStore } from '../store/key-store.ts'
import { DOMAINS } from '../keys/domain.ts'
import type { Frontier } from './frontier.ts'

export interface PruningOptions {
  readonly store: KeyStore
  readonly identity: ReplicaIdentity
  readonly frontier: Frontier
  readonly observe: (event: EngineEvent) => void
}

export class Pruning {
  readonly #options: PruningOptions
  readonly #ended: EndedIds
  readonly #listeners: (() => void)[] = []
  #isSweeping = false
  #isSweepDue = false

  constructor(options: PruningOptions) {
    this.#options = options
    this.#ended = options.store.table.ended
  }

  /** Told when ids have been pruned. */
  onPruned(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /**
   * These operations may be folded away. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`:
   * to be called again.
   */
  stabilise(stable: VersionVector): void {
    const { identity, frontier, store } = this.#options
    const due = this.#ended
      .due(stable)
      // Somebody who has left writes on under the id: it stays where it is seen.
      .filter(({ replica, end }) => replica !== identity.replica && store.applied.get(replica) <= end)
    if (due.length === 0) return
    const pruned = due.map(({ replica }) => replica)
    this.#ended.prune(pruned)
    try {
      frontier.pass(DOMAINS.shared, VersionVector.from(due.map(({ by }) => [by.replica, by.sequence] as const)))
      identity.forgetPruned(pruned)
    } catch (error) {
      // Nothing is forgotten of which no record says so: it is due again.
      this.#ended.unprune(pruned)
      throw error
    }
    this.pruned()
    this.#options.observe({ kind: 'members:pruned', replicas: pruned })
    identity.writeMeta()
  }

  /** Ids are pruned, here or with a state that has been taken over. */
  pruned(): void {
    const { frontier } = this.#options
    frontier.forgetPruned()
    for (const listener of this.#listeners) listener()
    this.sweep()
  }

  /**
   * In the vectors of keys, what ended an id takes its place; also at opening, when old records have
   * been read. Until then operations name the id, which does no harm.
   */
  sweep(): void {
    this.#isSweepDue = this.#ended.size > 0
    if (this.#isSweepDue && !this.#isSweeping) void this.#sweepAll()
  }

  async #sweepAll(): Promise<void> {
    const { keys, env } = this.#options.store
    const replace = (vector: VersionVector): VersionVector => this.#ended.replacedIn(vector)
    const budget = new Budget(env, () => undefined)
    this.#isSweeping = true
    while (this.#isSweepDue) {
      this.#isSweepDue = false
      for (let slot = 0; slot < keys.slotsUsed; slot++) {
        budget.spend(1 + keys.replaceWriters(slot, replace), 0)
        if (budget.isSpent) await budget.pause()
      }
    }
    this.#isSweeping = false
  }
}
