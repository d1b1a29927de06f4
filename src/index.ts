/** What adapters, and through them users, may use of the engine. */
export { openWarpOn } from './warp.ts'
export { ALL_PARTS } from './api/all-parts.ts'
export type { ComposedPlatform, HistoryPart, TransferPart, WarpParts } from './api/parts.ts'
export { type Platform } from './ports/platform.ts'
export type { Env, Timer } from './ports/env.ts'
export type { LogFile, LogFiles, LogStore } from './ports/files.ts'
export type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreCodec,
  StoreRequest,
  StoreRow,
  TombstonePage,
  TombstoneRequest,
} from './ports/primary-store.ts'
export type {
  AppendOutcome,
  Bookmark,
  OrderedLog,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReader,
  OrderedLogReceiver,
  OrderedLogReport,
  OrderedRecord,
  OrderedSnapshot,
} from './ports/ordered-log.ts'
export type { StoreFailure } from './ports/stores/store-error.ts'
export { functionStore, type FunctionStoreOptions, type StoreFunctions } from './ports/stores/function-store.ts'
export { INSTRUMENTS } from './ports/instrument-catalogue.ts'
export { logTo, type EventLogger, type LogToOptions } from './observability/log-to.ts'
export type { EventLevel } from './observability/event-levels.ts'
export { OBSERVED } from './observability/observed-catalogue.ts'
export type { Instrument, Instruments, Labels, Observe, Span, Tell } from './ports/instruments.ts'
export { memoryFiles } from './log/files/memory-files.ts'
export { overlayLog } from './log/files/overlay-files.ts'
export { checkLogOn } from './audit/check-log.ts'
export type { CheckedLog, CheckLogOptions, CheckProgress, CheckReport, Finding, FindingKind } from './audit/finding.ts'
export { replayLogOn, type ReplayedKey, type ReplayedValue, type ReplayOptions } from './audit/replay.ts'
export type { LogEvent } from './log/log.ts'
export type {
  CacheOptions,
  CloseOptions,
  Capabilities,
  CopiesOptions,
  Expected,
  HandleFor,
  HandleOptions,
  KeyHandle,
  Loadable,
  LoadedBy,
  Resolution,
  Session,
  SessionHandle,
  StrongOptions,
  Warp,
  WarpEvent,
  WarpOptions,
} from './api/public.ts'
export type { CompareAndSet, Conflict, Consistency, UpdateOptions, Versioned } from './strong/strong-calls.ts'
export type { StrongEvent } from './strong/strong-keys.ts'
export type { SessionOptions } from './api/sessions/session-types.ts'
export type {
  EventualTransaction,
  Transaction,
  TransactionBase,
  TransactionKey,
  TransactionOf,
} from './api/transactions/typed-transaction.ts'
export type {
  TransactionOptions,
  TransactionOutcome,
  TransactionReceipt,
  TransactionWriteOptions,
} from './strong/transactions/transaction-types.ts'
export type { Stats } from './api/stats.ts'
export type { Health, HealthPart, HealthReason, HealthReasonCode, PartHealth } from './api/health/health.ts'
export type { EntriesOptions, Entry } from './api/entry-listing.ts'
export type { Compaction } from './store/event.ts'
export { defineKeys } from './keys/define-keys.ts'
export { adaptive } from './keys/source/adaptive-life.ts'
export type { AdaptiveLife, AdaptiveOptions, LifeFacts, OwnAdaptiveOptions } from './keys/source/adaptive-life.ts'
export type {
  CopyOptions,
  Load,
  LoadContext,
  LoadedMany,
  LoadingOptions,
  LoadMany,
  LoadManyContext,
  NotModified,
  StoringOptions,
} from './keys/source/source.ts'
export type { StoreOptions, Writes } from './keys/source/store-source.ts'
export type { OrderCounts, OrderPartitionCounts } from './strong/place.ts'
export type { StoreCounts } from './data-layer/stored/stores.ts'
export type {
  Channel,
  ChannelCounts,
  ChannelEvent,
  ChannelsDiffer,
  ChannelGap,
  ChannelMap,
  ChannelMessage,
  ChannelNews,
  ChannelOptions,
  Published,
  PublishOptions,
  Replay,
  SubscribeOptions,
  Subscription,
} from './channels/channel-types.ts'
export type { CopyCounts, GetOrSetOptions } from './data-layer/data-layer.ts'
export type { GrantOptions, Lease, LeaseCounts, LeaseReceipt, Leases } from './data-layer/leases/lease-types.ts'
export type { Drift, DriftKind, LeaseEnd } from './store/event.ts'
export type { Validated, ValidateOptions } from './data-layer/upkeep/validate-options.ts'
export type { WarmedPeer } from './data-layer/upkeep/warm-from-peers.ts'
export type { WarmProgress } from './data-layer/upkeep/warm-round.ts'
export type { Warmed, WarmOptions } from './data-layer/upkeep/warm-up.ts'
export type { CopyPolicy, PolicyFacts, PolicyName } from './data-layer/policies/policy.ts'
export type { Invalidated, InvalidateOptions } from './data-layer/invalidator.ts'
export type {
  AcquireOptions,
  ElectOptions,
  Held,
  Lock,
  LockHolder,
  LockInfo,
  LockOptions,
  LockParty,
  Locks,
  Term,
  WithLockOptions,
} from './strong/locks/lock-types.ts'
export type { CheckedKeys, KeyMap, KeyOptions, Mode, Retention, ValueAt } from './keys/typed-keys.ts'
export type { ReplicaAcks } from './store/write-road/acknowledgement.ts'
export type {
  Ack,
  KeysOptions,
  ReachedAck,
  ReachedAcks,
  ReadOptions,
  Receipt,
  SettleOptions,
  Settlement,
  WaitOptions,
  WriteOptions,
} from './store/write-road/receipt.ts'
export type {
  At,
  DotRange,
  Effect,
  ExplainedOperation,
  ExplainOptions,
  Explanation,
  LogOptions,
} from './history/explanation.ts'
export type { OperationRecord } from './store/kept-operation.ts'
export type {
  Change,
  Cursor,
  ExpiredChange,
  ValueChange,
  Watch,
  WatchBatch,
  WatchGap,
  WatchOptions,
} from './watch/change.ts'
export type {
  ProjectedOperation,
  Projection,
  ProjectionCheckpoint,
  ProjectionHandle,
  RebuildOptions,
} from './projections/projection.ts'
export type { Imported } from './transfer/imported.ts'
export type { EvictOptions } from './membership/eviction.ts'
export type { KnownReplica } from './membership/name-book.ts'
export type { PeerReport } from './replication/replication-stats.ts'
export { relay } from './api/links/relay.ts'
export type { Relay, RelayOptions } from './api/links/relay.ts'
export type { RelayEnd } from './replication/regions/region-plan.ts'
export type { RegionReport } from './replication/regions/region-table.ts'
export type { CarriedLane } from './replication/regions/regions.ts'
export type { ReplicationEvent } from './replication/events.ts'
export type { ReplicationOptions } from './replication/options.ts'
export type {
  PeerAddress,
  Transport,
  TransportLink,
  TransportPeer,
  TransportReceiver,
  TransportReport,
} from './ports/transport.ts'
export {
  isWarpError,
  WarpError,
  type WarpErrorCode,
  type WarpErrorDetails,
  type WarpOutcome,
} from '../crdt/warp-error.ts'
export type { Dot } from '../crdt/time/dot.ts'
export type { ReplicaId } from '../crdt/time/replica-id.ts'
export type { Encodable } from '../crdt/encoding/encodable.ts'
