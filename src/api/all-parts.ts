/** Every part there is, for entry points that leave nothing out. */
import { DeclaredChannels } from '../channels/channel-options.ts'
import { Channels } from '../channels/channels.ts'
import { DataLayer } from '../data-layer/data-layer.ts'
import { History } from '../history/history.ts'
import { Replicator } from '../replication/replicator.ts'
import { OwnLockDesk } from '../strong/locks/lock-desk.ts'
import { ReplicaLocks } from '../strong/locks/replica-locks.ts'
import { StrongCalls } from '../strong/strong-calls.ts'
import { StrongKeys } from '../strong/strong-keys.ts'
import { StrongWriter } from '../strong/strong-writer.ts'
import { Transactions } from '../strong/transactions/transactions.ts'
import { exportLines } from '../transfer/export-lines.ts'
import { importLines } from '../transfer/import-lines.ts'
import type { WarpParts } from './parts.ts'

export const ALL_PARTS: WarpParts = {
  replication: Replicator,
  transfer: { exportLines, importLines },
  history: History,
  dataLayer: DataLayer,
  strong: {
    ...{ keys: StrongKeys, writer: StrongWriter, calls: StrongCalls, transactions: Transactions },
    ...{ locks: ReplicaLocks, lockDesk: OwnLockDesk },
  },
  channels: { declared: DeclaredChannels, channels: Channels },
}
