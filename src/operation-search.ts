/** Finds one operation in the log by its dot: from the mark before it in the index, by scanning. */
import type { Dot } from '../crdt/dot.ts'
import type { DotIndex } from './dot-index.ts'
import { RECORD_KIND, type Log } from './log/log.ts'
import type { OperationReader } from './operation.ts'

/** Points `reader` at the operation, until something else is read. `false` if it is not in the log any more. */
export function findOperation(log: Log, dots: DotIndex, dot: Dot, reader: OperationReader): boolean {
  let isFound = false
  log.scan(dots.before(dot.replica, dot.sequence - 1), (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
    if (replica !== dot.replica) return true
    isFound = sequence === dot.sequence
    return sequence < dot.sequence
  })
  return isFound
}
