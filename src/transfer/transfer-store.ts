import type { Log } from '../log/log.ts'
import type { SnapshotExport } from '../membership/snapshot-ports.ts'
import type { ReplicationStore } from '../replication/store.ts'
import type { KeyStore } from '../store/key-store.ts'

/** What an export reads and an import fills: the engine, as far as these two may know it. */
export interface TransferStore extends ReplicationStore {
  readonly log: Log
  readonly store: KeyStore
  /** See `ReplicationStore`. `holder` says who holds compaction back meanwhile. */
  exportSnapshot(chunkBytes: number, holder?: string): SnapshotExport
}
