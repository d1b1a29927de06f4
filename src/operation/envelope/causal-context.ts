/**
 * What the writers of operations had seen of their key: for each replica a prefix of its
 * operations, and single ones beyond (a dotted version vector, Preguiça et al. 2010). Of a writer
 * itself all earlier ones, unless its context says exactly which.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { EndedIds } from '../ended-ids.ts'
import type { VectorEntries } from './vector-entries.ts'

/** An operation, as far as it says what its writer had seen. */
export interface Witness {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly isExact: boolean
  /** What its vectors may leave out. */
  readonly ended?: EndedIds
  context(): VectorEntries
  dots(): VectorEntries
}

export class CausalContext {
  readonly #vector = new VersionVector()
  #dots: Map<ReplicaId, Set<number>> | undefined
  #ended: EndedIds | undefined

  /** Adds what the writer of an operation had seen. */
  join(operation: Witness): this {
    this.#ended ??= operation.ended
    for (const [replica, sequence] of operation.context()) this.#vector.raise(replica, sequence)
    if (!operation.isExact) this.#vector.raise(operation.replica, operation.sequence - 1)
    for (const [replica, sequence] of operation.dots()) this.#addDot(replica, sequence)
    return this
  }

  includes(replica: ReplicaId, sequence: number): boolean {
    if (this.#vector.includes(replica, sequence) || this.#dots?.get(replica)?.has(sequence) === true) return true
    return this.#ended?.isSeen(replica, this.#through) === true
  }

  readonly #through = (replica: ReplicaId, sequence: number): boolean => this.#vector.includes(replica, sequence)

  #addDot(replica: ReplicaId, sequence: number): void {
    this.#dots ??= new Map()
    const of = this.#dots.get(replica)
    if (of === undefined) this.#dots.set(replica, new Set([sequence]))
    else of.add(sequence)
  }
}
