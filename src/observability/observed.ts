/**
 * Tells what stands in `observed-catalogue.ts`, from what `warp.stats()` and `warp.health()` say.
 * Each list of a fixed set of values is told as a whole, also what is 0: a series that is not there
 * cannot be told from one that nobody measures.
 */
import type { Health } from '../api/health/health.ts'
import type { Stats } from '../api/stats.ts'
import type { Instrument, Labels, Tell } from '../ports/instruments.ts'
import { OBSERVED } from './observed-catalogue.ts'

export interface ObservedEngine {
  readonly stats: Stats
  readonly health: Health
  /** By the wall clock. */
  readonly nowMs: number
}

const NO_LABELS: Labels = Object.freeze({})

const PROJECTION_STATES = ['reading', 'live', 'failed'] as const
const STANDSTILLS = ['cut-off', 'too-many-replicas'] as const

export function tellObserved({ stats, health, nowMs }: ObservedEngine, tell: Tell): void {
  const one = (instrument: Instrument, value: number | undefined): void => {
    if (value !== undefined) tell(instrument, value, NO_LABELS)
  }
  tellHealth(health, tell)
  one(OBSERVED.keys, stats.keysCount)
  tellLog(stats, one)
  tellCache(stats, one)
  tellCopies(stats, one)
  tellLeases(stats, one)
  tellStores(stats, tell)
  tellReplication(stats, tell, one)
  tellRegions(stats, tell)
  tellOrder(stats, tell)
  tellQueues(stats, tell)
  tellCompaction(stats, nowMs, tell, one)
  tellFollowers(stats, tell, one)
  tellChannels(stats, one)
}

type One = (instrument: Instrument, value: number | undefined) => void

function tellHealth({ live, ready, parts }: Health, tell: Tell): void {
  tell(OBSERVED.live, live ? 1 : 0, NO_LABELS)
  tell(OBSERVED.ready, ready ? 1 : 0, NO_LABELS)
  for (const [part, { state }] of Object.entries(parts))
    tell(OBSERVED.partReady, state === 'ok' || state === 'degraded' ? 1 : 0, { part })
}

function tellLog({ log }: Stats, one: One): void {
  one(OBSERVED.logOperations, log.operationsCount)
  one(OBSERVED.logSize, log.bytes)
  one(OBSERVED.logDiscarded, log.discardedBytes)
  one(OBSERVED.logResident, log.residentBytes)
  one(OBSERVED.logUnlogged, log.unloggedBytes)
  one(OBSERVED.logUndurable, log.undurableBytes)
  one(OBSERVED.logSegments, log.segmentsCount)
}

function tellCache({ cache }: Stats, one: One): void {
  one(OBSERVED.cacheEntries, cache.entriesCount)
  one(OBSERVED.cacheEntriesLimit, cache.entriesMax)
  one(OBSERVED.cacheSize, cache.bytes)
  one(OBSERVED.cacheSizeLimit, finite(cache.bytesMax))
  one(OBSERVED.cacheHits, cache.hitsCount)
  one(OBSERVED.cacheMisses, cache.missesCount)
  one(OBSERVED.cacheEvictions, cache.evictionsCount)
}

function tellCopies({ copies }: Stats, one: One): void {
  if (copies === undefined) return
  one(OBSERVED.copies, copies.copiesCount)
  one(OBSERVED.copiesLimit, finite(copies.entriesMax))
  one(OBSERVED.copiesSize, copies.bytes)
  one(OBSERVED.copiesSizeLimit, copies.bytesMax)
  one(OBSERVED.copyHits, copies.hitsCount)
  one(OBSERVED.copyMisses, copies.missesCount)
  one(OBSERVED.staleCopies, copies.staleCount)
  one(OBSERVED.copyEvictions, copies.evictionsCount)
  one(OBSERVED.loading, copies.loadingCount)
  one(OBSERVED.fills, copies.fillsCount)
  one(OBSERVED.invalidations, copies.invalidationsCount)
  one(OBSERVED.rememberedInvalidations, copies.rememberedInvalidationsCount)
  one(OBSERVED.validatedCopies, copies.validatedCount)
  one(OBSERVED.drifts, copies.driftsCount)
}

