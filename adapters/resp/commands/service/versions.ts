/**
 * Whose version this says it is, as clients ask: some leave RESP3 alone below 6, and redis-py and Jedis keep
 * near caches from 7.4 on alone. Replies are those of Redis 7.0.
 */
export const REDIS_VERSION = '7.4.0'
