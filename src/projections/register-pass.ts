/**
 * A register's value while the log is read from its beginning: nearly always the payload of the
 * record at hand, unless a greater one came before. So a rebuild that reads every value folds
 * nothing and reads no record twice (`npm run bench -- replay`).
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import { copyLoose, shared } from '../../crdt/encoding/shared-value.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'

const REGISTER_CODE = 1

/**
 * Whether the operation was issued again, or written by another strategy: then it is for the fold to
 * say which operation of its key counts.
 */
export function isForFold(operation: OperationReader): boolean {
  if (operation.hasFields && operation.origin() !== undefined) return true
  return operation.kind === OPERATION_KIND.update && operation.strategy !== REGISTER_CODE
}

/**
 * The value after the greatest operation of the key. `undefined` where the key has to be folded: it
 * has no value, or the fold has to judge this operation.
 */
export function valueAfter(operation: OperationReader): unknown {
  if (operation.kind !== OPERATION_KIND.update) return undefined
  const { bytes, payloadStart, end } = operation
  try {
    return copyLoose(shared(decode(bytes, payloadStart, end)))
  } catch {
    return undefined
  }
}
