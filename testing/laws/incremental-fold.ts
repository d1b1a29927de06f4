/**
 * The fold as operations arrive. It goes back to the definition only where the contract says that
 * an engine has to; so it is what an engine does, in the plainest way. Costs O(n) per operation,
 * O(n²) where it folds again.
 */
import { compareStamps } from '../../crdt/time/hlc.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { applyOne, foldFrom } from './definition.ts'
import { cancels, hasObserved, isCanceller, type LawOperation } from './law-operation.ts'

export class IncrementalFold {
  state: unknown
  readonly #strategy: AnyStrategy
  readonly #base: () => unknown
  readonly #known: LawOperation[] = []
  /**
   * Of canonical folds: the state after each operation of `#known`. States that `apply` spoils show
   * up here.
   */
  #states: unknown[] = []

  /**
   * `base` makes the state of a snapshot that everybody who cancels later has seen, a new one for
   * each call.
   */
  constructor(strategy: AnyStrategy, base: () => unknown = () => strategy.initial()) {
    this.#strategy = strategy
    this.#base = base
    this.state = base()
  }

  /** With `alreadyApplied`, the state has the operation in it already. */
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
      const before: unknown = i === 0 ? this.#base() : this.#states[i - 1]
      this.#states.push(applyOne(strategy, before, this.#known[i] as LawOperation))
    }
    this.state = this.#states.at(-1)
  }

  #prefix(length: number): unknown {
    return foldFrom(this.#strategy, this.#base(), this.#known.slice(0, length))
  }

  #alone(operation: LawOperation): unknown {
    const initial: unknown = this.#strategy.initial()
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
