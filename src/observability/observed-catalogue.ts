/**
 * Everything that an engine tells when it is asked how it is, and nothing else: gauges, and counters
 * that it keeps anyway. `observed.ts` tells them. What happens while nobody asks stands in
 * `src/ports/instrument-catalogue.ts`; nothing stands in both. A room that comes adds its own
 * here, in its group, and in `observed.ts`; then `npm run docs:observability`.
 */
import type { Instrument } from '../ports/instruments.ts'

type Entry =
  | 'live'
  | 'ready'
  | 'partReady'
  | 'keys'
  | 'logOperations'
  | 'logSize'
  | 'logDiscarded'
  | 'logResident'
  | 'logUnlogged'
  | 'logUndurable'
  | 'logSegments'
  | 'cacheEntries'
  | 'cacheEntriesLimit'
  | 'cacheSize'
  | 'cacheSizeLimit'
  | 'cacheHits'
  | 'cacheMisses'
  | 'cacheEvictions'
  | 'copies'
  | 'copiesLimit'
  | 'copiesSize'
  | 'copiesSizeLimit'
  | 'copyHits'
  | 'copyMisses'
  | 'staleCopies'
  | 'copyEvictions'
  | 'loading'
  | 'fills'
  | 'invalidations'
  | 'rememberedInvalidations'
  | 'validatedCopies'
  | 'drifts'
  | 'leases'
  | 'hiddenLeases'
  | 'endedLeases'
  | 'unstored'
  | 'storeFailing'
  | 'storeRequests'
  | 'storeFailures'
  | 'storeRows'
  | 'joined'
  | 'peers'
  | 'regionLag'
  | 'regionSilence'
  | 'regionReplicas'
  | 'regionRelays'
  | 'relayWorks'
  | 'orderConnected'
  | 'orderAway'
  | 'orderFailing'
  | 'orderLag'
  | 'orderWaiting'
  | 'orderAppends'
  | 'sentOperations'
  | 'sentDigests'
  | 'sentRequests'
  | 'sentSnapshotChunks'
  | 'receivedDigests'
  | 'receivedRequests'
  | 'droppedFrames'
  | 'droppedOperations'
  | 'driftingOperations'
  | 'queueItems'
  | 'queueItemsLimit'
  | 'queueSize'
  | 'queueSizeLimit'
  | 'compactionWaiting'
  | 'compactionHolds'
  | 'compactionOldestHold'
  | 'compactionLacking'
  | 'compactionOldestLack'
  | 'compactionStandstill'
  | 'subscriptions'
  | 'publishedMessages'
  | 'receivedMessages'
  | 'repeatedMessages'
  | 'missedMessages'
  | 'droppedMessages'
  | 'malformedMessages'
  | 'heldMessages'
  | 'pendingMessages'
  | 'watches'
  | 'watchesBehind'
  | 'projections'
  | 'projectionBehind'

