/**
 * The whole fold: a state from all the operations at once, in canonical order, leaving out what is
 * cancelled and what belongs to earlier lives. It defines what a key's value is; the forward fold
 * (`folder.ts`) gives the same and looks at less.
 */
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { finishNow, UNBOUNDED, type Meter } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { Position } from '../../operation/position.ts'
import { UndeclaredFailure, type Application } from './application.ts'
import { FATE, fatesSteps } from './cancellation.ts'
import { writtenByOther } from '../cannot-fold.ts'
import type { Chain } from '../chain.ts'
import type { ChainReader } from './chain-reader.ts'
import { inOrder } from './in-order.ts'
import { isByOther, ownerSteps } from './owner.ts'
import { lastBirthSteps } from '../lives.ts'
import type { Placed } from '../placed.ts'
import { repeatsAmong } from './repeats.ts'
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
  /** The place of the first of them among all operations. */
  readonly from: number
}

/** What became of operations of a key. */
export interface Judgement {
  readonly birth: number
  readonly fates: Uint8Array
  /** 1 where the strategy refused to apply the operation. */
  readonly isRejected: Uint8Array
  /** 1 where the operation is here a second time; of all that were given. */
  readonly isRepeat: Uint8Array | undefined
}

interface LastLife extends Omit<Applied, 'from'> {
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
  *foldSteps(fold: FoldOf, meter: Meter): Generator<void, Resident> {
    try {
      return yield* this.#foldOnce(fold, meter, false)
    } catch (error) {
      if (!(error instanceof UndeclaredFailure)) throw error
      return yield* this.#foldOnce(fold, meter, true)
    }
  }

