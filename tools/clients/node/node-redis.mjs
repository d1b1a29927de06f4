/** node-redis: both protocols, commands, transactions, scripts, messages and, from version 5 on, its cache. */
import assert from 'node:assert/strict'
import { createClient, defineScript } from 'redis'

const url = `redis://127.0.0.1:${process.env['PORT']}`
const hasCache = Number(process.env['MAJOR']) >= 5
const scripts = {
  addTo: defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: 'return redis.call("INCRBY", KEYS[1], ARGV[1])',
    parseCommand(parser, key, amount) {
      parser.pushKey(key)
      parser.push(String(amount))
    },
    transformArguments: (key, amount) => [key, String(amount)],
    transformReply: (reply) => reply,
  }),
}

/** Version 4 has another word for it. */
function end(one) {
  if (typeof one.destroy === 'function') one.destroy()
  else void one['disconnect']()
}

for (const RESP of hasCache ? [2, 3] : [2]) {
  const client = await createClient({ url, RESP, scripts, name: 'check' }).connect()
  await client.flushDb()
  assert.equal(await client.set('text', 'value', { EX: 100 }), 'OK')
  assert.equal(await client.get('text'), 'value')
  assert.equal(await client.incrBy('number', 5), 5)
  await client.hSet('hash', { a: '1', b: '2' })
  assert.deepEqual({ ...(await client.hGetAll('hash')) }, { a: '1', b: '2' })
  assert.equal(await client.rPush('list', ['a', 'b', 'c']), 3)
  assert.deepEqual(await client.lRange('list', 0, -1), ['a', 'b', 'c'])
  await client.zAdd('sorted', [
    { score: 1, value: 'one' },
    { score: 2.5, value: 'two' },
  ])
  assert.equal(await client.zScore('sorted', 'two'), 2.5)
  assert.deepEqual(await client.multi().set('m', 'v').get('m').exec(), ['OK', 'v'])
  assert.equal(await client.addTo('number', 3), 8)
  await assert.rejects(client.hGet('text', 'f'), /WRONGTYPE/)

  const listener = await client.duplicate().connect()
  const heard = new Promise(
    (resolve) => void listener.subscribe('news', resolve).then(() => client.publish('news', 'here')),
  )
  assert.equal(await heard, 'here')
  const waiting = await client.duplicate().connect()
  const popped = waiting.blPop('queue', 10)
  await client.rPush('queue', 'job')
  assert.deepEqual({ ...(await popped) }, { key: 'queue', element: 'job' })
  for (const one of [client, listener, waiting]) end(one)
}

if (hasCache) {
  const { BasicClientSideCache } = await import('redis')
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 })
  const reader = await createClient({ url, RESP: 3, clientSideCache: cache }).connect()
  const writer = await createClient({ url }).connect()
  await writer.set('cached', 'one')
  assert.equal(await reader.get('cached'), 'one')
  assert.equal(await reader.get('cached'), 'one')
  assert.equal(cache.stats().hitCount, 1)
  const changed = new Promise((resolve) => cache.once('invalidate', resolve))
  await writer.set('cached', 'two')
  await changed
  assert.equal(await reader.get('cached'), 'two')
  for (const one of [reader, writer]) one.destroy()
}
