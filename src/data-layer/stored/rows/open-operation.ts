/** An operation of a key that the row of the store may lack. */
import type { Dot } from '../../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../../crdt/time/replica-id.ts'
import type { Stamp } from '../../../../crdt/time/hlc.ts'
import type { VersionVector } from '../../../../crdt/time/version-vector.ts'
import type { OperationReader } from '../../../operation/envelope/operation-reader.ts'
import type { Position } from '../../../operation/position.ts'

export interface OpenOperation extends Stamp {
  /** Where it lies in the log. */
  readonly position: Position
  readonly kind: number
  /** The code of the strategy that made its payload. */
  readonly strategy: number
  /** Of one that is not in the log yet: what it carries, and what its writer has seen. */
  readonly draft?: Draft
  /** Other names under which a row may hold it: its first one, and the one of a write through. */
  readonly others: readonly Dot[]
  /** It has been issued again, with a later stamp: where a row holds it by its first name, the row knows its place. */
  readonly isReissued?: boolean
}

export interface Draft {
  readonly payload: unknown
  observed(replica: ReplicaId, sequence: number): boolean
}

const NONE: readonly Dot[] = []

export function openOperation(reader: OperationReader, position: Position): OpenOperation {
  const { hlc, replica, sequence, kind, strategy } = reader
  const plain = { hlc, replica, sequence, kind, strategy, position }
  if (!reader.hasFields) return { ...plain, others: NONE }
  const origin = reader.origin()
  const others = [origin, reader.rowName()].filter((dot) => dot !== undefined)
  return { ...plain, others, isReissued: origin !== undefined }
}

/** Whether a row with this vector holds it. */
export function isIn(vector: VersionVector, { replica, sequence, others }: OpenOperation): boolean {
  // A draft has no number of its own yet.
  if (sequence > 0 && vector.includes(replica, sequence)) return true
  return others.some((other) => vector.includes(other.replica, other.sequence))
}

/** The row holds it from now on, under all its names. */
export function putIn(vector: VersionVector, { replica, sequence, others }: OpenOperation): void {
  vector.raise(replica, sequence)
  for (const other of others) vector.raise(other.replica, other.sequence)
}

/** Whether a row holds it, and in another place among the others than its present stamp would give it. */
export function isPlacedBy(vector: VersionVector): (operation: OpenOperation) => boolean {
  return (operation) =>
    operation.isReissued === true && !vector.includes(operation.replica, operation.sequence) && isIn(vector, operation)
}
