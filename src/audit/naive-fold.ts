/**
 * The definition of a key's state, written a second time in the plainest way: take all operations,
 * sort them, leave out what is cancelled, apply the rest. Shares nothing with the engine's fold
 * (src/merge/) but the strategy, so that each can be held against the other.
 *
 * 1. Canonical order. Of a key that expires only the last life counts: what comes after the last
 *    gap of at least the time to live that the operation before it names, or else the key's
 *    pattern.
 * 2. `'last'`: the greatest operation that the strategy does not refuse. Nothing else. Touches count
 *    for lives alone.
 * 3. Otherwise cancellers (observed deletes, removals of entries) come first, on a state that they
 *    have seen in full; what they had seen and cancel is left out; the rest is applied in canonical
 *    order.
 *
 * 4. Operations of one first name are one operation, those that the base holds among them: the first
 *    counts, the others count for lives alone, and all are gone if one is cancelled. Who had seen one
 *    had seen it, and each of its names in a payload means the one that counts.
 *
 * 5. Where operations cancel others, the key is there while its state is not empty; otherwise,
 *    since it was last written and not deleted.
 *
 * 6. Where several strategies wrote, the key is that of the first operation in canonical order, of
 *    all that no delete has taken away; what lies below comes before it. The operations of the
 *    others are left out. If that is not the strategy that folds, the key cannot be read.
 *
 * Simple and slow: cancellers × operations comparisons. For audits (`checkLog`, `replayLog`), not
 * for reads.
 */
import { formatDot, type Dot } from '../../crdt/time/dot.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { compareStamps, hlcToMs, type Hlc, type Stamp } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy, Applied } from '../../crdt/strategy.ts'
import type { Meter } from '../operation/budget.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { FirstNames } from '../operation/names/first-names.ts'
import { writtenByOther } from '../merge/cannot-fold.ts'
import type { EndedIds } from '../operation/ended-ids.ts'

/** To ask so many cancellers takes as long as to apply an operation. */
const CHECKS_PER_OPERATION = 16

/** One operation of the key. */
export interface KeyOperation extends Stamp {
  readonly isDelete: boolean
  /** The code of the strategy that wrote an update; absent: the one that folds. */
  readonly strategy?: number
  /** It has a place in the key's lives, and changes nothing. */
  readonly isTouch?: boolean
  /** `undefined` if it is malformed; of deletes too. */
  readonly payload: Encodable | undefined
  /**
   * What its writer had seen of the key; its own operations implied, unless the context is exact.
   */
  readonly context: ReadonlyMap<ReplicaId, number>
  readonly isExact?: boolean
  /** How long what it writes lives, ms, from its own word; 0 or absent: it says nothing. */
  readonly lifeMs?: number
  /** Single operations beyond the context that its writer had seen as well. */
  readonly dots?: readonly (readonly [ReplicaId, number])[]
  /** What its context may leave out; absent: nothing. */
  readonly ended?: Pick<EndedIds, 'isSeen'>
  /** Under which name it was issued first, if that is another one. */
  readonly origin?: Dot | undefined
}

/** What the operations are applied to. */
export interface Base {
  readonly state: unknown
  readonly present: boolean
  /** The code of the strategy that made it; absent: the one that folds. */
  readonly strategy?: number
  /** The greatest stamp that it holds; absent if it holds nothing. */
  readonly hlc?: Hlc
  /** How long that lives, ms, from its own word. */
  readonly lifeMs?: number
  readonly vector?: VersionVector
  /** First names of operations in it that were issued again. */
  readonly firstNames?: Pick<FirstNames, 'has'> | undefined
}

export interface Folded {
  readonly state: unknown
  readonly present: boolean
  /** Operations that the strategy refused to apply, of those that it was given. */
  readonly rejectedCount: number
}

export function emptyBase(strategy: AnyStrategy): Base {
  return { state: strategy.initial() as unknown, present: false }
}

/** Operations, given in any order, and what they are folded onto, whose state may be changed. */
export interface Unfolded {
  readonly strategy: AnyStrategy
  readonly base: Base
  readonly operations: readonly KeyOperation[]
  /** How long a life lasts where the operations do not say, ms; 0 for ever. */
  readonly lifeMs: number
}

/** Folds in steps, for keys with long histories. */
export function* naiveFold({ strategy, base, operations, lifeMs }: Unfolded, meter: Meter): Generator<void, Folded> {
  const sorted = [...operations].sort(compareStamps)
  const birth = lastBirth(base, sorted, lifeMs)
  const start = birth === undefined ? base : emptyBase(strategy)
  const same = new Same(base, sorted)
  const unfolded = { strategy, base: start, operations: sorted.slice(birth ?? 0), lifeMs }
  const alive = yield* ownAmong(unfolded, same, meter)
  if (strategy.fold === 'last') return greatest(strategy, start, alive, same)
  return yield* inOrder({ ...unfolded, operations: alive }, same, meter)
}

