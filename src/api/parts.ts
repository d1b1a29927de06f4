/**
 * What an engine can do without, handed in where it is opened: a program that leaves a part out
 * does not carry its code. Types only; `all-parts.ts` composes all of them, `missing-parts.ts`
 * answers for those that were left out.
 */
import type { DeclaredChannels } from '../channels/channel-options.ts'
import type { Channels } from '../channels/channels.ts'
import type { History } from '../history/history.ts'
import type { Platform } from '../ports/platform.ts'
import type { ReplicationOptions } from '../replication/options.ts'
import type { Replicator, ReplicatorOptions } from '../replication/replicator.ts'
import type { DataLayer } from '../data-layer/data-layer.ts'
import type { OwnLockDesk } from '../strong/locks/lock-desk.ts'
import type { ReplicaLocks } from '../strong/locks/replica-locks.ts'
import type { StrongCalls } from '../strong/strong-calls.ts'
import type { StrongKeys } from '../strong/strong-keys.ts'
import type { StrongWriter } from '../strong/strong-writer.ts'
import type { Transactions } from '../strong/transactions/transactions.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { exportLines } from '../transfer/export-lines.ts'
import type { importLines } from '../transfer/import-lines.ts'

/** Each is made once for each engine that is opened. */
export interface WarpParts {
  /** For `transports`, and to check `replication` where there are none. */
  readonly replication?: ReplicationPart
  /** For `export` and `import`. */
  readonly transfer?: TransferPart
  /** For `log`, `getAt` and `explain`. */
  readonly history?: new (store: KeyStore) => HistoryPart
  /** For keyspaces that load. */
  readonly dataLayer?: typeof DataLayer
  /** For `order`, for compare-and-set, and for locks. */
  readonly strong?: StrongPart
  /** For channels. */
  readonly channels?: ChannelsPart
}

export interface ReplicationPart {
  new (options: ReplicatorOptions): Replicator
  /** Throws `WARP_E_CONFIG`. */
  checkOptions(options: ReplicationOptions): void
}

export interface TransferPart {
  readonly exportLines: typeof exportLines
  readonly importLines: typeof importLines
}

export interface StrongPart {
  readonly keys: typeof StrongKeys
  readonly writer: typeof StrongWriter
  readonly calls: typeof StrongCalls
  readonly locks: typeof ReplicaLocks
  readonly lockDesk: typeof OwnLockDesk
  readonly transactions: typeof Transactions
}

export interface ChannelsPart {
  readonly declared: typeof DeclaredChannels
  readonly channels: typeof Channels
}

export type HistoryPart = Pick<History, 'log' | 'getAt' | 'explain'>

/** The platform, and the parts that its entry point composes. */
export interface ComposedPlatform extends Platform {
  /** Default: none. */
  readonly parts?: WarpParts
}
