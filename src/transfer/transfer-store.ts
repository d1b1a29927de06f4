import type { Log } from '../log/log.ts'
import type { ReplicationStore } from '../replication/store.ts'
import type { KeyStore } from '../store/key-store.ts'

/** What an export reads and an import fills: the engine, as far as these two may know it. */
export interface TransferStore extends ReplicationStore {
  readonly log: Log
  readonly store: KeyStore
}
