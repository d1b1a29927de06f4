/**
 * What `crdt/strategy.ts` promises, written twice in the plainest way, so that strategies are compared with something that is
 * not the engine:
 *
 * - `foldFrom` is the definition: all operations at hand, cancelled ones out, cancellers first, the rest in canonical order.
 * - `IncrementalFold` takes operations as they arrive, and goes back to the definition only where the contract says that an
 *   engine has to.
 */
import type { AnyStrategy, Applied } from '../crdt/strategy.ts'
import type { Encodable } from '../crdt/encodable.ts'
import type { ReplicaId } from '../crdt/replica-id.ts'
import type { Stamp } from '../crdt/hlc.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { compareStamps } from '../crdt/hlc.ts'

/** One operation of the one key that a law is checked on. */
export interface LawOperation extends Stamp {
  /** What the writer had seen of this key; its own operations implied. */
  readonly context: VersionVector
  readonly isDelete: boolean
  /** As decoded from its bytes, frozen; `null` for deletes. */
  readonly payload: Encodable
}

/** Whether the writer of `later` had seen `earlier`. */
export function hasObserved(later: LawOperation, earlier: Stamp): boolean {
  if (later.replica === earlier.replica) return earlier.sequence < later.sequence
  return later.context.includes(earlier.replica, earlier.sequence)
}

export function inCanonicalOrder(operations: Iterable<LawOperation>): LawOperation[] {
  return [...operations].sort(compareStamps)
}

/** The operations that count, in canonical order, deletes left out. */
export function liveOperations(strategy: AnyStrategy, operations: Iterable<LawOperation>): LawOperation[] {
  const sorted = inCanonicalOrder(operations)
  return sorted.filter((earlier) => !earlier.isDelete && !sorted.some((later) => cancels(strategy, later, earlier)))
}

/** Whether the operation only takes away what it observed. */
export function isCanceller(strategy: AnyStrategy, operation: LawOperation): boolean {
  if (operation.isDelete) return strategy.deletes === 'observed'
  return strategy.cancels?.(operation.payload) !== undefined
}

function cancels(strategy: AnyStrategy, later: LawOperation, earlier: LawOperation): boolean {
  if (later.isDelete && strategy.deletes === 'ordered') return compareStamps(earlier, later) < 0
  if (!hasObserved(later, earlier)) return false
  if (later.isDelete) return true
  return strategy.cancels?.(later.payload)?.(earlier.payload) ?? false
}

/**
 * The definition. `base` is a state all of whose operations every canceller and delete in `operations` has observed:
 * `initial()`, or a snapshot of a stable prefix.
 */
export function foldFrom(strategy: AnyStrategy, base: unknown, operations: Iterable<LawOperation>): unknown {
  const all = inCanonicalOrder(operations)
  const live = liveOperations(strategy, all)
  let state = all.some((operation) => operation.isDelete) ? strategy.initial() : base
  if (strategy.fold === 'last') {
    const last = live.at(-1)
    return last === undefined ? state : applyOne(strategy, strategy.initial(), last)
  }
  const cancellers = all.filter((operation) => !operation.isDelete && isCanceller(strategy, operation))
  for (const operation of cancellers) state = applyOne(strategy, state, operation)
  for (const operation of live) if (!isCanceller(strategy, operation)) state = applyOne(strategy, state, operation)
  return state
}

export class IncrementalFold {
  state: unknown
  readonly #strategy: AnyStrategy
  readonly #known: LawOperation[] = []
  /** Of canonical folds: the state after each operation of `#known`. States that `apply` spoils show up here. */
  #states: unknown[] = []

  constructor(strategy: AnyStrategy) {
    this.#strategy = strategy
    this.state = strategy.initial()
  }

  add(operation: LawOperation, alreadyApplied = false): void {
    const strategy = this.#strategy
    const known = this.#known
    const place = known.filter((other) => compareStamps(other, operation) < 0).length
    const sawAll = known.every((other) => hasObserved(operation, other))
    known.splice(place, 0, operation)
    const isLatest = place === known.length - 1
    if (strategy.fold === 'canonical') this.#addCanonical(operation, place)
    else if (strategy.fold === 'last') this.state = isLatest ? this.#alone(operation) : this.state
    else if (operation.isDelete) this.#delete(strategy.deletes === 'observed' ? sawAll : isLatest)
    else if (isCanceller(strategy, operation) && !sawAll) this.#refold()
    else if (!alreadyApplied && !this.#isDead(operation)) this.state = applyOne(strategy, this.state, operation)
  }

  #addCanonical(operation: LawOperation, place: number): void {
    const strategy = this.#strategy
    const isLatest = place === this.#known.length - 1
    if (!isLatest && this.#known.some((other) => other.isDelete || isCanceller(strategy, other))) {
      this.#refold()
      this.#states = []
      return
    }
    if (this.#states.length < place) this.#states = Array.from({ length: place }, (_, i) => this.#prefix(i + 1))
    this.#states.length = place
    if (operation.isDelete || isCanceller(strategy, operation)) {
      this.#refold()
      this.#states.push(this.state)
      return
    }
    for (let i = place; i < this.#known.length; i++) {
      const before: unknown = i === 0 ? strategy.initial() : this.#states[i - 1]
      this.#states.push(applyOne(strategy, before, this.#known[i] as LawOperation))
    }
    this.state = this.#states.at(-1)
  }

  #prefix(length: number): unknown {
    return foldFrom(this.#strategy, this.#strategy.initial(), this.#known.slice(0, length))
  }

  #alone(operation: LawOperation): unknown {
    const initial = this.#strategy.initial()
    return operation.isDelete ? initial : applyOne(this.#strategy, initial, operation)
  }

  #delete(coversAll: boolean): void {
    if (coversAll) this.state = this.#strategy.initial()
    else this.#refold()
  }

  #isDead(operation: LawOperation): boolean {
    return this.#known.some((later) => later !== operation && cancels(this.#strategy, later, operation))
  }

  #refold(): void {
    this.state = this.#prefix(this.#known.length)
  }
}

/** Applies through a flyweight that is worthless after the call, as the engine's is. */
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
