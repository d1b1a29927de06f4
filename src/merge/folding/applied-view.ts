import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Applied } from '../../../crdt/strategy.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'

/** The operation that a strategy is looking at. One object for all, valid during one call. */
export class AppliedView implements Applied<never> {
  hlc: Hlc = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  payload = undefined as never
  readonly #reader: OperationReader

  constructor(reader: OperationReader) {
    this.#reader = reader
  }

  load(payload: unknown): this {
    this.hlc = this.#reader.hlc
    this.replica = this.#reader.replica
    this.sequence = this.#reader.sequence
    this.payload = payload as never
    return this
  }

  observed(replica: ReplicaId, sequence: number): boolean {
    return this.#reader.observed(replica, sequence)
  }
}
