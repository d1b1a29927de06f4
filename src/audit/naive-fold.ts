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
 * 4. Where operations cancel others, the key is there while its state is not empty; otherwise,
 *    since it was last written and not deleted.
 *
 * Simple and slow: cancellers × operations comparisons. For audits (`checkLog`, `replayLog`), not
 * for reads.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { compareStamps, hlcToMs, type Hlc, type Stamp } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy, Applied } from '../../crdt/strategy.ts'
import type { Meter } from '../operation/budget.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { EndedIds } from '../operation/ended-ids.ts'

/** To ask so many cancellers takes as long as to apply an operation. */
const CHECKS_PER_OPERATION = 16

/** One operation of the key. */
export interface KeyOperation extends Stamp {
  readonly isDelete: boolean
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
}

/** What the operations are applied to. */
export interface Base {
  readonly state: unknown
  readonly present: boolean
  /** The greatest stamp that it holds; absent if it holds nothing. */
  readonly hlc?: Hlc
  /** How long that lives, ms, from its own word. */
  readonly lifeMs?: number
  readonly vector?: VersionVector
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
  const alive = sorted.slice(birth ?? 0)
  if (strategy.fold === 'last') return greatest(strategy, start, alive)
  return yield* inOrder({ strategy, base: start, operations: alive, lifeMs }, meter)
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

function greatest(strategy: AnyStrategy, base: Base, sorted: readonly KeyOperation[]): Folded {
  let rejectedCount = 0
  for (const operation of [...sorted].reverse()) {
    if (operation.isTouch === true) continue
    const next = step(strategy, emptyBase(strategy), operation)
    if (next !== undefined) return { ...next, rejectedCount }
    rejectedCount++
  }
  return { state: base.state, present: base.present, rejectedCount }
}

function* inOrder({ strategy, base, operations: sorted }: Unfolded, meter: Meter): Generator<void, Folded> {
  const cancellers = yield* cancellersAmong(strategy, sorted, meter)
  let current: Pick<Base, 'state' | 'present'> = base
  for (const { operation } of cancellers) {
    const next = observesAll(operation, base.vector) ? step(strategy, current, operation) : undefined
    if (next !== undefined) current = { state: next.state, present: operation.isDelete ? false : current.present }
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  let rejectedCount = 0
  for (const operation of sorted) {
    meter.spend(1 + cancellers.length / CHECKS_PER_OPERATION, 0)
    if (meter.isSpent) yield
    if (operation.isTouch === true) continue
    if (cancellers.some((later) => later.operation === operation || cancels(later, operation))) continue
    const next = step(strategy, current, operation)
    if (next === undefined) rejectedCount++
    else current = next
  }
  const present = strategy.cancels === undefined ? current.present : !strategy.isEmpty(current.state)
  return { state: current.state, present, rejectedCount }
}

/** `undefined` if the strategy refuses. */
function step(
  strategy: AnyStrategy,
  before: Pick<Base, 'state' | 'present'>,
  operation: KeyOperation,
): Pick<Base, 'state' | 'present'> | undefined {
  if (operation.isDelete) return { state: strategy.initial() as unknown, present: false }
  const { payload } = operation
  if (payload === undefined) return undefined
  const applied: Applied<Encodable> = {
    hlc: operation.hlc,
    replica: operation.replica,
    sequence: operation.sequence,
    payload,
    observed: (replica, sequence) => observed(operation, replica, sequence),
  }
  try {
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
