/**
 * A register's value while the log is read from its beginning: nearly always the payload of the
 * record at hand, unless a greater one came before. So a rebuild that reads every value folds
 * nothing and reads no record twice (`npm run bench -- replay`).
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import { copyLoose, shared } from '../../crdt/encoding/shared-value.ts'
import { compareStamps, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'

export class RegisterPass {
  /** Where the greatest operation so far lies. */
  #position: Position = 0
  #hlc: Hlc = 0
  #replica = '' as ReplicaId
  #sequence = 0
  /** Something was issued again, or written by another strategy: which operation counts is for the fold to say. */
  #isFolded = false

  /** Takes note of the next operation of the key. */
  take(operation: OperationReader, position: Position): void {
    const { hlc, replica, sequence } = operation
    if (operation.hasFields && operation.origin() !== undefined) this.#isFolded = true
    if (operation.kind === OPERATION_KIND.update && operation.strategy !== REGISTER_CODE) this.#isFolded = true
    if (this.#position > 0 && hlc <= this.#hlc) {
      const greatest = { hlc: this.#hlc, replica: this.#replica, sequence: this.#sequence }
      if (compareStamps(operation, greatest) < 0) return
    }
    this.#position = position
    this.#hlc = hlc
    this.#replica = replica
    this.#sequence = sequence
  }

  /**
   * The value after the operation at `position`, which is the one that was read last. `undefined`
   * where the key has to be folded: it has no value, or an earlier operation is greater, or the
   * fold has to judge this one.
   */
  value(operation: OperationReader, position: Position): unknown {
    if (this.#isFolded || this.#position !== position || operation.kind !== OPERATION_KIND.update) return undefined
    const { bytes, payloadStart, end } = operation
    try {
      return copyLoose(shared(decode(bytes, payloadStart, end)))
    } catch {
      return undefined
    }
  }
}

const REGISTER_CODE = 1
