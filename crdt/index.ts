/**
 * `warp-engine/crdt`: the strategies, and what it takes to write one of your own. The documents
 * `yjs` and `automerge` have entry points of their own, because they need the packages of those
 * names.
 */
export { boundedCounter } from './bounded-counter.ts'
export type { BoundedCounter, BoundedCounterOptions, Right } from './bounded-counter.ts'
export { counter } from './counter.ts'
export type { Counter } from './counter.ts'
export { custom } from './custom.ts'
export type { Custom, CustomOptions, Merge } from './custom.ts'
export { formatDot } from './time/dot.ts'
export type { Dot } from './time/dot.ts'
export type { Encodable } from './encoding/encodable.ts'
export { max, min } from './extremum.ts'
export type { Extremum, Ordered } from './extremum.ts'
export { compareStamps, hlcToMs } from './time/hlc.ts'
export type { Hlc, Stamp } from './time/hlc.ts'
export { list } from './sequence/list.ts'
export { map } from './map.ts'
export type { Fields, MapOf, RecordOf } from './map.ts'
export { multiValue } from './multi-value.ts'
export type { MultiValue } from './multi-value.ts'
export { register } from './register.ts'
export type { Register } from './register.ts'
export { redis } from './redis/redis.ts'
export type { Redis, RedisQueries, RedisVerbs } from './redis/redis.ts'
export type { RedisText, RedisValue } from './redis/value.ts'
export type { RedisView } from './redis/view.ts'
export { parseReplicaId } from './time/replica-id.ts'
export type { ReplicaId } from './time/replica-id.ts'
export { set } from './set.ts'
export type { ObservedRemoveSet } from './set.ts'
export type {
  AnyStrategy,
  Applied,
  DeleteRule,
  Fold,
  Prepare,
  QueriesOf,
  Queries,
  Query,
  Strategy,
  ValueOf,
  Verb,
  Verbs,
  VerbsOf,
} from './strategy.ts'
export { text } from './sequence/text.ts'
export { VersionVector } from './time/version-vector.ts'
export type { CausalOrder } from './time/version-vector.ts'
export { WarpError, isWarpError } from './warp-error.ts'
export type { WarpErrorCode, WarpErrorDetails, WarpErrorOptions, WarpOutcome } from './warp-error.ts'
