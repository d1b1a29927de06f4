/** The package's main entry: the engine on Node. */
import { openWarpOn, type KeyMap, type Warp, type WarpOptions } from '../../src/index.ts'
import { nodeEnv } from './node-env.ts'

export { nodeEnv } from './node-env.ts'
export { WarpError, isWarpError, memoryFiles } from '../../src/index.ts'
export type {
  Ack,
  At,
  CacheOptions,
  Capabilities,
  Change,
  Compaction,
  Cursor,
  Dot,
  Effect,
  Encodable,
  Env,
  ExplainedOperation,
  Explanation,
  HandleFor,
  HandleOptions,
  KeyHandle,
  KeyMap,
  KeyOptions,
  LogEvent,
  LogFile,
  LogFiles,
  LogOptions,
  LogStore,
  Mode,
  OperationRecord,
  PeerAddress,
  ProjectedOperation,
  Projection,
  ProjectionHandle,
  ReadOptions,
  RebuildOptions,
  Receipt,
  ReplicaId,
  ReplicationEvent,
  ReplicationOptions,
  Retention,
  Stats,
  Timer,
  Transport,
  TransportLink,
  TransportReceiver,
  ValueAt,
  ValueChange,
  Warp,
  WarpErrorCode,
  WarpErrorDetails,
  WarpEvent,
  WarpOptions,
  WarpOutcome,
  Watch,
  WatchGap,
  WatchOptions,
  WriteOptions,
} from '../../src/index.ts'

/**
 * Opens an engine: reads its log, joins its networks. Close it when done (`await using` does).
 *
 * Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_LINEARIZABLE_UNSUPPORTED` for what it is given, and `WARP_E_LOG_LOCKED`,
 * `WARP_E_LOG_CORRUPT`, `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION`, `WARP_E_STORAGE` for what it finds.
 */
export function openWarp<const K extends KeyMap>(options: WarpOptions<K>): Promise<Warp<K>> {
  return openWarpOn({ env: nodeEnv() }, options)
}
