/** ioredis: commands, pipelines, transactions, scripts, messages, waiting, as programs use them. */
import assert from 'node:assert/strict'
import { Redis } from 'ioredis'

const redis = new Redis(Number(process.env['PORT']))
await redis.flushdb()
assert.equal(await redis.set('text', 'value', 'EX', 100), 'OK')
assert.equal(await redis.get('text'), 'value')
assert.deepEqual(await redis.getBuffer('text'), Buffer.from('value'))
assert.equal(await redis.incrby('number', 5), 5)
await redis.hset('hash', { a: '1', b: '2' })
assert.deepEqual(await redis.hgetall('hash'), { a: '1', b: '2' })
assert.equal(await redis.rpush('list', 'a', 'b', 'c'), 3)
assert.deepEqual(await redis.lrange('list', 0, -1), ['a', 'b', 'c'])
assert.equal(await redis.sadd('set', 'x', 'y'), 2)
assert.equal(await redis.zadd('sorted', 1, 'one', 2, 'two'), 2)
assert.deepEqual(await redis.zrange('sorted', 0, -1, 'WITHSCORES'), ['one', '1', 'two', '2'])
const pipelined = await redis.pipeline().set('p', '1').incr('p').hget('p', 'f').exec()
assert.equal(pipelined[1][1], 2)
assert.match(String(pipelined[2][0]), /WRONGTYPE/)
assert.deepEqual(await redis.multi().set('m', 'v').get('m').exec(), [
  [null, 'OK'],
  [null, 'v'],
])
redis.defineCommand('addTo', { numberOfKeys: 1, lua: 'return redis.call("INCRBY", KEYS[1], ARGV[1])' })
assert.equal(await redis.addTo('number', 3), 8)
const found = []
for await (const page of redis.scanStream({ match: '*', count: 100 })) found.push(...page)
assert.equal(new Set(found).size, 8)

const listener = redis.duplicate()
const heard = new Promise((resolve) => listener.on('message', (channel, text) => resolve(`${channel}: ${text}`)))
await listener.subscribe('news')
await redis.publish('news', 'here')
assert.equal(await heard, 'news: here')

const waiting = redis.duplicate()
const popped = waiting.blpop('queue', 10)
await redis.rpush('queue', 'job')
assert.deepEqual(await popped, ['queue', 'job'])
for (const one of [redis, listener, waiting]) one.disconnect()
