/**
 * Which operations have no effect because others, whose writers had seen them, take them away: deletes of keys, removals of entries (see
 * `cancels` in `crdt/strategy.ts`).
 *
 * Cost of looking at n operations of which c cancel: n reads, and up to c × n comparisons in memory.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { OPERATION_KIND } from '../operation/kinds.ts'
import type { OperationReader } from '../operation/operation-reader.ts'
import type { Placed } from './placed.ts'

/** Reads an operation in place. Valid until the next one is read. */
type Read = (operation: Placed) => OperationReader

/**
 * The operations that another one cancels (`'cancelled'`), and the cancellers themselves (`'base'`: they observed the whole base, so
 * what they cancel there is cancelled first). A canceller that is itself cancelled still cancels.
 */
export function cancelledBy(
  strategy: AnyStrategy,
  operations: readonly Placed[],
  read: Read,
): Map<Placed, 'cancelled' | 'base'> {
  const result = new Map<Placed, 'cancelled' | 'base'>()
  const cancellers = cancellersAmong(strategy, operations, read)
  if (cancellers.length === 0) return result
  for (const { operation } of cancellers) result.set(operation, 'base')
  for (const operation of operations) {
    if (result.has(operation)) continue
    const { replica, sequence } = operation
    const observing = cancellers.filter(({ seen }) => seen.includes(replica, sequence))
    if (observing.length === 0) continue
    const payload = strategy.cancels === undefined ? undefined : payloadOf(strategy, read(operation))
    if (observing.some(({ covers }) => covers(payload))) result.set(operation, 'cancelled')
  }
  return result
}

/** Whether an operation cancels others. */
export function isCanceller(strategy: AnyStrategy, operation: OperationReader): boolean {
  if (operation.kind === OPERATION_KIND.delete) return strategy.deletes === 'observed'
  return strategy.cancels !== undefined && coverageOf(strategy, payloadOf(strategy, operation)) !== undefined
}

interface Canceller {
  readonly operation: Placed
  /** What its writer had seen. */
  readonly seen: VersionVector
  /** Given the payload of an operation that it had seen. */
  readonly covers: (payload: Encodable | undefined) => boolean
}

function always(): boolean {
  return true
}

function isTrue(covers: (earlier: Encodable) => boolean, earlier: Encodable): boolean {
  try {
    return covers(earlier)
  } catch {
    return false
  }
}

function cancellersAmong(strategy: AnyStrategy, operations: readonly Placed[], read: Read): Canceller[] {
  const found: Canceller[] = []
  for (const operation of operations) {
    const reader = read(operation)
    if (!isCanceller(strategy, reader)) continue
    const seen = VersionVector.from(reader.context())
    seen.raise(operation.replica, operation.sequence - 1)
    const covers =
      operation.kind === OPERATION_KIND.delete ? undefined : coverageOf(strategy, payloadOf(strategy, reader))
    found.push({ operation, seen, covers: covers ?? always })
  }
  return found
}

/** What a payload cancels. A strategy that throws over it cancels nothing; it will refuse to apply it as well. */
function coverageOf(strategy: AnyStrategy, payload: Encodable | undefined): Canceller['covers'] | undefined {
  try {
    const covers = payload === undefined ? undefined : strategy.cancels?.(payload)
    return covers === undefined ? undefined : (earlier) => earlier !== undefined && isTrue(covers, earlier)
  } catch {
    return undefined
  }
}

/** The payload of an update; `undefined` if it is none of this strategy's, or malformed. */
function payloadOf(strategy: AnyStrategy, operation: OperationReader): Encodable | undefined {
  if (operation.kind !== OPERATION_KIND.update || operation.strategy !== strategy.code) return undefined
  try {
    return decode(operation.bytes, operation.payloadStart, operation.end)
  } catch {
    return undefined
  }
}
