import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { newClient, shownServer } from '../../../adapters/redis/server-options.ts'
import { redisTransport, type RedisTransportOptions } from '../../../adapters/redis/index.ts'

const refused = (options: unknown) => () => redisTransport(options as RedisTransportOptions)
const client = new Redis({ lazyConnect: true, password: 'secret', keyPrefix: 'theirs:' })

test.each<[string, unknown, string]>([
  ['a misspelt option', { prefx: 'a' }, "did you mean 'prefix'?"],
  ['a url of something else', { url: 'http://127.0.0.1' }, 'redis: or rediss:'],
  ['what is no client', { client: {} }, 'give a client of ioredis'],
  ['a client and a url', { client, url: 'redis://a' }, 'leave it out, or the client'],
  ['how to reconnect', { connect: { retryStrategy: () => 1 } }, 'connect.retryStrategy is decided by Warp'],
  ['a prefix with a brace', { prefix: 'a{b}' }, 'visible characters without'],
  ['an empty prefix', { prefix: '' }, 'visible characters without'],
  ['beats without a pause', { heartbeatMs: 10 }, 'from 100 to 60000'],
  ['pings without a pause', { pingMs: 10 }, 'from 100 to 60000'],
  ['a queue that takes no frame', { queueBytesMax: 1000 }, 'give a whole number from'],
])('%s is refused', (_, options, message) => {
  expect(refused(options)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  expect(refused(options)).toThrow(message)
})

test('a url with a password is not repeated', () => {
  expect(refused({ url: 'http://me:secret@a' })).not.toThrow('secret')
  expect(shownServer({ url: 'redis://me:s@cret@a:1' })).toBe('redis://a:1')
})

test('connections are made as the client was made, and keep nothing for later', () => {
  const made = newClient({ client }, () => 0)
  expect(made?.options).toMatchObject({
    password: 'secret',
    keyPrefix: '',
    lazyConnect: true,
    enableOfflineQueue: false,
  })
  expect(made?.options.retryStrategy?.(1)).toBeNull()
})
