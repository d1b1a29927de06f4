/**
 * One operation as the laws see it, and what the operations of a key do to each other, said in the
 * plainest way: who had seen what, and which of them are cancelled. The words of
 * `crdt/strategy.ts`, without an engine.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { Stamp } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { compareStamps } from '../../crdt/time/hlc.ts'

/** What somebody wants to do to a key: a verb of its strategy and the verb's parameters. */
export interface VerbCall {
  readonly verb: string
  readonly parameters: readonly unknown[]
}

/** One operation of the one key that a law is checked on. */
export interface LawOperation extends Stamp {
  /** What the writer had seen of this key; its own operations implied, unless the context is exact. */
  readonly context: VersionVector
  readonly isExact?: boolean
  /** Single operations beyond the context that the writer had seen as well. */
  readonly dots?: readonly (readonly [ReplicaId, number])[]
  readonly isDelete: boolean
  /** As decoded from its bytes, frozen; `null` for deletes. */
  readonly payload: Encodable
  /** What the writer wanted, if a verb made the payload. */
  readonly intent?: VerbCall
}

/** Whether the writer of `later` had seen `earlier`. */
export function hasObserved(later: LawOperation, earlier: Stamp): boolean {
  if (later.replica === earlier.replica && later.isExact !== true) return earlier.sequence < later.sequence
  if (later.context.includes(earlier.replica, earlier.sequence)) return true
  return later.dots?.some(([replica, at]) => replica === earlier.replica && at === earlier.sequence) === true
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

/** Whether `later` takes `earlier` away. */
export function cancels(strategy: AnyStrategy, later: LawOperation, earlier: LawOperation): boolean {
  if (later.isDelete && strategy.deletes === 'ordered') return compareStamps(earlier, later) < 0
  if (!hasObserved(later, earlier)) return false
  if (later.isDelete) return true
  return strategy.cancels?.(later.payload)?.(earlier.payload) ?? false
}
