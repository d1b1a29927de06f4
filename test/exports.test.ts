/**
 * The public names of every entry point. A change here is a change of the package's face: it belongs in the change log. To
 * accept it: `npx vitest run test/exports.test.ts -u`, and read the difference.
 */
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { publicNames } from './support/package/public-names.ts'
import { type Entry, sourceOf } from './support/tidy/entry-points.ts'
import { readFile } from './support/tidy/source-tree.ts'

const entries: Readonly<Record<string, Entry>> = manifest.exports

function namesOf(entry: string): string[] {
  return publicNames(readFile(sourceOf(entries[entry] ?? `no entry ${entry}`) ?? `no source of ${entry}`))
}

describe('public names', () => {
  test('every entry point is listed here', () => {
    const listed = [
      '.',
      './crdt',
      './yjs',
      './automerge',
      './file',
      './memory',
      './mesh',
      './nats',
      './presets',
      './sql',
      './redis',
      './resp',
      './y-websocket',
      './gateway',
      './guest',
      './kafka',
      './keyv',
      './express-session',
      './unstorage',
      './msgpackr',
      './prometheus',
      './opentelemetry',
      './http',
      './conformance',
      './testing',
      './package.json',
    ]
    expect(Object.keys(entries)).toEqual(listed)
  })

  test('warp-engine', () => {
    expect(namesOf('.')).toMatchInlineSnapshot(`
      [
        "INSTRUMENTS",
        "OBSERVED",
        "WarpError",
        "adaptive",
        "checkLog",
        "defineKeys",
        "functionStore",
        "isWarpError",
        "logTo",
        "memoryFiles",
        "nodeEnv",
        "openWarp",
        "overlayLog",
        "relay",
        "replayLog",
        "type Ack",
        "type AcquireOptions",
        "type AdaptiveLife",
        "type AdaptiveOptions",
        "type AppendOutcome",
        "type At",
        "type Bookmark",
        "type CacheOptions",
        "type Capabilities",
        "type Change",
        "type Channel",
        "type ChannelCounts",
        "type ChannelEvent",
        "type ChannelGap",
        "type ChannelMap",
        "type ChannelMessage",
        "type ChannelNews",
        "type ChannelOptions",
        "type CheckLogOptions",
        "type CheckProgress",
        "type CheckReport",
        "type CheckedKeys",
        "type CheckedLog",
        "type CloseOptions",
        "type Compaction",
        "type ControlOptions",
        "type CopiesOptions",
        "type CopyCounts",
        "type CopyOptions",
        "type CopyPolicy",
        "type Cursor",
        "type Dot",
        "type DotRange",
        "type Drift",
        "type DriftKind",
        "type Effect",
        "type ElectOptions",
        "type Encodable",
        "type EntriesOptions",
        "type Entry",
        "type Env",
        "type EventLevel",
        "type EventLogger",
        "type EventualTransaction",
        "type ExplainOptions",
        "type ExplainedOperation",
        "type Explanation",
        "type Finding",
        "type FindingKind",
        "type FunctionStoreOptions",
        "type GetOrSetOptions",
        "type GrantOptions",
        "type HandleFor",
        "type HandleOptions",
        "type Health",
        "type HealthPart",
        "type HealthReason",
        "type HealthReasonCode",
        "type Held",
        "type Imported",
        "type Instrument",
        "type Instruments",
        "type InvalidateOptions",
        "type Invalidated",
        "type KeyHandle",
        "type KeyMap",
        "type KeyOptions",
        "type KeysOptions",
        "type KnownReplica",
        "type Labels",
        "type Lease",
        "type LeaseCounts",
        "type LeaseEnd",
        "type LeaseReceipt",
        "type Leases",
        "type LifeFacts",
        "type ListRequest",
        "type Load",
        "type LoadContext",
        "type LoadMany",
        "type LoadManyContext",
        "type Loadable",
        "type LoadedBy",
        "type LoadedMany",
        "type LoadingOptions",
        "type Lock",
        "type LockHolder",
        "type LockInfo",
        "type LockOptions",
        "type LockParty",
        "type Locks",
        "type LogEvent",
        "type LogFile",
        "type LogFiles",
        "type LogOptions",
        "type LogStore",
        "type LogToOptions",
        "type Mode",
        "type NotModified",
        "type Observe",
        "type OpenWarpOptions",
        "type OperationRecord",
        "type OrderedLog",
        "type OrderedLogLink",
        "type OrderedLogPromises",
        "type OrderedLogReader",
        "type OrderedLogReceiver",
        "type OrderedLogReport",
        "type OrderedRecord",
        "type OrderedSnapshot",
        "type OwnAdaptiveOptions",
        "type PartHealth",
        "type PeerAddress",
        "type PeerReport",
        "type PolicyFacts",
        "type PolicyName",
        "type PrimaryStore",
        "type ProjectedOperation",
        "type Projection",
        "type ProjectionHandle",
        "type PublishOptions",
        "type Published",
        "type PurgedRow",
        "type ReachedAcks",
        "type ReadOptions",
        "type RebuildOptions",
        "type Receipt",
        "type RegionReport",
        "type Relay",
        "type RelayEnd",
        "type RelayOptions",
        "type Replay",
        "type ReplayOptions",
        "type ReplayedKey",
        "type ReplayedValue",
        "type ReplicaAcks",
        "type ReplicaId",
        "type ReplicationEvent",
        "type ReplicationOptions",
        "type Retention",
        "type RowChange",
        "type RowOutcome",
        "type Session",
        "type SessionHandle",
        "type SessionOptions",
        "type SettleOptions",
        "type Settlement",
        "type Span",
        "type Stats",
        "type StoreCodec",
        "type StoreCounts",
        "type StoreFailure",
        "type StoreFunctions",
        "type StoreOptions",
        "type StoreRequest",
        "type StoreRow",
        "type StoringOptions",
        "type SubscribeOptions",
        "type Subscription",
        "type Tell",
        "type Term",
        "type Timer",
        "type TombstonePage",
        "type TombstoneRequest",
        "type Transaction",
        "type TransactionBase",
        "type TransactionKey",
        "type TransactionOf",
        "type TransactionOptions",
        "type TransactionOutcome",
        "type TransactionReceipt",
        "type TransactionWriteOptions",
        "type Transport",
        "type TransportLink",
        "type TransportPeer",
        "type TransportReceiver",
        "type TransportReport",
        "type ValidateOptions",
        "type Validated",
        "type ValueAt",
        "type ValueChange",
        "type WaitOptions",
        "type WarmOptions",
        "type WarmProgress",
        "type Warmed",
        "type WarmedPeer",
        "type Warp",
        "type WarpErrorCode",
        "type WarpErrorDetails",
        "type WarpEvent",
        "type WarpOptions",
        "type WarpOutcome",
        "type Watch",
        "type WatchBatch",
        "type WatchGap",
        "type WatchOptions",
        "type WithLockOptions",
        "type WriteOptions",
      ]
    `)
  })

  test('warp-engine/crdt', () => {
    expect(namesOf('./crdt')).toMatchInlineSnapshot(`
      [
        "VersionVector",
        "WarpError",
        "boundedCounter",
        "compareStamps",
        "counter",
        "custom",
        "formatDot",
        "hlcToMs",
        "isWarpError",
        "list",
        "map",
        "max",
        "min",
        "multiValue",
        "parseReplicaId",
        "redis",
        "register",
        "set",
        "text",
        "type AnyStrategy",
        "type Applied",
        "type BoundedCounter",
        "type BoundedCounterOptions",
        "type CausalOrder",
        "type Counter",
        "type Custom",
        "type CustomOptions",
        "type DeleteRule",
        "type Dot",
        "type Encodable",
        "type Extremum",
        "type Fields",
        "type Fold",
        "type Hlc",
        "type MapOf",
        "type Merge",
        "type MultiValue",
        "type ObservedRemoveSet",
        "type Ordered",
        "type Prepare",
        "type Queries",
        "type QueriesOf",
        "type Query",
        "type RecordOf",
        "type Redis",
        "type RedisQueries",
        "type RedisText",
        "type RedisValue",
        "type RedisVerbs",
        "type RedisView",
        "type Register",
        "type ReplicaId",
        "type Right",
        "type Stamp",
        "type Strategy",
        "type ValueOf",
        "type Verb",
        "type Verbs",
        "type VerbsOf",
        "type WarpErrorCode",
        "type WarpErrorDetails",
        "type WarpErrorOptions",
        "type WarpOutcome",
      ]
    `)
  })

  test('warp-engine/yjs', () => {
    expect(namesOf('./yjs')).toMatchInlineSnapshot(`
      [
        "YJS_ORIGIN",
        "type YjsState",
        "type YjsVerbs",
        "yjs",
      ]
    `)
  })

  test('warp-engine/automerge', () => {
    expect(namesOf('./automerge')).toMatchInlineSnapshot(`
      [
        "automerge",
        "type AutomergeState",
        "type AutomergeVerbs",
      ]
    `)
  })

  test('warp-engine/file', () => {
    expect(namesOf('./file')).toMatchInlineSnapshot(`
      [
        "fileLog",
        "type FileLogOptions",
      ]
    `)
  })

  test('warp-engine/memory', () => {
    expect(namesOf('./memory')).toMatchInlineSnapshot(`
      [
        "memoryNetwork",
        "memoryOrderedLog",
        "memoryStore",
        "type LinkEnds",
        "type LinkSettings",
        "type MemoryNetwork",
        "type MemoryNetworkOptions",
        "type MemoryNetworkStats",
        "type MemoryOrderedLog",
        "type MemoryOrderedLogOptions",
        "type MemoryOrderedLogStats",
        "type MemoryStore",
        "type MemoryStoreOptions",
        "type MemoryStoreStats",
        "type OrderedLogClock",
        "type OrderedLogTroubles",
        "type RowRule",
        "type StoreClock",
        "type StoreTroubles",
      ]
    `)
  })

  test('warp-engine/mesh', () => {
    expect(namesOf('./mesh')).toMatchInlineSnapshot(`
      [
        "meshTransport",
        "type ByteStream",
        "type ClusterKeyInput",
        "type DatagramPort",
        "type Endpoint",
        "type MeshClock",
        "type MeshMember",
        "type MeshMulticastOptions",
        "type MeshNetwork",
        "type MeshOptions",
        "type MeshTransport",
        "type MulticastPort",
        "type OnDatagram",
        "type StreamHandlers",
        "type StreamListener",
      ]
    `)
  })

  test('warp-engine/nats', () => {
    expect(namesOf('./nats')).toMatchInlineSnapshot(`
      [
        "natsOrderedLog",
        "natsPreset",
        "natsTransport",
        "type BrokerPreset",
        "type BrokerPresetOptions",
        "type NatsClock",
        "type NatsConnectOptions",
        "type NatsOrderedLogOptions",
        "type NatsPresetOptions",
        "type NatsServersOptions",
        "type NatsShortcoming",
        "type NatsTransportOptions",
        "type PresetDefaults",
        "type PresetOptions",
      ]
    `)
  })

  test('warp-engine/sql', () => {
    expect(namesOf('./sql')).toMatchInlineSnapshot(`
      [
        "sqlStore",
        "type SqlColumns",
        "type SqlDialect",
        "type SqlStoreOptions",
        "type UsersTable",
      ]
    `)
  })

  test('warp-engine/resp', () => {
    expect(namesOf('./resp')).toMatchInlineSnapshot(`
      [
        "respServer",
        "type RespServer",
        "type RespServerOptions",
        "type ServedEngine",
        "type UserRules",
      ]
    `)
  })

  test('warp-engine/y-websocket', () => {
    expect(namesOf('./y-websocket')).toMatchInlineSnapshot(`
      [
        "type AskedDocument",
        "type DocumentAccess",
        "type DocumentPermission",
        "type DocumentsCounts",
        "type DocumentsEngine",
        "type RefusedUpdate",
        "type YWebsocketServer",
        "type YWebsocketServerOptions",
        "yWebsocketServer",
      ]
    `)
  })

  test('warp-engine/gateway', () => {
    expect(namesOf('./gateway')).toMatchInlineSnapshot(`
      [
        "guestGateway",
        "type GatewayEvent",
        "type GatewayLimits",
        "type GuestGateway",
        "type GuestGatewayOptions",
        "type GuestPermission",
      ]
    `)
  })

  test('warp-engine/guest', () => {
    expect(namesOf('./guest')).toMatchInlineSnapshot(`
      [
        "openGuest",
        "type Guest",
        "type GuestConnection",
        "type GuestEvent",
        "type GuestHandle",
        "type GuestOptions",
        "type GuestStatus",
        "type GuestWaitOptions",
        "type GuestWriteOptions",
        "type GuestWritten",
        "type IsAny",
        "type KnownKey",
        "type OpenGuestOptions",
        "type ParametersAfterFirst",
        "type SettableKey",
        "type SettableValue",
        "type StrategyAt",
      ]
    `)
  })

  test('warp-engine/kafka', () => {
    expect(namesOf('./kafka')).toMatchInlineSnapshot(`
      [
        "kafkaOrderedLog",
        "kafkaPreset",
        "kafkaTransport",
        "type BrokerPreset",
        "type BrokerPresetOptions",
        "type KafkaBrokersOptions",
        "type KafkaClock",
        "type KafkaConnectOptions",
        "type KafkaOrderedLogOptions",
        "type KafkaPresetOptions",
        "type KafkaShortcoming",
        "type KafkaSocketFactory",
        "type KafkaTransportOptions",
        "type PresetDefaults",
        "type PresetOptions",
      ]
    `)
  })

  test('warp-engine/redis', () => {
    expect(namesOf('./redis')).toMatchInlineSnapshot(`
      [
        "redisOrderedLog",
        "redisPreset",
        "redisStore",
        "redisTransport",
        "type BrokerPreset",
        "type BrokerPresetOptions",
        "type PresetDefaults",
        "type PresetOptions",
        "type RedisClient",
        "type RedisClock",
        "type RedisConnectOptions",
        "type RedisOrderedLogOptions",
        "type RedisPresetOptions",
        "type RedisServerOptions",
        "type RedisStoreOptions",
        "type RedisTransportOptions",
      ]
    `)
  })

  test('warp-engine/keyv', () => {
    expect(namesOf('./keyv')).toMatchInlineSnapshot(`
      [
        "keyvStore",
        "type FrontedEngine",
        "type KeyvStoreOptions",
        "type WarpKeyv",
        "warpKeyv",
      ]
    `)
  })

  test('warp-engine/presets', () => {
    expect(namesOf('./presets')).toMatchInlineSnapshot(`
      [
        "memoryPreset",
        "meshPreset",
        "type MemoryPreset",
        "type MemoryPresetOptions",
        "type MeshPreset",
        "type MeshPresetOptions",
        "type PresetDefaults",
        "type PresetOptions",
      ]
    `)
  })

  test('warp-engine/express-session', () => {
    expect(namesOf('./express-session')).toMatchInlineSnapshot(`
      [
        "WarpSessionStore",
        "type SessionEngine",
        "type WarpSessionStoreOptions",
      ]
    `)
  })

  test('warp-engine/unstorage', () => {
    expect(namesOf('./unstorage')).toMatchInlineSnapshot(`
      [
        "type WarpDriverOptions",
        "type WatchableEngine",
        "warpDriver",
      ]
    `)
  })

  test('warp-engine/msgpackr', () => {
    expect(namesOf('./msgpackr')).toMatchInlineSnapshot(`
      [
        "msgpackrCodec",
      ]
    `)
  })

  test('warp-engine/prometheus', () => {
    expect(namesOf('./prometheus')).toMatchInlineSnapshot(`
      [
        "prometheusInstruments",
        "prometheusName",
        "type PrometheusOptions",
      ]
    `)
  })

  test('warp-engine/opentelemetry', () => {
    expect(namesOf('./opentelemetry')).toMatchInlineSnapshot(`
      [
        "openTelemetryInstruments",
        "type OpenTelemetryOptions",
      ]
    `)
  })

  test('warp-engine/http', () => {
    expect(namesOf('./http')).toMatchInlineSnapshot(`
      [
        "type AskedRoute",
        "type ChannelHttpMessage",
        "type HttpPermission",
        "type MetricsRegistry",
        "type WarpHttp",
        "type WarpHttpOptions",
        "type WatchMessage",
        "type WatchedEngine",
        "warpHttp",
      ]
    `)
  })

  test('warp-engine/conformance', () => {
    expect(namesOf('./conformance')).toMatchInlineSnapshot(`
      [
        "logFilesSuite",
        "orderedLogSuite",
        "primaryStoreSuite",
        "transportSuite",
        "type LogFilesSubject",
        "type LogFilesSuiteOptions",
        "type OrderedLogOperator",
        "type OrderedLogSubject",
        "type OrderedLogSuiteOptions",
        "type PrimaryStoreSubject",
        "type PrimaryStoreSuiteOptions",
        "type TransportSubject",
        "type TransportSuiteOptions",
      ]
    `)
  })

  test('warp-engine/testing', () => {
    expect(namesOf('./testing')).toMatchInlineSnapshot(`
      [
        "DATA_FAULT_KINDS",
        "FAULT_KINDS",
        "HistoryRecorder",
        "ORDER_FAULT_KINDS",
        "REFUSED",
        "SimulationTotals",
        "causalHistories",
        "checkIsolation",
        "checkLinearizability",
        "checkStrategy",
        "counterModel",
        "deliveryOrders",
        "encodables",
        "examineStrategy",
        "faultPlans",
        "fencedRegisterModel",
        "formatHistory",
        "keyPatterns",
        "keys",
        "lockModel",
        "operationsOf",
        "pairCalls",
        "parseHistory",
        "propertyNames",
        "queueModel",
        "registerModel",
        "scalars",
        "setModel",
        "simulate",
        "type Anomaly",
        "type AnomalyName",
        "type Basis",
        "type Call",
        "type CallEvent",
        "type CallOutcome",
        "type CallRecord",
        "type CheckStrategyOptions",
        "type Checker",
        "type CheckerFactory",
        "type Claims",
        "type Counterexample",
        "type CounterexampleOperation",
        "type CycleName",
        "type Dependency",
        "type EncodablesOptions",
        "type EngineReport",
        "type EventType",
        "type Explanation",
        "type FaultCount",
        "type FaultKind",
        "type FaultPlan",
        "type FencedState",
        "type FencedWrite",
        "type FoundPhase",
        "type FoundViolation",
        "type History",
        "type HistoryEvent",
        "type HistoryHeader",
        "type HistoryOptions",
        "type IsolationLevel",
        "type IsolationOptions",
        "type IsolationVerdict",
        "type Json",
        "type LawHistory",
        "type LawName",
        "type LawOperation",
        "type LawStep",
        "type LawWitness",
        "type LifeEvent",
        "type LifeEventKind",
        "type LinearizabilityOptions",
        "type LinearizabilityVerdict",
        "type LinearizabilityViolation",
        "type LoadBounds",
        "type LoadEvent",
        "type LockState",
        "type MachineView",
        "type MicroOperation",
        "type Minimised",
        "type Moment",
        "type ObservedRemove",
        "type OpenCall",
        "type OrderView",
        "type Outcome",
        "type Process",
        "type RecordedCall",
        "type ReferenceReplica",
        "type RunEvent",
        "type RunHistory",
        "type RunSubject",
        "type SeenSum",
        "type SequentialModel",
        "type Shown",
        "type SimulateOptions",
        "type Simulated",
        "type SimulatedCallOutcome",
        "type SimulatedHold",
        "type SimulatedIntent",
        "type Step",
        "type StrategyReport",
        "type ToEncodable",
        "type Transaction",
        "type TransactionKind",
        "type VerbArbitraries",
        "type VerbCall",
        "type Violation",
        "type Workload",
        "type WorkloadMoment",
        "type WriteAt",
      ]
    `)
  })

  test('an index only hands on names', () => {
    const indexes = Object.values(entries)
      .map((entry) => sourceOf(entry) ?? 'no source')
      .filter((path) => path.endsWith('/index.ts'))
    expect(indexes.flatMap((path) => nothingButNames(readFile(path).text))).toEqual([])
    expect(nothingButNames(`/** What. */\nexport { a } from './a.ts'\nexport type {\n  B,\n} from './b.ts'\n`)).toEqual(
      [],
    )
    expect(nothingButNames(`export * from './a.ts'`)).toHaveLength(1)
    expect(nothingButNames(`export const a = 1`)).toHaveLength(1)
  })
})

/** What is left of an index when comments and named re-exports are taken away. */
function nothingButNames(text: string): string[] {
  const rest = text
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '')
    .replaceAll(/export (?:type )?\{[^}]*\} from '[^']+'/g, '')
    .trim()
  return rest === '' ? [] : [rest]
}