function tellLeases({ leases }: Stats, one: One): void {
  if (leases === undefined) return
  one(OBSERVED.leases, leases.leasesCount)
  one(OBSERVED.hiddenLeases, leases.hiddenCount)
  one(OBSERVED.endedLeases, leases.endedCount)
}

function tellChannels({ channels }: Stats, one: One): void {
  if (channels === undefined) return
  one(OBSERVED.subscriptions, channels.subscriptionsCount)
  one(OBSERVED.publishedMessages, channels.publishedCount)
  one(OBSERVED.receivedMessages, channels.receivedCount)
  one(OBSERVED.repeatedMessages, channels.repeatedCount)
  one(OBSERVED.missedMessages, channels.missedCount)
  one(OBSERVED.droppedMessages, channels.droppedCount)
  one(OBSERVED.malformedMessages, channels.malformedCount)
  one(OBSERVED.heldMessages, channels.heldCount)
  one(OBSERVED.pendingMessages, channels.pendingCount)
}

function tellStores({ stores = [] }: Stats, tell: Tell): void {
  for (const { name: store, ...counts } of stores) {
    tell(OBSERVED.unstored, counts.unstoredKeysCount, { store })
    tell(OBSERVED.storeFailing, counts.isFailing ? 1 : 0, { store })
    tell(OBSERVED.storeRequests, counts.requestsCount, { store })
    tell(OBSERVED.storeFailures, counts.failuresCount, { store })
    tell(OBSERVED.storeRows, counts.flushedCount, { store, outcome: 'done' })
    tell(OBSERVED.storeRows, counts.refusedCount, { store, outcome: 'refused' })
    tell(OBSERVED.storeRows, counts.rejectedCount, { store, outcome: 'rejected' })
    tell(OBSERVED.storeRows, counts.purgedCount, { store, outcome: 'purged' })
  }
}

/** What is known of each region; nothing where there are none. */
function tellRegions({ regions, relays }: Stats, tell: Tell): void {
  for (const { region, lagCount, upCount, relaysCount, silentMs } of regions) {
    if (lagCount !== undefined) tell(OBSERVED.regionLag, lagCount, { region })
    tell(OBSERVED.regionSilence, silentMs, { region })
    tell(OBSERVED.regionReplicas, upCount, { region })
    tell(OBSERVED.regionRelays, relaysCount, { region })
  }
  for (const { from, to, isWorking } of relays) tell(OBSERVED.relayWorks, isWorking ? 1 : 0, { from, to })
}

/** How strong keys are; nothing where there is no ordered log. */
function tellOrder({ order: told }: Stats, tell: Tell): void {
  if (told === undefined) return
  const { name: order, isConnected, awayMs, isFailing, partitions } = told
  tell(OBSERVED.orderConnected, isConnected ? 1 : 0, { order })
  tell(OBSERVED.orderAway, awayMs, { order })
  tell(OBSERVED.orderFailing, isFailing ? 1 : 0, { order })
  for (const { partition: index, ...counts } of partitions) {
    const partition = String(index)
    tell(OBSERVED.orderLag, counts.lagCount, { order, partition })
    tell(OBSERVED.orderWaiting, counts.waitingCount, { order, partition })
    tell(OBSERVED.orderAppends, counts.appendedCount, { order, partition, outcome: 'appended' })
    tell(OBSERVED.orderAppends, counts.refusedCount, { order, partition, outcome: 'refused' })
    tell(OBSERVED.orderAppends, counts.unansweredCount, { order, partition, outcome: 'unknown' })
  }
}