  *#foldOnce({ strategy, chain, operations }: FoldOf, meter: Meter, isSecondTry: boolean): Generator<void, Resident> {
    const resident = yield* this.#chains.baseSteps(strategy, chain, meter)
    resident.isSecondTry = isSecondTry
    const ordered = yield* inOrder(operations, meter)
    yield* this.#applyLastLife({ strategy, resident, ordered, lifeMs: chain.lifeMs ?? 0 }, meter)
    resident.folded = newest(operations, chain.cut)
    resident.isSecondTry = false
    resident.isSpoilt = false
    return settled(strategy, resident)
  }

  /**
   * What becomes of each operation, given in canonical order. The first that belongs to the present
   * life is number `birth`; `fates` and `isRejected` count from there. Folds them all.
   */
  *judgeSteps({ strategy, chain, operations: ordered }: FoldOf, meter: Meter): Generator<void, Judgement> {
    const resident = yield* this.#chains.baseSteps(strategy, chain, meter)
    resident.isSecondTry = true
    const { lifeMs = 0 } = chain
    yield* this.#name(resident, ordered, meter)
    const last = strategy.fold === 'last' ? -1 : yield* lastBirthSteps(resident, ordered, { lifeMs, meter })
    const birth = Math.max(0, last)
    const alive = ordered.slice(birth)
    const fates = yield* fatesSteps(strategy, alive, { read: this.#chains.readPlaced, meter })
    const isRejected = new Uint8Array(alive.length)
    resident.repeats?.judge(fates.of, birth)
    if (last >= 0) this.#application.clear(strategy, resident)
    const { operation: reader } = this.#chains
    for (const [i, operation] of alive.entries()) {
      if (fates.of[i] !== FATE.applied || isByOther(strategy, operation)) continue
      const before = resident.rejectedCount
      this.#application.applyAt(strategy, resident, operation.position)
      if (resident.rejectedCount > before) isRejected[i] = 1
      meter.spend(1, reader.end - reader.start)
      if (meter.isSpent) yield
    }
    return { birth, fates: fates.of, isRejected, isRepeat: resident.repeats?.isRepeat }
  }

  /** 1 for each operation, given in canonical order, that is here a second time. */
  *repeatsSteps({ strategy, chain, operations }: FoldOf, meter: Meter): Generator<void, Uint8Array | undefined> {
    const base = yield* this.#chains.baseSteps(strategy, chain, meter)
    const named = yield* repeatsAmong(operations, base, meter)
    return named.repeats?.isRepeat
  }

  /** Finds out which operations are the same one. */
  *#name(resident: Resident, ordered: readonly Placed[], meter: Meter): Generator<void, void> {
    const { firstNames, repeats } = yield* repeatsAmong(ordered, resident, meter)
    resident.firstNames = firstNames
    resident.repeats = repeats
  }

  *#applyLastLife({ strategy, resident, ordered, lifeMs }: LastLife, meter: Meter): Generator<void, void> {
    yield* this.#name(resident, ordered, meter)
    const birth = yield* lastBirthSteps(resident, ordered, { lifeMs, meter })
    const isFirst = birth < 0
    const bornAt = isFirst && resident.hasTip ? resident.hlc : ordered[Math.max(birth, 0)]?.hlc
    const alive = isFirst ? ordered : ordered.slice(birth)
    const from = Math.max(birth, 0)
    for (let i = 0; i < birth; i++) {
      this.#passOver(strategy, resident, ordered[i] as Placed)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    if (!isFirst) {
      this.#application.clear(strategy, resident)
      resident.baseStrategy = 0
      resident.hasOthers = false
    }
    resident.hasOthers ||= alive.some((operation) => isByOther(strategy, operation))
    if (strategy.fold === 'last') yield* this.#applyGreatest({ strategy, resident, ordered: alive, from }, meter)
    else yield* this.#applyUncancelled({ strategy, resident, ordered: alive, from }, meter)
    resident.hasCancelled ||= !isFirst
    resident.bornAt = bornAt ?? 0
  }

  *#applyUncancelled({ strategy, resident, ordered, from }: Applied, meter: Meter): Generator<void, void> {
    const { of: fates, hasCancelled } = yield* fatesSteps(strategy, ordered, { read: this.#chains.readPlaced, meter })
    resident.repeats?.judge(fates, from)
    yield* this.#assertOwner({ strategy, resident, ordered, from }, fates, meter)
    if (strategy.fold === 'canonical') resident.timeline = new Timeline(resident)
    if (hasCancelled) {
      for (const [i, operation] of ordered.entries()) {
        if (fates[i] === FATE.base) this.#application.cancelInBase(strategy, resident, operation)
        meter.spend(1, 0)
        if (meter.isSpent) yield
      }
    }
    const { operation: reader } = this.#chains
    for (const [i, operation] of ordered.entries()) {
      if (fates[i] === FATE.applied) this.#apply(strategy, resident, operation)
      else this.#passOver(strategy, resident, operation)
      resident.timeline?.insert([operation], this.#chains.isBefore)
      meter.spend(1, reader.end - reader.start)
      if (meter.isSpent) yield
    }
    resident.hasCancelled = hasCancelled || resident.hasOthers
  }

  /** Unless it is another strategy's, and set aside. */
  #apply(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    if (isByOther(strategy, operation)) resident.take(operation)
    else this.#application.applyAt(strategy, resident, operation.position)
  }

  /** Throws `WARP_E_UNKNOWN_OP` if the key is another strategy's. */
  *#assertOwner(
    { strategy, resident, ordered }: Applied,
    /** Of folds `'last'`: which operations are repeats. */
    fates: Uint8Array | undefined,
    meter: Meter,
  ): Generator<void, void> {
    if (!resident.hasOthers) return
    const clearsBase = ({ position }: Placed): boolean => {
      this.#chains.read(position)
      return this.#application.observesAll(resident)
    }
    const { baseStrategy } = resident
    const owner = yield* ownerSteps({ strategy, ordered, baseStrategy, fates, clearsBase }, meter)
    if (owner !== 0 && owner !== strategy.code) throw writtenByOther(strategy, owner)
  }

  /**
   * The greatest operation that is not rejected, leaving out those that only renew a life, repeats,
   * and those of other strategies.
   */
  *#applyGreatest({ strategy, resident, ordered, from }: Applied, meter: Meter): Generator<void, void> {
    const isRepeat = resident.repeats?.isRepeat.subarray(from)
    yield* this.#assertOwner({ strategy, resident, ordered, from }, isRepeat, meter)
    const { operation: reader } = this.#chains
    for (let i = ordered.length - 1; i >= 0; i--) {
      const before = resident.rejectedCount
      const operation = ordered[i] as Placed
      if (isLeftOut(strategy, operation, isRepeat?.[i])) {
        resident.hasTouches ||= operation.kind === OPERATION_KIND.touch
        meter.spend(1, 0)
        if (meter.isSpent) yield
        continue
      }
      this.#application.applyAt(strategy, resident, operation.position)
      if (resident.rejectedCount === before) break
      meter.spend(1, reader.end - reader.start)
      if (meter.isSpent) yield
    }
    for (const operation of ordered) {
      resident.take(operation)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
  }

  /**
   * Takes in an operation that is cancelled, or set aside. One of a kind that is not known blocks
   * the key all the same, as it does when it is met first.
   */
  #passOver(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    if (strategy.fold !== 'last') this.#application.assertKnown(strategy, operation)
    resident.take(operation)
  }
}

/** Whether a fold `'last'` looks past an operation. */
function isLeftOut(strategy: AnyStrategy, operation: Placed, isRepeat: number | undefined): boolean {
  return operation.kind === OPERATION_KIND.touch || isRepeat === 1 || isByOther(strategy, operation)
}

function newest(operations: readonly Placed[], otherwise: Position): Position {
  let greatest = otherwise
  for (const { position } of operations) if (position > greatest) greatest = position
  return greatest
}
