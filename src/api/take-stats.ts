/**
 * Gathers what `warp.stats()` tells from the parts that count. Takes time in proportion to
 * segments, members and watches, not to keys.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Values } from '../cache/values.ts'
import type { ChannelCounts } from '../channels/channel-types.ts'
import type { CopyCounts } from '../data-layer/data-layer.ts'
import type { LeaseCounts } from '../data-layer/leases/lease-types.ts'
import type { StoreCounts } from '../data-layer/stored/stores.ts'
import type { Compactor } from '../compaction/compactor.ts'
import { bytesBetween, type Holds } from '../log/holds.ts'
import type { Log } from '../log/log.ts'
import type { ProjectionRunner } from '../projections/runner.ts'
import type { ReplicationStats } from '../replication/replication-stats.ts'
import type { Replicator } from '../replication/replicator.ts'
import type { AdmissionDesk } from '../store/border.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Writer } from '../store/write-road/writer.ts'
import type { OrderCounts } from '../strong/place.ts'
import type { WatchHub } from '../watch/watch.ts'
import type { CacheCounts, CompactionCounts, LogCounts, OperationCounts, ReplicationCounts, Stats } from './stats.ts'

/** What an engine has that counts. */
export interface CountedEngine {
  readonly replica: ReplicaId
  readonly operationsCount: number
  readonly applied: VersionVector
  readonly store: KeyStore
  readonly log: Log
  readonly holds: Holds
  readonly compactor: Compactor
  readonly admission: AdmissionDesk
}

export interface CountedParts {
  readonly engine: CountedEngine
  readonly name: string | undefined
  readonly writer: Writer
  readonly replicator: Replicator | undefined
  readonly watches: WatchHub
  readonly projections: Iterable<ProjectionRunner<unknown>>
  readonly copies: CopyCounts | undefined
  readonly leases: LeaseCounts | undefined
  readonly stores: readonly StoreCounts[] | undefined
  readonly channels: ChannelCounts | undefined
  readonly order: OrderCounts | undefined
}

export function takeStats(parts: CountedParts): Stats {
  const { engine, name, replicator, watches, projections } = parts
  const replication = replicator?.stats()
  return {
    replica: engine.replica,
    ...(name === undefined ? {} : { name }),
    keysCount: engine.store.keys.size,
    log: logCounts(engine),
    cache: cacheCounts(engine.store.values),
    ...dataLayerCounts(parts),
    ...(parts.channels === undefined ? {} : { channels: parts.channels }),
    ...(parts.order === undefined ? {} : { order: parts.order }),
    operations: operationCounts(parts, replication),
    isJoined: replicator?.isJoined ?? false,
    ...(replication === undefined ? {} : { replication: replicationCounts(replication) }),
    ...othersOf(replicator),
    compaction: compactionCounts(engine, replicator),
    queues: replicator?.queues() ?? [],
    watchesCount: watches.count,
    watches: watches.lags(),
    projections: [...projections].map(({ lag }) => lag),
  }
}

/** Who is heard, and what is known of regions. */
function othersOf(replicator: Replicator | undefined): Pick<Stats, 'peers' | 'regions' | 'relays'> {
  const heard = replicator?.peers().filter(({ isRelayed }) => isRelayed !== true) ?? []
  const peers = heard.map(({ address, transport, state }) => ({ address, transport, up: state !== 'down' }))
  return { peers, regions: replicator?.regions() ?? [], relays: replicator?.relays() ?? [] }
}

/** Of keys whose truth is elsewhere, where there are any. */
function dataLayerCounts({ copies, leases, stores = [] }: CountedParts): Pick<Stats, 'copies' | 'leases' | 'stores'> {
  return {
    ...(copies === undefined ? {} : { copies }),
    ...(leases === undefined ? {} : { leases }),
    ...(stores.length === 0 ? {} : { stores }),
  }
}

function logCounts({ log, operationsCount, applied, replica }: CountedEngine): LogCounts {
  const { segments, bytes, discardedBytes, residentBytes, syncs } = log.stats()
  return {
    operationsCount,
    replicasCount: applied.size,
    othersCount: applied.size - (applied.get(replica) > 0 ? 1 : 0),
    bytes,
    discardedBytes,
    residentBytes,
    unloggedBytes: bytesBetween(log.loggedThrough, log),
    undurableBytes: bytesBetween(log.durableThrough, log),
    segmentsCount: segments,
    flushesCount: syncs,
  }
}

function cacheCounts({ residency, countedHits, misses }: Values): CacheCounts {
  const { entriesMax, bytesMax } = residency.limits
  const readsCount = countedHits + misses
  return {
    entriesCount: residency.count,
    ...(entriesMax === Number.POSITIVE_INFINITY ? {} : { entriesMax }),
    ...(residency.bytes === undefined ? {} : { bytes: residency.bytes, bytesMax }),
    hitsCount: countedHits,
    missesCount: misses,
    ...(readsCount === 0 ? {} : { hitRatioMin: countedHits / readsCount }),
    evictionsCount: residency.evictions,
  }
}

function operationCounts({ engine, writer }: CountedParts, replication: ReplicationStats | undefined): OperationCounts {
  const { admittedCount, duplicatesCount, driftingCount } = engine.admission
  const waitingCount = replication?.bufferedOperations ?? 0
  return { writtenCount: writer.writtenCount, admittedCount, duplicatesCount, driftingCount, waitingCount }
}

function replicationCounts(counts: ReplicationStats): ReplicationCounts {
  return {
    sent: {
      framesCount: counts.sentFrames,
      bytes: counts.sentBytes,
      operationsCount: counts.broadcastOperations,
      answeredOperationsCount: counts.answeredOperations,
      relayedOperationsCount: counts.relayedOperations,
      digestsCount: counts.sentDigests,
      requestsCount: counts.requests,
      snapshotChunksCount: counts.snapshotChunks,
    },
    received: {
      framesCount: counts.receivedFrames,
      bytes: counts.receivedBytes,
      operationsCount: counts.appliedOperations,
      digestsCount: counts.receivedDigests,
      requestsCount: counts.receivedRequests,
    },
    dropped: {
      malformedFramesCount: counts.malformedFrames,
      unknownFramesCount: counts.unknownFrames,
      echoedFramesCount: counts.echoedFrames,
      framesCount: counts.droppedFrames,
      duplicateOperationsCount: counts.duplicateOperations,
      operationsCount: counts.bufferDroppedOperations,
      heldBackOperationsCount: counts.heldBackOperations,
      refusedOperationsCount: counts.refusedOperations,
    },
    membersCount: counts.members,
  }
}

function compactionCounts({ compactor, holds }: CountedEngine, replicator: Replicator | undefined): CompactionCounts {
  return {
    waitingCount: compactor.waitingCount,
    holds: holds.list().map(({ name, sinceMs }) => ({ name, sinceMs })),
    ...(replicator?.compactionBlock() ?? { replicas: [] }),
  }
}