export const OBSERVED: Readonly<Record<Entry, Instrument>> = {
  live: gauge('warp.health.live', '1', '1 if the replica is alive, 0 if only another opening helps.'),
  ready: gauge('warp.health.ready', '1', '1 if callers should be sent to the replica now, otherwise 0.'),
  partReady: gauge('warp.health.part.ready', '1', '1 if this part of the replica is ready, otherwise 0.', 'part'),
  keys: gauge('warp.keys', '{key}', 'Keys that have operations.'),
  logOperations: gauge('warp.log.operations', '{operation}', 'Operations in the log, snapshots not counted.'),
  logSize: gauge('warp.log.size', 'By', 'Bytes of the log, on disk or in memory.'),
  logDiscarded: gauge('warp.log.discarded', 'By', 'Bytes of the log that nothing needs any more.'),
  logResident: gauge('warp.log.resident', 'By', 'Bytes of the log that lie in memory.'),
  logUnlogged: gauge('warp.log.unlogged', 'By', 'Bytes that are written and not with the operating system yet.'),
  logUndurable: gauge('warp.log.undurable', 'By', 'Bytes that are written and not on stable storage yet.'),
  logSegments: gauge('warp.log.segments', '{segment}', 'Segments of the log.'),
  cacheEntries: gauge('warp.cache.entries', '{entry}', 'Values in memory.'),
  cacheEntriesLimit: gauge(
    'warp.cache.entries.limit',
    '{entry}',
    'How many values may be in memory, if that has a bound.',
  ),
  cacheSize: gauge('warp.cache.size', 'By', 'Bytes of keys and values in memory, if that has a bound.'),
  cacheSizeLimit: gauge(
    'warp.cache.size.limit',
    'By',
    'How many bytes of keys and values may be in memory, if that has a bound.',
  ),
  cacheHits: counter(
    'warp.cache.hits',
    '{read}',
    'Reads that found a value not read before; further reads of it are not counted.',
  ),
  cacheMisses: counter('warp.cache.misses', '{read}', 'Reads that had to work the value out.'),
  cacheEvictions: counter('warp.cache.evictions', '{entry}', 'Values that left memory to make room.'),
  copies: gauge('warp.copies.entries', '{entry}', 'Copies of loaded values in memory.'),
  copiesLimit: gauge('warp.copies.entries.limit', '{entry}', 'How many copies may be in memory.'),
  copiesSize: gauge('warp.copies.size', 'By', 'What the copies weigh, if that has a bound.'),
  copiesSizeLimit: gauge('warp.copies.size.limit', 'By', 'How much the copies may weigh, if that has a bound.'),
  copyHits: counter('warp.copies.hits', '{read}', 'Reads of keys that load which found a copy.'),
  copyMisses: counter('warp.copies.misses', '{read}', 'Reads of keys that load which found none.'),
  staleCopies: counter('warp.copies.stale', '{read}', 'Stale copies that were served: the source failed, or was slow.'),
  copyEvictions: counter('warp.copies.evictions', '{entry}', 'Copies that left memory to make room.'),
  loading: gauge('warp.loads.running', '{load}', 'Loads that are under way.'),
  fills: counter('warp.loads.fills', '{load}', 'Loads that another replica has answered.'),
  invalidations: counter('warp.invalidations', '{invalidation}', 'Invalidations seen, from here and elsewhere.'),
  rememberedInvalidations: gauge(
    'warp.invalidations.remembered',
    '{invalidation}',
    'Invalidations that are remembered for copies that arrive later.',
  ),
  validatedCopies: counter('warp.copies.validated', '{entry}', 'Copies that a validator has compared with their rows.'),
  drifts: counter('warp.copies.drifts', '{entry}', 'Of them, those that differed with nothing under way.'),
  leases: gauge('warp.leases', '{lease}', 'Leases that are known and have not ended.'),
  hiddenLeases: gauge('warp.leases.hidden', '{lease}', 'Leases that may have run out: what is attached is not shown.'),
  endedLeases: counter('warp.leases.ended', '{lease}', 'Leases that were seen to end.'),
  unstored: gauge('warp.store.unstored', '{key}', 'Keys with writes that are not known to be in their store.', 'store'),
  storeFailing: gauge('warp.store.failing', '1', '1 while a store fails and is left alone, otherwise 0.', 'store'),
  storeRequests: counter('warp.store.requests', '{request}', 'Requests to a store.', 'store'),
  storeFailures: counter(
    'warp.store.failures',
    '{request}',
    'Requests that failed, or were not answered in time.',
    'store',
  ),
  storeRows: counter(
    'warp.store.rows',
    '{row}',
    'Rows that were written behind: done, refused (somebody else had written), or rejected for good; and tombstones that were purged.',
    'store',
    'outcome',
  ),
  joined: gauge('warp.replication.joined', '1', '1 if what is written here is sent to others, otherwise 0.'),
  peers: gauge(
    'warp.replication.peers',
    '{peer}',
    'Peers that are known, by transport and state.',
    'transport',
    'state',
  ),
  regionLag: gauge(
    'warp.region.lag',
    '{operation}',
    'Operations that are here and that the replica of a region lacks which is furthest behind, as far as it has told.',
    'region',
  ),
  regionSilence: gauge(
    'warp.region.silence',
    'ms',
    'Since something was last heard of a replica of a region, by itself or through a relay.',
    'region',
  ),
  regionReplicas: gauge(
    'warp.region.replicas',
    '{replica}',
    'Replicas of a region that are up, this one not counted.',
    'region',
  ),
  regionRelays: gauge(
    'warp.region.relays',
    '{replica}',
    'Relays that are up and sit in a region, this one not counted.',
    'region',
  ),
  relayWorks: gauge(
    'warp.relay.works',
    '1',
    '1 if this relay carries from one region into another, 0 if it could, and another relay does.',
    'from',
    'to',
  ),
  orderConnected: gauge(
    'warp.order.connected',
    '1',
    '1 if the ordered log of strong keys is there, otherwise 0.',
    'order',
  ),
  orderAway: gauge(
    'warp.order.away',
    'ms',
    'For how long the ordered log has been away; 0 while it is there.',
    'order',
  ),
  orderFailing: gauge(
    'warp.order.failing',
    '1',
    '1 if strong keys are refused or a partition of them stands still until somebody does something, otherwise 0.',
    'order',
  ),
  orderLag: gauge(
    'warp.order.lag',
    '{record}',
    'Places by which the ordered log is further than this replica, as far as is known here.',
    'order',
    'partition',
  ),
  orderWaiting: gauge(
    'warp.order.waiting',
    '{write}',
    'Strong writes that wait for their verdict.',
    'order',
    'partition',
  ),
  orderAppends: counter(
    'warp.order.appends',
    '{record}',
    'Records that this replica has handed to the ordered log: appended, refused, or without an answer. The latter two are tried again where they may be.',
    'order',
    'partition',
    'outcome',
  ),
  sentOperations: counter(
    'warp.replication.sent.operations',
    '{operation}',
    'Operations sent unasked: written here, or relayed from another region; and because a peer had asked.',
    'reason',
  ),
  sentDigests: counter('warp.replication.sent.digests', '{digest}', 'Digests sent.'),
  sentRequests: counter('warp.replication.sent.requests', '{request}', 'Requests for operations sent.'),
  sentSnapshotChunks: counter(
    'warp.replication.sent.chunks',
    '{chunk}',
    'Chunks of the state that were handed to peers.',
  ),
  receivedDigests: counter('warp.replication.received.digests', '{digest}', 'Digests that came.'),
  receivedRequests: counter('warp.replication.received.requests', '{request}', 'Requests for operations that came.'),
  droppedFrames: counter(
    'warp.replication.dropped.frames',
    '{frame}',
    'Frames that came and were not taken in.',
    'reason',
  ),
  droppedOperations: counter(
    'warp.replication.dropped.operations',
    '{operation}',
    'Operations that came and were not taken in.',
    'reason',
  ),
  driftingOperations: counter(
    'warp.replication.drifting.operations',
    '{operation}',
    'Operations refused because they are stamped too far ahead.',
  ),
  queueItems: gauge(
    'warp.queue.items',
    '{item}',
    'What waits in each bounded queue or stands in each bounded table.',
    'queue',
  ),
  queueItemsLimit: gauge('warp.queue.items.limit', '{item}', 'How much may wait in it.', 'queue'),
  queueSize: gauge('warp.queue.size', 'By', 'Bytes that wait in each queue whose bytes are bounded.', 'queue'),
  queueSizeLimit: gauge('warp.queue.size.limit', 'By', 'How many bytes may wait in it.', 'queue'),
  compactionWaiting: gauge(
    'warp.compaction.waiting',
    '{operation}',
    'Operations that may be foldable at the next compaction.',
  ),
  compactionHolds: gauge(
    'warp.compaction.holds',
    '{hold}',
    'Exports, snapshots, watches and projections that keep records from being dropped.',
  ),
  compactionOldestHold: gauge(
    'warp.compaction.hold.age',
    'ms',
    'How long the oldest of them has done so; 0 if there is none.',
  ),
  compactionLacking: gauge(
    'warp.compaction.lacking',
    '{replica}',
    'Replicas that have to say something before more can be folded.',
  ),
  compactionOldestLack: gauge(
    'warp.compaction.lack.age',
    'ms',
    'How long the longest of them has said nothing; 0 if there is none.',
  ),
  compactionStandstill: gauge(
    'warp.compaction.standstill',
    '1',
    '1 if nothing more can be folded for now, for this reason, otherwise 0.',
    'reason',
  ),
  subscriptions: gauge('warp.channels.subscriptions', '{subscription}', 'Subscriptions of channels that run.'),
  publishedMessages: counter('warp.channels.published', '{message}', 'Messages published here.'),
  receivedMessages: counter(
    'warp.channels.received',
    '{message}',
    'Messages of others that came for subscriptions here; kept ones are operations, and not counted.',
  ),
  repeatedMessages: counter(
    'warp.channels.repeated',
    '{message}',
    'Of these, those that came again, or after they had been told as missed.',
  ),
  missedMessages: counter('warp.channels.missed', '{message}', 'Messages of others that never came, or too late.'),
  droppedMessages: counter(
    'warp.channels.dropped',
    '{message}',
    'Messages that a slow consumer was not shown, for each consumer.',
  ),
  malformedMessages: counter('warp.channels.malformed', '{message}', 'Messages whose bytes are no payload.'),
  heldMessages: gauge('warp.channels.held', '{message}', 'Messages that wait for one before them.'),
  pendingMessages: gauge(
    'warp.channels.pending',
    '{message}',
    'Messages that wait for slow consumers, kept ones not counted.',
  ),
  watches: gauge('warp.watches', '{watch}', 'Watches that run.'),
  watchesBehind: gauge('warp.watches.behind', 'By', 'Bytes of the log that the slowest watch has not been asked past.'),
  projections: gauge('warp.projections', '{projection}', 'Projections that run, by state.', 'state'),
  projectionBehind: gauge(
    'warp.projection.behind',
    'By',
    'Bytes of the log that a projection has not taken in.',
    'projection',
  ),
}

function gauge(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { name, kind: 'gauge', unit, help, labels }
}

function counter(name: string, unit: string, help: string, ...labels: readonly string[]): Instrument {
  return { name, kind: 'counter', unit, help, labels }
}
