/**
 * The causal context of an operation that is about to be written: what its writer has seen of the
 * key.
 *
 * A key that was gone and stable has been forgotten here, with its vector; elsewhere its former
 * life may still be part of a snapshot. What takes away has to say that it had seen that life as
 * well, or it would spare the snapshot. All that has been forgotten here lies below the floor, and
 * all below the floor has been seen: so for cancellers the floor is part of the context. It costs
 * an entry for each replica, and only where something has been compacted.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'

export interface Written {
  readonly slot: Slot | undefined
  readonly keyspace: Keyspace
  readonly kind: number
  readonly payload: unknown
}

export function writtenContext(
  keys: KeyTable,
  floor: VersionVector,
  writer: ReplicaId,
  written: Written,
): VectorEntries | undefined {
  const { slot, keyspace } = written
  const seen = slot === undefined ? undefined : keys.context(slot, writer)
  const isOthers = slot !== undefined && keys.strategy[slot] !== keyspace.code
  if (floor.size === 0 || !keyspace.domain.isSent || !cancels(written, isOthers)) return seen
  const all = VersionVector.from(seen ?? [])
  all.join(floor)
  return all.entriesWithout(writer)
}

/** To those who read the key by another strategy, a delete may be one that cancels. */
function cancels({ keyspace: { strategy }, kind, payload }: Written, isOthers: boolean): boolean {
  if (kind === OPERATION_KIND.delete) return strategy.deletes === 'observed' || isOthers
  return payload !== undefined && strategy.cancels?.(payload) !== undefined
}
