/**
 * What several replicas did to one key: steps, which are plain and can be drawn, shortened and
 * repeated, and what comes of playing them with a strategy: operations with causal contexts. Verbs
 * look at the state of their replica, so leaving out a step gives another history, never an
 * impossible one.
 *
 * Each step brings the time of its replica's wall clock, and not the number of the step: stamps tie
 * and disagree with the order of events, as they may, and stay what they are when another step is
 * left out.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import { inCanonicalOrder, type VerbCall, type LawOperation } from './law-operation.ts'
import { REPLICA_IDS, ReferenceReplica } from './reference-replica.ts'

/** `at` is the place of the replica that takes the step, modulo their number. */
export type LawStep =
  | {
      readonly kind: 'write'
      readonly at: number
      readonly intent: VerbCall
      readonly wall: number
      /** Operations of other keys in between. */
      readonly gap: number
    }
  | { readonly kind: 'delete'; readonly at: number; readonly wall: number }
  /**
   * Takes in one of the operations so far, `pick` modulo their number, when it has that one's
   * causes.
   */
  | { readonly kind: 'deliver'; readonly at: number; readonly pick: number }
  /** Takes in all that another replica holds. */
  | { readonly kind: 'exchange'; readonly at: number; readonly from: number }

/** What is told of a history while it is played. */
export interface LawWitness {
  /**
   * Fits an intent to the replica that runs it, an index to the length of its list, say.
   * `undefined`: not this time.
   */
  fit?(intent: VerbCall, replica: ReferenceReplica): VerbCall | undefined
  /** A verb refused; the replica is as it was. */
  refused?(error: WarpError, replica: ReferenceReplica, intent: VerbCall): void
  stepped?(replica: ReferenceReplica): void
}

export const REPLICAS_MAX: number = REPLICA_IDS.length

export class LawHistory {
  readonly replicas: readonly ReferenceReplica[]
  readonly #written: LawOperation[] = []

  constructor(strategy: AnyStrategy, replicasCount: number) {
    this.replicas = REPLICA_IDS.slice(0, replicasCount).map((id) => new ReferenceReplica(strategy, id))
  }

  /** All that was written, in canonical order. */
  get operations(): readonly LawOperation[] {
    return inCanonicalOrder(this.#written)
  }

  /** Throws what the strategy throws, except for refusals of verbs. */
  play(steps: readonly LawStep[], witness: LawWitness = {}): this {
    for (const step of steps) {
      const replica = this.#replica(step.at)
      const made = this.#take(step, replica, witness)
      if (made !== undefined) this.#written.push(made)
      witness.stepped?.(replica)
    }
    return this
  }

  #take(step: LawStep, replica: ReferenceReplica, witness: LawWitness): LawOperation | undefined {
    switch (step.kind) {
      case 'write':
        return this.#write(step, replica, witness)
      case 'delete':
        return replica.operations.size === 0 ? undefined : replica.delete({ wall: step.wall })
      case 'exchange':
        replica.deliverAll([...this.#replica(step.from).operations.values()])
        return undefined
      case 'deliver':
        if (this.#written.length > 0) replica.deliver(this.#written[step.pick % this.#written.length] as LawOperation)
        return undefined
    }
  }

  #write(
    { intent, wall, gap }: LawStep & { readonly kind: 'write' },
    replica: ReferenceReplica,
    witness: LawWitness,
  ): LawOperation | undefined {
    const fitted = witness.fit === undefined ? intent : witness.fit(intent, replica)
    if (fitted === undefined) return undefined
    try {
      return replica.write(fitted.verb, fitted.parameters, { wall, gap })
    } catch (error) {
      if (!isWarpError(error)) throw error
      witness.refused?.(error, replica, fitted)
      return undefined
    }
  }

  #replica(at: number): ReferenceReplica {
    return this.replicas[at % this.replicas.length] as ReferenceReplica
  }
}
