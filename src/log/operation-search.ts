/**
 * Finds operations in the log: a single operation by its dot, or all operations from a position on.
 * A search by dot scans from the nearest earlier entry of the index.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { DotIndex } from '../operation/dot-index.ts'
import { type Meter, UNBOUNDED } from '../operation/budget.ts'
import { RECORD_KIND, type Log } from './log.ts'
import { isOfKey } from '../operation/envelope/kinds.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'

/**
 * Points `reader` at the operation, until something else is read. `false` if it is not in the log
 * any more. See `isInOrder`.
 */
export function findOperation(log: Log, dots: DotIndex, dot: Dot, reader: OperationReader): boolean {
  let isFound = false
  log.scan(dots.before(dot.replica, dot.sequence - 1), (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
    if (replica !== dot.replica) return true
    isFound = sequence === dot.sequence
    return !isFound && (sequence < dot.sequence || !isInOrder(reader))
  })
  return isFound
}

/**
 * Whether all operations of its writer that lie behind it in the log are later ones. Those of keys lie
 * in the order of their numbers. An operation of no key may lie further in front: whoever takes over a
 * state keeps those that are here where they are, in front of the new state.
 */
export function isInOrder({ kind }: OperationReader): boolean {
  return isOfKey(kind)
}

export interface ScannedRange {
  readonly from: Position
  readonly to: Position
  /** Default: the scan is done in one go. */
  readonly meter?: Meter | undefined
}

/**
 * Visits the operations from `from` up to `to`, until `visit` returns `false` or the step is over.
 * Every record that is looked at counts, also one that is no operation; the first record of a step
 * is always looked at. Returns where to continue.
 */
export function scanOperations(
  log: Log,
  { from, to, meter = UNBOUNDED }: ScannedRange,
  reader: OperationReader,
  visit: (operation: OperationReader) => boolean,
): Position {
  let beyond: Position | undefined
  const next = log.scan(from, (record) => {
    if (record.position >= to || meter.isSpent) {
      beyond = record.position
      return false
    }
    meter.spend(1, record.end - record.start)
    if (record.kind !== RECORD_KIND.operation) return true
    return visit(reader.load(record.bytes, record.start, record.end))
  })
  // The log goes on behind the record that stopped it, and that record has not been visited.
  return beyond ?? next
}
