/** Works out why a key has its value: what became of each operation, and what was concurrent. */
import type { Dot } from '../../crdt/time/dot.ts'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Slot } from '../keys/key-table.ts'
import { FATE } from '../merge/folding/cancellation.ts'
import { inOrder } from '../merge/folding/in-order.ts'
import { isByOther } from '../merge/folding/owner.ts'
import type { Placed } from '../merge/placed.ts'
import type { Meter } from '../operation/budget.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { keepOperation } from '../store/kept-operation.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Steady } from '../store/read-steadily.ts'
import { EXPLAINED_DEFAULT } from './explanation.ts'
import type { DotRange, Effect, ExplainedOperation, ExplainOptions, Explanation } from './explanation.ts'

export interface Explained extends Steady {
  readonly key: string
  readonly slot: Slot
}

/** All but the value, which may be another one by the time that this is done. */
export function* explainSteps(
  store: KeyStore,
  explained: Explained,
  { before, limit = EXPLAINED_DEFAULT }: ExplainOptions,
  meter: Meter,
): Generator<void, Explanation> {
  const { key, slot, chain } = explained
  const { chains } = store.folder
  const strategy = store.strategyAt(slot)
  const arrived = yield* chains.operationsSteps(chain, meter)
  const ordered = yield* inOrder(arrived, meter)
  const to = before === undefined ? ordered.length : placeOf(ordered, before, key)
  const from = Math.max(0, to - limit)
  const effectOf = yield* effects(store, explained, ordered, meter)
  const concurrency = yield* Concurrency.of(store, ordered, meter)
  const compactedCount = explained.version - arrived.length
  const operations: ExplainedOperation[] = []
  for (let i = from; i < to; i++) {
    const operation = ordered[i] as Placed
    const concurrentWith = concurrency.with(operation, meter)
    const version = compactedCount + arrivalOf(arrived, operation) + 1
    const kept = keepOperation(store, key, version, operation.position)
    operations.push({ operation: kept, effect: effectOf(i), concurrentWith })
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  const isCompacted = compactedCount > 0 && chain.snapshot > 0
  return {
    ...{ key, value: undefined, strategy: strategy.kind, operations },
    ...(from > 0 ? earlierThan(operations, from) : {}),
    ...(isCompacted ? compacted(compactedCount, chains.head(chains.record(chain.snapshot)).hlc) : {}),
  }
}

function earlierThan([first]: readonly ExplainedOperation[], count: number): Pick<Explanation, 'earlier'> {
  return first === undefined ? {} : { earlier: { operationsCount: count, before: first.operation.dot } }
}

function compacted(count: number, hlc: number): Pick<Explanation, 'compacted'> {
  return { compacted: { operationsCount: count, version: count, timeMs: hlcToMs(hlc) } }
}

/** The dot may be the first name of an operation that has been issued again. */
function placeOf(ordered: readonly Placed[], { replica, sequence }: Dot, key: string): number {
  const isNamed = (dot: Dot | undefined): boolean => dot?.sequence === sequence && dot.replica === replica
  const byDot = ordered.findIndex(isNamed)
  const place = byDot >= 0 ? byDot : ordered.findIndex(({ origin }) => isNamed(origin))
  if (place >= 0) return place
  throw new WarpError(
    'WARP_E_HISTORY',
    `explain: '${key}' has no operation ${replica}:${sequence} in the log; give the 'before' of an explanation`,
    { details: { key, replica, sequence } },
  )
}

/** Which of the operations that arrived it is. They lie in the log in that order. */
function arrivalOf(arrived: readonly Placed[], { position }: Placed): number {
  return firstIndex(arrived, (other) => other.position >= position)
}

/** What became of each operation, by its place in canonical order. */
function* effects(
  store: KeyStore,
  { slot, chain }: Explained,
  ordered: readonly Placed[],
  meter: Meter,
): Generator<void, (place: number) => Effect> {
  const strategy = store.strategyAt(slot)
  const isOther = (place: number): boolean => isByOther(strategy, ordered[place] as Placed)
  const isTouch = (place: number): boolean => ordered[place]?.kind === OPERATION_KIND.touch
  // A delete is no value that could expire.
  const isOver = store.values.isOver(slot, store.env.now())
  const counted = (place: number, effect: Effect): Effect =>
    isOver && ordered[place]?.kind !== OPERATION_KIND.delete ? 'expired' : effect
  if (strategy.fold === 'last') {
    const isRepeat = yield* store.folder.whole.repeatsSteps({ strategy, chain, operations: ordered }, meter)
    const isLeft = (place: number): boolean => !isTouch(place) && !isOther(place) && isRepeat?.[place] !== 1
    const won = ordered.findLastIndex((_, place) => isLeft(place))
    return (place) => {
      if (isTouch(place)) return 'renewed'
      if (isRepeat?.[place] === 1) return 'repeated'
      if (isOther(place)) return 'set-aside'
      return place === won ? counted(place, 'won') : 'superseded'
    }
  }
  const judged = yield* store.folder.whole.judgeSteps({ strategy, chain, operations: ordered }, meter)
  const { birth, fates, isRejected, isRepeat } = judged
  const lastClearing =
    strategy.deletes === 'ordered' ? ordered.findLastIndex(({ kind }) => kind === OPERATION_KIND.delete) : -1
  return (place) => {
    if (place < birth) return 'expired'
    if (isTouch(place)) return 'renewed'
    if (isRepeat?.[place] === 1) return 'repeated'
    if (fates[place - birth] === FATE.cancelled || place < lastClearing) return 'cancelled'
    if (isOther(place)) return 'set-aside'
    return isRejected[place - birth] === 1 ? 'rejected' : counted(place, 'merged')
  }
}

/** For an operation those that neither it observed nor that observed it. */
class Concurrency {
  readonly #store: KeyStore
  /** In canonical order, which is that of their sequences. */
  readonly #byReplica = new Map<ReplicaId, Placed[]>()

  static *of(store: KeyStore, ordered: readonly Placed[], meter: Meter): Generator<void, Concurrency> {
    const concurrency = new Concurrency(store)
    for (const operation of ordered) {
      concurrency.#take(operation)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    return concurrency
  }

  private constructor(store: KeyStore) {
    this.#store = store
  }

  #take(operation: Placed): void {
    const own = this.#byReplica.get(operation.replica)
    if (own === undefined) this.#byReplica.set(operation.replica, [operation])
    else own.push(operation)
  }

  with(operation: Placed, meter: Meter): DotRange[] {
    const ranges: DotRange[] = []
    for (const [replica, others] of this.#byReplica) {
      if (replica === operation.replica) continue
      // One replica's operations are: observed by this one, concurrent with it, having observed
      // it; in this order.
      const from = this.#first(others, (other) => !this.#observes(operation, other), meter)
      const to = this.#first(others, (other) => this.#observes(other, operation), meter)
      const [first, last] = [others[from], others[to - 1]]
      if (from < to && first !== undefined && last !== undefined)
        ranges.push({ replica, from: first.sequence, through: last.sequence })
    }
    return ranges
  }

  #first(others: readonly Placed[], holds: (other: Placed) => boolean, meter: Meter): number {
    return firstIndex(others, (other) => {
      meter.spend(1, 0)
      return holds(other)
    })
  }

  #observes(later: Placed, earlier: Placed): boolean {
    return this.#store.folder.chains.read(later.position).observed(earlier.replica, earlier.sequence)
  }
}

/** The first index from which on `holds` is true; it must not become false again. */
function firstIndex(operations: readonly Placed[], holds: (operation: Placed) => boolean): number {
  let low = 0
  let high = operations.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(operations[middle] as Placed)) high = middle
    else low = middle + 1
  }
  return low
}
