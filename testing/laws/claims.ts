/**
 * What somebody says of a strategy beyond what every strategy must be. A strategy that converges on
 * the wrong value breaks no law; a claim is how it is told what is right.
 */
import type { ToEncodable } from './digest.ts'
import type { LawOperation } from './law-operation.ts'
import type { ReferenceReplica } from './reference-replica.ts'

/** Which verbs put elements in and take them out; both take the elements as their parameters. */
export interface ObservedRemove {
  readonly add: string
  readonly remove: string
  has(value: unknown, element: unknown): boolean
}

export interface Claims {
  /**
   * The value as an encodable, for values that are objects of a library. Sets and records of sets
   * need none.
   */
  readonly encodable?: ToEncodable
  /**
   * The value by the plainest means, from the operations that are not cancelled, in canonical
   * order.
   */
  readonly expected?: (live: readonly LawOperation[]) => unknown
  /** What holds on every replica after every step; throws if it does not. */
  readonly invariant?: (replica: ReferenceReplica) => void
  /** An element is in exactly if there is an add of it that no remove of it had seen. */
  readonly observedRemove?: ObservedRemove
  /** `apply` itself takes repetitions: once is as good as twice. */
  readonly idempotent?: boolean
  /** Joins two states into the state of all their operations. May change the first. */
  readonly merge?: (state: never, other: never) => unknown
}
