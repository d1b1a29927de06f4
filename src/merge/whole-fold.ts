/**
 * The whole fold: a state from all the operations at once, in canonical order, leaving out what is cancelled and what belongs to
 * earlier lives. It defines what a key's value is; the forward fold (`folder.ts`) gives the same and looks at less.
 */
import { compareStamps } from '../../crdt/time/hlc.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { OPERATION_KIND } from '../operation/kinds.ts'
import type { Position } from '../operation/position.ts'
import type { Application } from './application.ts'
import { cancelledBy } from './cancellation.ts'
import type { Chain } from './chain.ts'
import type { ChainReader } from './chain-reader.ts'
import { lastBirth } from './lives.ts'
import type { Placed } from './placed.ts'
import { settled, type Resident } from './resident.ts'
import { Timeline } from './timeline.ts'

export class WholeFold {
  readonly #chains: ChainReader
  readonly #application: Application

  constructor(chains: ChainReader, application: Application) {
    this.#chains = chains
    this.#application = application
  }

  /** Folds exactly `operations` (in any order) onto the base. */
  foldOf(strategy: AnyStrategy, chain: Chain, operations: readonly Placed[]): Resident {
    const resident = this.#chains.base(strategy, chain)
    const ordered = [...operations].sort(compareStamps)
    this.#applyLastLife(strategy, resident, ordered, chain.lifeMs ?? 0)
    resident.folded = newest(operations, chain.cut)
    return settled(strategy, resident)
  }

  /** The index of the operation that began the present life, -1 if there was never another; see `lives.ts`. */
  birth(strategy: AnyStrategy, chain: Chain, ordered: readonly Placed[]): number {
    return strategy.fold === 'last' ? -1 : lastBirth(this.#chains.base(strategy, chain), ordered, chain.lifeMs ?? 0)
  }

  /** See {@link cancelledBy}. */
  cancelled(strategy: AnyStrategy, operations: readonly Placed[]): Map<Placed, 'cancelled' | 'base'> {
    return cancelledBy(strategy, operations, this.#chains.readPlaced)
  }

  /** Which of the operations, given in canonical order, the strategy refuses to apply. Folds them all. */
  rejected(
    strategy: AnyStrategy,
    chain: Chain,
    ordered: readonly Placed[],
    cancelled: ReadonlyMap<Placed, unknown>,
  ): Set<Placed> {
    const resident = this.#chains.base(strategy, chain)
    const rejected = new Set<Placed>()
    if (this.birth(strategy, chain, ordered) >= 0) this.#application.clear(strategy, resident)
    for (const operation of ordered) {
      if (cancelled.has(operation)) continue
      const before = resident.rejectedCount
      this.#application.applyAt(strategy, resident, operation.position)
      if (resident.rejectedCount > before) rejected.add(operation)
    }
    return rejected
  }

  #applyLastLife(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[], lifeMs: number): void {
    const birth = lastBirth(resident, ordered, lifeMs)
    const isFirst = birth < 0
    const bornAt = isFirst && resident.hasTip ? resident.hlc : ordered[Math.max(birth, 0)]?.hlc
    const alive = isFirst ? ordered : ordered.slice(birth)
    for (const operation of ordered.slice(0, ordered.length - alive.length))
      this.#passOver(strategy, resident, operation)
    if (!isFirst) this.#application.clear(strategy, resident)
    if (strategy.fold === 'last') this.#applyGreatest(strategy, resident, alive)
    else this.#applyUncancelled(strategy, resident, alive)
    resident.hasCancelled ||= !isFirst
    resident.bornAt = bornAt ?? 0
  }

  #applyUncancelled(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[]): void {
    const cancelled = this.cancelled(strategy, ordered)
    if (strategy.fold === 'canonical') resident.timeline = new Timeline(resident)
    for (const operation of ordered)
      if (cancelled.get(operation) === 'base') this.#application.cancelInBase(strategy, resident, operation)
    for (const operation of ordered) {
      if (!cancelled.has(operation)) this.#application.applyAt(strategy, resident, operation.position)
      else this.#passOver(strategy, resident, operation)
    }
    resident.hasCancelled = cancelled.size > 0
    resident.timeline?.insert(ordered, this.#chains.isBefore)
  }

  /** The greatest operation that is not rejected. */
  #applyGreatest(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[]): void {
    for (let i = ordered.length - 1; i >= 0; i--) {
      const before = resident.rejectedCount
      this.#application.applyAt(strategy, resident, (ordered[i] as Placed).position)
      if (resident.rejectedCount === before) break
    }
    for (const operation of ordered) resident.take(operation)
  }

  /** Takes in an operation that is cancelled. One that cannot be understood blocks the key all the same, as it does when it is met first. */
  #passOver(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    if (operation.kind !== OPERATION_KIND.delete && strategy.fold !== 'last')
      this.#application.assertFoldable(strategy, this.#chains.read(operation.position))
    resident.take(operation)
  }
}

function newest(operations: readonly Placed[], otherwise: Position): Position {
  let greatest = otherwise
  for (const { position } of operations) if (position > greatest) greatest = position
  return greatest
}
