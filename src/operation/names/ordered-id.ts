/**
 * Under which ids operations are numbered that an ordered log has put in their order: each of its
 * partitions has one, which is the same on every replica, so that all of them number alike. Such an
 * id is told by its first four bytes; no replica draws one of that form.
 */
import { replicaIdFromBytes, type ReplicaId } from '../../../crdt/time/replica-id.ts'

const PREFIX = 'ffffffff'
/** The last byte holds twice the partition: the lowest bit of ids is clear. */
export const PARTITIONS_MAX = 64

/** `identity`: of the log, 16 hexadecimal digits. */
export function orderedIdOf(identity: string, partition: number): ReplicaId {
  const bytes = new Uint8Array(8).fill(0xff)
  for (let i = 0; i < 3; i++) bytes[4 + i] = Number.parseInt(identity.slice(2 * i, 2 * i + 2), 16)
  bytes[7] = partition * 2
  return replicaIdFromBytes(bytes)
}

/** The beginning of the names under which a log keeps its places in an ordered log. */
export const ORDERED_PLACES = 'warp:order/'

export function isOrderedId(replica: ReplicaId): boolean {
  return replica.startsWith(PREFIX)
}
