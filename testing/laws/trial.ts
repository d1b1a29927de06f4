/**
 * One history under examination: what every law needs to look at it, and how a law says what it
 * found. A finding is at most two outcomes that ought to have been one, each with how it came
 * about.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { type Random, seededRandom } from '../world/random.ts'
import type { Claims } from './claims.ts'
import { foldFrom } from './definition.ts'
import { type Digest, describeDifference, digestOf, isSameDigest } from './digest.ts'
import type { LawHistory } from './law-history.ts'
import { hasObserved, isCanceller, type LawOperation } from './law-operation.ts'
import { ReferenceReplica } from './reference-replica.ts'

export interface Outcome {
  /** How it came about: an order of delivery, say. */
  readonly how: string
  readonly result: string
}

export interface Finding {
  readonly outcomes: readonly Outcome[]
  /** Those that matter; all of the history if left out. */
  readonly operations?: readonly LawOperation[]
}

/** One of two things that ought to be equal. The text is made only if they are not. */
export interface Side {
  readonly how: () => string
  readonly digest: Digest
}

/** Writes nothing; only takes in what others wrote. */
const OBSERVER: ReplicaId = parseReplicaId('f'.repeat(16))

export class Trial {
  readonly strategy: AnyStrategy
  readonly claims: Claims
  readonly history: LawHistory
  /** All of the history, in canonical order. */
  readonly operations: readonly LawOperation[]
  readonly #order: number
  #expected: Digest | undefined

  /** `order` is the seed of what a law draws. */
  constructor(strategy: AnyStrategy, history: LawHistory, claims: Claims, order: number) {
    this.strategy = strategy
    this.history = history
    this.claims = claims
    this.operations = history.operations
    this.#order = order
  }

  /** By the definition. */
  get expected(): Digest {
    return (this.#expected ??= this.digest(this.scratch(this.operations)))
  }

  /** The same numbers for each law, however many the others drew. */
  random(): Random {
    return seededRandom(this.#order)
  }

  scratch(operations: Iterable<LawOperation>): unknown {
    return foldFrom(this.strategy, this.strategy.initial(), operations)
  }

  digest(state: unknown): Digest {
    return digestOf(this.strategy, state, this.claims.encodable)
  }

  /**
   * Delivers to a replica that writes nothing; an operation waits there until its causes have come.
   */
  delivered(...parts: readonly (readonly LawOperation[])[]): {
    readonly held: readonly LawOperation[]
    digest: Digest
  } {
    const replica = new ReferenceReplica(this.strategy, OBSERVER)
    for (const part of parts) replica.deliverAll(part)
    return { held: [...replica.operations.values()], digest: this.digest(replica.state) }
  }

  /** Through bytes, as a snapshot travels. */
  revived(state: unknown): unknown {
    return this.strategy.decodeState(decode(encode(this.strategy.encodeState(state))))
  }

  /** An order in which snapshots may be taken at {@link isCleanCut}s. */
  orderForCuts(random: Random): readonly LawOperation[] {
    return this.strategy.fold === 'any' ? this.delivered(random.shuffled(this.operations)).held : this.operations
  }

  /** Whether every canceller behind the cut has seen everything before it. */
  isCleanCut(order: readonly LawOperation[], cut: number): boolean {
    const prefix = order.slice(0, cut)
    return order.slice(cut).every((operation) => {
      if (operation.isDelete && this.strategy.deletes === 'ordered') return this.strategy.fold !== 'any'
      return !isCanceller(this.strategy, operation) || prefix.every((earlier) => hasObserved(operation, earlier))
    })
  }
}

/** `operations` are those that matter, if not all do. */
export function compare(one: Side, other: Side, operations?: readonly LawOperation[]): Finding | undefined {
  if (isSameDigest(one.digest, other.digest)) return undefined
  const [a, b] = describeDifference(one.digest, other.digest)
  const outcomes = [
    { how: one.how(), result: a },
    { how: other.how(), result: b },
  ]
  return operations === undefined ? { outcomes } : { outcomes, operations }
}
