import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Applied } from '../../../crdt/strategy.ts'
import type { Repeats } from './repeats.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'

/** The operation that a strategy is looking at. One object for all, valid during one call. */
export class AppliedView implements Applied<never> {
  hlc: Hlc = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  payload = undefined as never
  readonly #reader: OperationReader
  #repeats: Repeats | undefined

  constructor(reader: OperationReader) {
    this.#reader = reader
  }

  /** `repeats`: operations of the key that are here more than once. */
  load(payload: unknown, repeats?: Repeats): this {
    this.#repeats = repeats
    this.hlc = this.#reader.hlc
    this.replica = this.#reader.replica
    this.sequence = this.#reader.sequence
    this.payload = payload as never
    return this
  }

  observed(replica: ReplicaId, sequence: number): boolean {
    if (this.#reader.observed(replica, sequence)) return true
    return this.#repeats !== undefined && this.#repeats.isSeen(replica, sequence, this.#observed)
  }

  readonly #observed = (replica: ReplicaId, sequence: number): boolean => this.#reader.observed(replica, sequence)
}
