/**
 * What a partition keeps beside its place: locks, and the tokens that have written its keys. It is
 * written in one group of records with the command that has changed it.
 */
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import { expectArray } from '../../../../crdt/encoding/stored-state.ts'
import type { NewCheckpoint } from '../../../log/feed/feed-checkpoints.ts'
import { FenceTable } from './fence-table.ts'
import type { LockEvent } from './lock-state.ts'
import { LockTable } from './lock-table.ts'

export class PartitionTables {
  readonly locks: LockTable
  readonly fences: FenceTable

  /** `name`: what the checkpoints of the partition begin with. Throws `WARP_E_PROTOCOL`. */
  constructor(name: string, find: (name: string) => Uint8Array | undefined) {
    this.locks = new LockTable(`${name}/locks`)
    this.fences = new FenceTable(`${name}/fences`)
    this.locks.load(find)
    this.fences.kept.load(find)
  }

  /** What has changed and is to be written. */
  changed(): NewCheckpoint[] {
    return [...this.locks.kept.changed(), ...this.fences.kept.changed()]
  }

  /** It is written. Returns what is to be told. */
  counts(): readonly LockEvent[] {
    this.fences.kept.kept()
    return this.locks.counts()
  }

  /** It could not be written. */
  undo(): void {
    this.locks.undo()
    this.fences.kept.undo()
  }

  /** All of it, for a snapshot of the partition. */
  encode(): Encodable {
    return [this.locks.encode(), this.fences.encode()]
  }

  /** Puts what a snapshot holds in the place of what is here. Throws `WARP_E_PROTOCOL`. */
  replace(encoded: Encodable | undefined): void {
    const [locks, fences] = expectArray(encoded)
    this.locks.replace(locks)
    try {
      this.fences.kept.replace(fences)
    } catch (error) {
      this.locks.undo()
      throw error
    }
  }
}
