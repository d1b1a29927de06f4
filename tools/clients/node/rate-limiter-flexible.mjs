/** rate-limiter-flexible: so many points are taken, and no more. */
import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'

const storeClient = new Redis(Number(process.env['PORT']), { enableOfflineQueue: false })
await new Promise((resolve) => storeClient.once('ready', resolve))
const limiter = new RateLimiterRedis({ storeClient, points: 5, duration: 60 })
const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume('somebody')))
assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5)
assert.equal((await limiter.get('somebody')).consumedPoints, 8)
await limiter.delete('somebody')
assert.equal((await limiter.consume('somebody')).remainingPoints, 4)
storeClient.disconnect()