function tellReplication({ replication, isJoined, peers, operations }: Stats, tell: Tell, one: One): void {
  if (replication === undefined) return
  one(OBSERVED.joined, isJoined ? 1 : 0)
  const transports = new Set(peers.map(({ transport }) => transport))
  for (const transport of transports)
    for (const state of ['up', 'down'] as const) {
      const there = peers.filter((peer) => peer.transport === transport && peer.up === (state === 'up'))
      tell(OBSERVED.peers, there.length, { transport, state })
    }
  const { sent, received, dropped } = replication
  tell(OBSERVED.sentOperations, sent.operationsCount, { reason: 'written' })
  tell(OBSERVED.sentOperations, sent.answeredOperationsCount, { reason: 'asked' })
  tell(OBSERVED.sentOperations, sent.relayedOperationsCount, { reason: 'relayed' })
  one(OBSERVED.sentDigests, sent.digestsCount)
  one(OBSERVED.sentRequests, sent.requestsCount)
  one(OBSERVED.sentSnapshotChunks, sent.snapshotChunksCount)
  one(OBSERVED.receivedDigests, received.digestsCount)
  one(OBSERVED.receivedRequests, received.requestsCount)
  tell(OBSERVED.droppedFrames, dropped.malformedFramesCount, { reason: 'malformed' })
  tell(OBSERVED.droppedFrames, dropped.unknownFramesCount, { reason: 'unknown' })
  tell(OBSERVED.droppedFrames, dropped.echoedFramesCount, { reason: 'echoed' })
  tell(OBSERVED.droppedFrames, dropped.framesCount, { reason: 'overflow' })
  tell(OBSERVED.droppedOperations, dropped.duplicateOperationsCount, { reason: 'duplicate' })
  tell(OBSERVED.droppedOperations, dropped.operationsCount, { reason: 'overflow' })
  tell(OBSERVED.droppedOperations, dropped.heldBackOperationsCount, { reason: 'held-back' })
  tell(OBSERVED.droppedOperations, dropped.refusedOperationsCount, { reason: 'refused' })
  one(OBSERVED.driftingOperations, operations.driftingCount)
}

function tellQueues({ queues }: Stats, tell: Tell): void {
  for (const { id: queue, count, countMax, bytes, bytesMax } of queues) {
    tell(OBSERVED.queueItems, count, { queue })
    tell(OBSERVED.queueItemsLimit, countMax, { queue })
    if (bytes === undefined || bytesMax === undefined) continue
    tell(OBSERVED.queueSize, bytes, { queue })
    tell(OBSERVED.queueSizeLimit, bytesMax, { queue })
  }
}

function tellCompaction({ compaction }: Stats, nowMs: number, tell: Tell, one: One): void {
  const { waitingCount, holds, replicas, standstill } = compaction
  one(OBSERVED.compactionWaiting, waitingCount)
  one(OBSERVED.compactionHolds, holds.length)
  one(OBSERVED.compactionOldestHold, oldest(holds, nowMs))
  one(OBSERVED.compactionLacking, replicas.length)
  one(OBSERVED.compactionOldestLack, oldest(replicas, nowMs))
  for (const reason of STANDSTILLS) tell(OBSERVED.compactionStandstill, standstill === reason ? 1 : 0, { reason })
}

function tellFollowers({ watchesCount, watches, projections }: Stats, tell: Tell, one: One): void {
  one(OBSERVED.watches, watchesCount)
  one(
    OBSERVED.watchesBehind,
    watches.reduce((most, { behindBytes }) => Math.max(most, behindBytes), 0),
  )
  for (const state of PROJECTION_STATES)
    tell(OBSERVED.projections, projections.filter((projection) => projection.state === state).length, { state })
  for (const { name, behindBytes } of projections) tell(OBSERVED.projectionBehind, behindBytes, { projection: name })
}

/** How long since the first of them; the wall clock may have been set back meanwhile. */
function oldest(times: readonly { readonly sinceMs: number }[], nowMs: number): number {
  return times.reduce((most, { sinceMs }) => Math.max(most, nowMs - sinceMs), 0)
}

function finite(bound: number | undefined): number | undefined {
  return bound === undefined || Number.isFinite(bound) ? bound : undefined
}
