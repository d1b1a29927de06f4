/**
 * Who writes here. A lane is a replica id with the sequence of its next operation. There are two: the shared one, and one for keys
 * of mode `local`, whose operations never leave, so that the shared sequence has no holes for others to wait for.
 */
import { REPLICA_ID_BYTES, replicaIdFromBytes, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Env } from '../ports/env.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { VectorEntries } from '../operation/vector-entries.ts'

export class Lane {
  readonly replica: ReplicaId
  readonly bytes: Uint8Array
  /** Operations written so far. */
  sequence: number
  /** Others whose operations have been applied since this lane's last one: the next one depends on them. */
  readonly #changed = new Set<ReplicaId>()

  constructor(replica: ReplicaId, table: ReplicaTable, sequence = 0) {
    this.replica = table.intern(replica)
    this.bytes = table.bytes(this.replica)
    this.sequence = sequence
  }

  noteApplied(replica: ReplicaId): void {
    this.#changed.add(replica)
  }

  /** What the next operation depends on besides this lane's own previous one. */
  dependencies(applied: VersionVector): VectorEntries | undefined {
    if (this.#changed.size === 0) return undefined
    return [...this.#changed].map((replica) => [replica, applied.get(replica)] as const)
  }

  /** The operation has been written. */
  advance(): void {
    this.sequence++
    if (this.#changed.size > 0) this.#changed.clear()
  }
}

export function newReplicaId(env: Env): ReplicaId {
  return replicaIdFromBytes(env.random(REPLICA_ID_BYTES))
}
