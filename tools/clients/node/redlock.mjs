/** redlock: one lock at a time, prolonged, released. */
import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import Redlock from 'redlock'

const redis = new Redis(Number(process.env['PORT']))
const redlock = new Redlock([redis], { retryCount: 0 })
const lock = await redlock.lock('lock:a', 5000)
await assert.rejects(redlock.lock('lock:a', 5000))
await lock.extend(5000)
await lock.unlock()
await (await redlock.lock('lock:a', 5000)).unlock()
redis.disconnect()
