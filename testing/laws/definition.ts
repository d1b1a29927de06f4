/**
 * What `crdt/strategy.ts` promises, as a definition: all operations at hand, cancelled ones out,
 * cancellers first, the rest in canonical order. Laws and the engine are compared with it.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy, Applied } from '../../crdt/strategy.ts'
import { hasObserved, inCanonicalOrder, isCanceller, type LawOperation, liveOperations } from './law-operation.ts'

/**
 * `base` is a state all of whose operations every canceller and delete in `operations` has
 * observed: `initial()`, or a snapshot of a stable prefix. A strategy that changes states changes
 * this one.
 */
export function foldFrom(strategy: AnyStrategy, base: unknown, operations: Iterable<LawOperation>): unknown {
  const all = inCanonicalOrder(operations)
  const live = liveOperations(strategy, all)
  let state: unknown = all.some((operation) => operation.isDelete) ? strategy.initial() : base
  if (strategy.fold === 'last') {
    const last = live.at(-1)
    return last === undefined ? state : applyOne(strategy, strategy.initial(), last)
  }
  const cancellers = all.filter((operation) => !operation.isDelete && isCanceller(strategy, operation))
  for (const operation of cancellers) state = applyOne(strategy, state, operation)
  for (const operation of live) if (!isCanceller(strategy, operation)) state = applyOne(strategy, state, operation)
  return state
}

/**
 * Applies through a flyweight that is worthless after the call, as the engine's is. Where the order
 * decides whether an operation fits, one that throws is skipped; where it does not, what a verb
 * made must fit everywhere, and the error is handed on.
 */
export function applyOne(strategy: AnyStrategy, state: unknown, operation: LawOperation): unknown {
  const flyweight = new Flyweight(operation)
  try {
    return strategy.apply(state, flyweight)
  } catch (error) {
    if (strategy.fold === 'canonical') return state
    throw error
  } finally {
    flyweight.expire()
  }
}

class Flyweight implements Applied<Encodable> {
  hlc: number
  replica: ReplicaId
  sequence: number
  payload: Encodable
  #operation: LawOperation | undefined

  constructor(operation: LawOperation) {
    this.hlc = operation.hlc
    this.replica = operation.replica
    this.sequence = operation.sequence
    this.payload = operation.payload
    this.#operation = operation
  }

  observed(replica: ReplicaId, sequence: number): boolean {
    if (this.#operation === undefined) throw new Error('an operation was kept beyond its call')
    return hasObserved(this.#operation, { hlc: 0, replica, sequence })
  }

  expire(): void {
    this.hlc = Number.NaN
    this.replica = 'expired' as ReplicaId
    this.sequence = -1
    this.payload = 'expired'
    this.#operation = undefined
  }
}
