/**
 * What `warp.stats()` tells: numbers of this moment, and counts since open unless said otherwise.
 * Where a value has a bound, the bound stands beside it.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { PeerAddress } from '../ports/transport.ts'
import type { ChannelCounts } from '../channels/channel-types.ts'
import type { CopyCounts } from '../data-layer/data-layer.ts'
import type { LeaseCounts } from '../data-layer/leases/lease-types.ts'
import type { StoreCounts } from '../data-layer/stored/stores.ts'
import type { ProjectionLag } from '../projections/projection.ts'
import type { CompactionBlock, QueueFill } from '../replication/replication-report.ts'
import type { RegionReport } from '../replication/regions/region-table.ts'
import type { CarriedLane } from '../replication/regions/regions.ts'
import type { OrderCounts } from '../strong/place.ts'
import type { WatchLag } from '../watch/change.ts'

export interface Stats {
  readonly replica: ReplicaId
  readonly name?: string
  readonly keysCount: number
  readonly log: LogCounts
  readonly cache: CacheCounts
  /** Of keys that load. Absent where no pattern has a `load`. */
  readonly copies?: CopyCounts
  /** Absent where no pattern has a `load`. */
  readonly leases?: LeaseCounts
  /** The primary stores of keyspaces; absent where there are none. */
  readonly stores?: readonly StoreCounts[]
  readonly operations: OperationCounts
  /**
   * Whether what is written here is sent: not before a peer has been heard (see "Joining" in
   * docs/architecture.md).
   */
  readonly isJoined: boolean
  /** Absent without transports. */
  readonly replication?: ReplicationCounts
  /** Known now. */
  readonly peers: readonly { readonly address: PeerAddress; readonly transport: string; readonly up: boolean }[]
  /** Regions of which a replica is known, this one's own among them. Empty where there are none. */
  readonly regions: readonly RegionReport[]
  /** What this relay may carry from one region into another, and whether it does; empty where it is none. */
  readonly relays: readonly CarriedLane[]
  readonly compaction: CompactionCounts
  /** How full each bounded queue of replication is now. Empty without transports. */
  readonly queues: readonly QueueFill[]
  /** Absent where the engine was opened without the part. */
  readonly channels?: ChannelCounts
  /** The ordered log of strong keys; absent where there is none. */
  readonly order?: OrderCounts
  readonly watchesCount: number
  readonly watches: readonly WatchLag[]
  readonly projections: readonly ProjectionLag[]
}

export interface LogCounts {
  /** Held now, snapshots not counted. */
  readonly operationsCount: number
  /** Replicas whose operations it has taken in, itself and its own former names among them. */
  readonly replicasCount: number
  /** Of these, all but itself. */
  readonly othersCount: number
  /** On disk or in RAM now. */
  readonly bytes: number
  /** Of these, records that nothing needs any more: compaction gives their space back. */
  readonly discardedBytes: number
  /** Of the log's bytes, those that lie in RAM now. */
  readonly residentBytes: number
  /** Written, and not with the operating system yet. */
  readonly unloggedBytes: number
  /** Written, and not on stable storage yet. */
  readonly undurableBytes: number
  readonly segmentsCount: number
  readonly flushesCount: number
}

export interface CacheCounts {
  /** Values in memory now. */
  readonly entriesCount: number
  /** `cache.entriesMax`; absent without it. */
  readonly entriesMax?: number
  /**
   * About what keys and values in memory take encoded; absent without `cache.bytesMax`, since
   * values are weighed only for it.
   */
  readonly bytes?: number
  readonly bytesMax?: number
  /**
   * Reads that found a value that had not been read since it was worked out, or since the cache
   * last looked for one to let go. Further reads of the same value are not counted, so that they
   * cost nothing; a value of a sliding life counts at each read.
   */
  readonly hitsCount: number
  /** Reads that had to work the value out. */
  readonly missesCount: number
  /**
   * Hits among the reads that are counted, 0 to 1: no more than the real share, which has all other
   * hits as well. Absent before a read.
   */
  readonly hitRatioMin?: number
  readonly evictionsCount: number
}

export interface OperationCounts {
  readonly writtenCount: number
  readonly admittedCount: number
  readonly duplicatesCount: number
  /** Refused because stamped too far ahead. */
  readonly driftingCount: number
  /** Waiting now for operations that they depend on. */
  readonly waitingCount: number
}

export interface ReplicationCounts {
  readonly sent: {
    readonly framesCount: number
    readonly bytes: number
    /** Own operations, unasked. */
    readonly operationsCount: number
    /** Operations that a peer had asked for. */
    readonly answeredOperationsCount: number
    /** Operations that this relay carried from one region into another. */
    readonly relayedOperationsCount: number
    readonly digestsCount: number
    readonly requestsCount: number
    readonly snapshotChunksCount: number
  }
  readonly received: {
    /** All that came, what was dropped included. */
    readonly framesCount: number
    readonly bytes: number
    /** Operations that became part of their keys. */
    readonly operationsCount: number
    readonly digestsCount: number
    readonly requestsCount: number
  }
  /**
   * Frames and operations that came and were not taken in. What is missing for it is asked for
   * again.
   */
  readonly dropped: {
    readonly malformedFramesCount: number
    /** Of a kind that this version does not know. */
    readonly unknownFramesCount: number
    /** This replica's own, come back. */
    readonly echoedFramesCount: number
    /** Too many waited. */
    readonly framesCount: number
    readonly duplicateOperationsCount: number
    /** They waited for their causes, and too many did. */
    readonly operationsCount: number
    /** They came while a snapshot was being taken in. */
    readonly heldBackOperationsCount: number
    /**
     * Clock drift, written without having seen what was compacted, no space, or the store failed.
     */
    readonly refusedOperationsCount: number
  }
  /** Replicas that are known, those that have gone included. */
  readonly membersCount: number
}

/** What there is to fold away, and what keeps compaction from it. */
export interface CompactionCounts extends CompactionBlock {
  /** Operations that need not be retained and may be foldable at the next run. */
  readonly waitingCount: number
  /**
   * Who keeps records from being dropped now, the oldest first: exports, snapshots being sent,
   * watches, projections.
   */
  readonly holds: readonly {
    readonly name: string
    /** Milliseconds since 1970 by this replica's wall clock. */
    readonly sinceMs: number
  }[]
  /**
   * Other replicas that have to say something before more can be folded, as of the last digest; who
   * waits longest first.
   */
  readonly replicas: CompactionBlock['replicas']
  /**
   * Nothing more can become stable for now. `'cut-off'`: this replica has met others and hears
   * none. `'too-many-replicas'`: there are more than it can keep track of. Absent if neither is so.
   */
  readonly standstill?: 'cut-off' | 'too-many-replicas'
}
