/**
 * The whole fold: a state from all the operations at once, in canonical order, leaving out what is
 * cancelled and what belongs to earlier lives. It defines what a key's value is; the forward fold
 * (`folder.ts`) gives the same and looks at less.
 */
import { compareStamps } from '../../../crdt/time/hlc.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { finishNow, UNBOUNDED, type Meter } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { Position } from '../../operation/position.ts'
import type { Application } from './application.ts'
import { cancelledSteps, type Fate } from './cancellation.ts'
import type { Chain } from '../chain.ts'
import type { ChainReader } from './chain-reader.ts'
import { lastBirth } from '../lives.ts'
import type { Placed } from '../placed.ts'
import { settled, type Resident } from '../resident.ts'
import { Timeline } from './timeline.ts'

/** Which operations of a key to fold, onto the base that its chain has. */
export interface FoldOf {
  readonly strategy: AnyStrategy
  readonly chain: Chain
  readonly operations: readonly Placed[]
}

/** Operations in canonical order, and the state to apply them to. */
interface Applied {
  readonly strategy: AnyStrategy
  readonly resident: Resident
  readonly ordered: readonly Placed[]
}

interface LastLife extends Applied {
  readonly lifeMs: number
}

export class WholeFold {
  readonly #chains: ChainReader
  readonly #application: Application

  constructor(chains: ChainReader, application: Application) {
    this.#chains = chains
    this.#application = application
  }

  /** Folds exactly `operations` (in any order) onto the base. */
  foldOf(strategy: AnyStrategy, chain: Chain, operations: readonly Placed[]): Resident {
    return finishNow(this.foldSteps({ strategy, chain, operations }, UNBOUNDED))
  }

  /**
   * The same in steps, for whoever can wait. What has been folded belongs to nobody until the last
   * step: the key may be written, read and compacted meanwhile, as long as the records of
   * `operations` stay where they are.
   */
  *foldSteps({ strategy, chain, operations }: FoldOf, meter: Meter): Generator<void, Resident> {
    const resident = this.#chains.base(strategy, chain)
    const ordered = [...operations].sort(compareStamps)
    yield* this.#applyLastLife({ strategy, resident, ordered, lifeMs: chain.lifeMs ?? 0 }, meter)
    resident.folded = newest(operations, chain.cut)
    return settled(strategy, resident)
  }

  /**
   * The index of the operation that began the present life, -1 if there was never another; see
   * `lives.ts`.
   */
  birth(strategy: AnyStrategy, chain: Chain, ordered: readonly Placed[]): number {
    return strategy.fold === 'last' ? -1 : lastBirth(this.#chains.base(strategy, chain), ordered, chain.lifeMs ?? 0)
  }

  /** See {@link cancelledSteps}. */
  cancelled(strategy: AnyStrategy, operations: readonly Placed[]): Map<Placed, Fate> {
    return finishNow(cancelledSteps(strategy, operations, { read: this.#chains.readPlaced, meter: UNBOUNDED }))
  }

  /**
   * Which of the operations, given in canonical order, the strategy refuses to apply. Folds them
   * all.
   */
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

  *#applyLastLife({ strategy, resident, ordered, lifeMs }: LastLife, meter: Meter): Generator<void, void> {
    const birth = lastBirth(resident, ordered, lifeMs)
    const isFirst = birth < 0
    const bornAt = isFirst && resident.hasTip ? resident.hlc : ordered[Math.max(birth, 0)]?.hlc
    const alive = isFirst ? ordered : ordered.slice(birth)
    for (const operation of ordered.slice(0, ordered.length - alive.length)) {
      this.#passOver(strategy, resident, operation)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    if (!isFirst) this.#application.clear(strategy, resident)
    if (strategy.fold === 'last') this.#applyGreatest(strategy, resident, alive)
    else yield* this.#applyUncancelled({ strategy, resident, ordered: alive }, meter)
    resident.hasCancelled ||= !isFirst
    resident.bornAt = bornAt ?? 0
  }

  *#applyUncancelled({ strategy, resident, ordered }: Applied, meter: Meter): Generator<void, void> {
    const cancelled = yield* cancelledSteps(strategy, ordered, { read: this.#chains.readPlaced, meter })
    if (strategy.fold === 'canonical') resident.timeline = new Timeline(resident)
    for (const operation of ordered) {
      if (cancelled.get(operation) === 'base') this.#application.cancelInBase(strategy, resident, operation)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    const { operation: reader } = this.#chains
    for (const operation of ordered) {
      if (!cancelled.has(operation)) this.#application.applyAt(strategy, resident, operation.position)
      else this.#passOver(strategy, resident, operation)
      meter.spend(1, reader.end - reader.start)
      if (meter.isSpent) yield
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

  /**
   * Takes in an operation that is cancelled. One that cannot be understood blocks the key all the
   * same, as it does when it is met first.
   */
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