/** Which operations are the same one. */
class Same {
  readonly #base: Base
  readonly #byName = new Map<string, KeyOperation[]>()
  readonly #firstOf = new Map<string, string>()

  constructor(base: Base, sorted: readonly KeyOperation[]) {
    this.#base = base
    if (base.firstNames === undefined && !sorted.some(({ origin }) => origin !== undefined)) return
    for (const operation of sorted) {
      const name = formatDot(operation.origin ?? operation)
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), operation])
      this.#firstOf.set(formatDot(operation), name)
    }
  }

  /** The operation under all its names, in canonical order. */
  of(operation: KeyOperation): readonly KeyOperation[] {
    return this.#byName.get(formatDot(operation.origin ?? operation)) ?? [operation]
  }

  counts(operation: KeyOperation): boolean {
    const all = this.of(operation)
    if (all[0] !== operation) return false
    const { replica, sequence } = operation.origin ?? operation
    if (this.#base.firstNames?.has(replica, sequence) === true) return false
    const isHere = all.some(({ origin }) => origin === undefined)
    return isHere || this.#base.vector?.includes(replica, sequence) !== true
  }

  /** All names of what has one of them. */
  names({ replica, sequence }: Dot): readonly Dot[] {
    const name = this.#firstOf.get(formatDot({ replica, sequence }))
    return (name === undefined ? undefined : this.#byName.get(name)) ?? [{ replica, sequence }]
  }
}

function lastBirth(base: Base, sorted: readonly KeyOperation[], lifeMs: number): number | undefined {
  for (let i = sorted.length - 1; i >= 0; i--) {
    const before = i === 0 ? base : (sorted[i - 1] as KeyOperation)
    const life = before.lifeMs ? before.lifeMs : lifeMs
    if (before.hlc === undefined || life === 0) continue
    if (hlcToMs((sorted[i] as KeyOperation).hlc) - hlcToMs(before.hlc) >= life) return i
  }
  return undefined
}

function isOther({ code }: AnyStrategy, { strategy, isDelete, isTouch }: KeyOperation): boolean {
  return strategy !== undefined && strategy !== code && !isDelete && isTouch !== true
}

/** The operations that are not set aside, of those given in canonical order. Throws if the key is another strategy's. */
function* ownAmong(unfolded: Unfolded, same: Same, meter: Meter): Generator<void, readonly KeyOperation[]> {
  const { strategy, base, operations } = unfolded
  const isOwn = (operation: KeyOperation): boolean => !isOther(strategy, operation)
  if ((base.strategy ?? strategy.code) === strategy.code && operations.every(isOwn)) return operations
  const owner = yield* ownerOf(unfolded, same, meter)
  if (owner !== undefined && owner !== strategy.code) throw writtenByOther(strategy, owner)
  return operations.filter(isOwn)
}

function* ownerOf(
  { strategy, base, operations }: Unfolded,
  same: Same,
  meter: Meter,
): Generator<void, number | undefined> {
  const cancellers = yield* cancellersAmong(strategy, operations, meter)
  const lastDelete = operations.findLastIndex((operation) => operation.isDelete && same.counts(operation))
  const isByOrder = strategy.fold === 'last' || strategy.deletes === 'ordered'
  const isLeft = (operation: KeyOperation, place: number): boolean => {
    if (operation.isDelete || operation.isTouch === true) return false
    return isByOrder ? place > lastDelete && same.counts(operation) : !isGone(cancellers, operation, same)
  }
  const isBaseGone = isByOrder
    ? lastDelete >= 0
    : operations.some((operation) => operation.isDelete && observesAll(operation, base.vector))
  if (base.present && !isBaseGone) return base.strategy ?? strategy.code
  const first = operations.find(isLeft)
  return first === undefined ? undefined : (first.strategy ?? strategy.code)
}

function greatest(strategy: AnyStrategy, base: Base, sorted: readonly KeyOperation[], same: Same): Folded {
  let rejectedCount = 0
  for (const operation of [...sorted].reverse()) {
    if (operation.isTouch === true || !same.counts(operation)) continue
    const next = step(strategy, emptyBase(strategy), operation, same)
    if (next !== undefined) return { ...next, rejectedCount }
    rejectedCount++
  }
  return { state: base.state, present: base.present, rejectedCount }
}

function* inOrder({ strategy, base, operations: sorted }: Unfolded, same: Same, meter: Meter): Generator<void, Folded> {
  const cancellers = yield* cancellersAmong(strategy, sorted, meter)
  let current: Pick<Base, 'state' | 'present'> = base
  for (const { operation } of cancellers) {
    const next = observesAll(operation, base.vector) ? step(strategy, current, operation, same) : undefined
    if (next !== undefined) current = { state: next.state, present: operation.isDelete ? false : current.present }
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  let rejectedCount = 0
  for (const operation of sorted) {
    meter.spend(1 + cancellers.length / CHECKS_PER_OPERATION, 0)
    if (meter.isSpent) yield
    if (isGone(cancellers, operation, same)) continue
    const next = step(strategy, current, operation, same)
    if (next === undefined) rejectedCount++
    else current = next
  }
  const present = strategy.cancels === undefined ? current.present : !strategy.isEmpty(current.state)
  return { state: current.state, present, rejectedCount }
}

/** Whether it changes nothing, or nothing but what it cancels, or is cancelled under one of its names. */
function isGone(cancellers: readonly Canceller[], operation: KeyOperation, same: Same): boolean {
  if (operation.isTouch === true || !same.counts(operation)) return true
  if (cancellers.some((later) => later.operation === operation)) return true
  return same.of(operation).some((name) => cancellers.some((later) => cancels(later, name)))
}

/** `undefined` if the strategy refuses. */
function step(
  strategy: AnyStrategy,
  before: Pick<Base, 'state' | 'present'>,
  operation: KeyOperation,
  same: Same,
): Pick<Base, 'state' | 'present'> | undefined {
  if (operation.isDelete) return { state: strategy.initial() as unknown, present: false }
  const { payload } = operation
  if (payload === undefined) return undefined
  const nameOf = (replica: ReplicaId, sequence: number): readonly [ReplicaId, number] => {
    const [first = { replica, sequence }] = same.names({ replica, sequence })
    return [first.replica, first.sequence]
  }
  try {
    const applied: Applied<Encodable> = {
      hlc: operation.hlc,
      replica: operation.replica,
      sequence: operation.sequence,
      payload: (strategy.rebase?.(payload, nameOf) ?? payload) as Encodable,
      observed: (replica, sequence) =>
        same.names({ replica, sequence }).some((name) => observed(operation, name.replica, name.sequence)),
    }
    return { state: strategy.apply(before.state, applied) as unknown, present: true }
  } catch {
    return undefined
  }
}

interface Canceller {
  readonly operation: KeyOperation
  /** Whether it takes away an operation that its writer had seen. */
  readonly covers: (earlier: KeyOperation) => boolean
}

function* cancellersAmong(
  strategy: AnyStrategy,
  operations: readonly KeyOperation[],
  meter: Meter,
): Generator<void, Canceller[]> {
  const cancellers: Canceller[] = []
  for (const operation of operations) {
    const covers = coverage(strategy, operation)
    if (covers !== undefined) cancellers.push({ operation, covers })
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return cancellers
}

function coverage(strategy: AnyStrategy, operation: KeyOperation): Canceller['covers'] | undefined {
  if (operation.isDelete) return strategy.deletes === 'observed' ? () => true : undefined
  if (operation.payload === undefined) return undefined
  try {
    const covers = strategy.cancels?.(operation.payload) as ((earlier: Encodable) => boolean) | undefined
    if (covers === undefined) return undefined
    return (earlier) => !earlier.isDelete && earlier.payload !== undefined && covers(earlier.payload)
  } catch {
    return undefined
  }
}

function cancels({ operation, covers }: Canceller, earlier: KeyOperation): boolean {
  if (!observed(operation, earlier.replica, earlier.sequence)) return false
  try {
    return covers(earlier)
  } catch {
    return false
  }
}

function observed(operation: KeyOperation, replica: ReplicaId, sequence: number): boolean {
  if (replica === operation.replica && operation.isExact !== true) return sequence < operation.sequence
  if (sequence <= (operation.context.get(replica) ?? 0)) return true
  if (operation.dots?.some(([of, at]) => of === replica && at === sequence) === true) return true
  const hasSeen = (writer: ReplicaId, at: number): boolean =>
    writer === operation.replica && operation.isExact !== true
      ? at < operation.sequence
      : at <= (operation.context.get(writer) ?? 0)
  return operation.ended?.isSeen(replica, hasSeen) === true
}

function observesAll(operation: KeyOperation, vector: VersionVector | undefined): boolean {
  if (vector === undefined) return true
  // A single dot says nothing of the operations before it.
  const whole = { ...operation, dots: [] }
  return [...vector.entries()].every(([replica, sequence]) => observed(whole, replica, sequence))
}
