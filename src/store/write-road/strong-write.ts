/**
 * The port through which the write road hands writes of strong keys to the ordered log. They become
 * operations when their record has come back, on every replica at the same place.
 */
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Receipt, WriteOptions } from './receipt.ts'

export interface StrongChange {
  readonly key: string
  readonly keyspace: Keyspace
  /** The name of the strategy's verb; absent: the key is deleted. */
  readonly verb?: string
  readonly parameters: readonly unknown[]
  /** How long what it writes lives, ms. Absent: as the options of the write say. */
  readonly lifeMs?: number
}

export interface StrongWrites {
  /** All of it counts or none. The receipts are in the order of the changes. */
  write(changes: readonly StrongChange[], options: WriteOptions): Promise<readonly Receipt[]>
}
