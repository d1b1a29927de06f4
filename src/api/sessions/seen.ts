/**
 * What a session has seen, so that another replica can say whether it has that too: of eventual keys a
 * version vector (the operations of the keys that were read and written; what these depend on comes
 * before them everywhere), of strong keys how many operations the ordered log had given.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'

/** Of one ordered log: by partition, how many of its operations have been seen. */
export interface SeenOrder {
  /** Which log, by a hash of its identity. */
  readonly log: number
  readonly counts: Map<number, number>
}

export class Seen {
  readonly vector: VersionVector = new VersionVector()
  order: SeenOrder | undefined

  saw(replica: ReplicaId, sequence: number): void {
    this.vector.raise(replica, sequence)
  }

  sawOrdered(log: number, partition: number, count: number): void {
    // Of another log nothing holds any more: it was replaced.
    if (this.order?.log !== log) this.order = { log, counts: new Map() }
    const { counts } = this.order
    counts.set(partition, Math.max(counts.get(partition) ?? 0, count))
  }

  join({ vector, order }: Seen): void {
    this.vector.join(vector)
    for (const [partition, count] of order?.counts ?? []) this.sawOrdered(order!.log, partition, count)
  }
}
