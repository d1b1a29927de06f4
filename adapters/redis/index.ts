/** `warp-engine/redis`: replicas that hear each other over Redis or Valkey, an ordered log, and rows. */
export { redisStore } from './store/redis-store.ts'
export type { RedisClient, RedisStoreOptions } from './store/options.ts'
export { redisTransport } from './transport/redis-transport.ts'
export type { RedisTransportOptions } from './transport/options.ts'
export type { RedisConnectOptions, RedisServerOptions } from './server-options.ts'
export type { BrokerClock as RedisClock } from '../broker/platform-clock.ts'
export { redisOrderedLog } from './ordered/ordered-log.ts'
export type { RedisOrderedLogOptions } from './ordered/options.ts'
