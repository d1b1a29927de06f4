/** `warp-engine/redis`: rows in Redis or Valkey, on an ioredis client of the user's. */
export { redisStore } from './store/redis-store.ts'
export type { RedisClient, RedisStoreOptions } from './store/options.ts'
