import { expect, test } from 'vitest'
import { natsOrderedLog, type NatsOrderedLogOptions } from '../../../adapters/nats/index.ts'
import { connectionOptions } from '../../../adapters/nats/connect-options.ts'
import { platformClock } from '../../../adapters/broker/platform-clock.ts'

const refused = (options: unknown) => () => natsOrderedLog(options as NatsOrderedLogOptions)

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'natsOrderedLog needs options'],
  ['a misspelt option', { stream: 'a', replica: 3 }, "did you mean 'replicas'?"],
  ['no stream', {}, 'stream is undefined'],
  ['a stream with a dot', { stream: 'a.b' }, 'up to 64 letters'],
  ['a stream that is too long', { stream: 'a'.repeat(65) }, 'up to 64 letters'],
  ['no partitions', { stream: 'a', partitions: 0 }, 'partitions is the number 0'],
  ['too many partitions', { stream: 'a', partitions: 65 }, 'from 1 to 64'],
  ['two copies', { stream: 'a', replicas: 2 }, 'give 1, 3 or 5'],
  ['a shortcoming that does not exist', { stream: 'a', accept: ['everything'] }, 'give a list of version, replicas'],
  ['a domain with a dot', { stream: 'a', domain: 'a.b' }, 'JetStream domain'],
  ['a text for a flag', { stream: 'a', create: 'no' }, 'give a boolean'],
  ['an empty list of servers', { stream: 'a', servers: [] }, "give an address such as 'nats://127.0.0.1:4222'"],
  ['a wildcard for answers', { stream: 'a', inboxPrefix: '_INBOX.>' }, 'without wildcards'],
  ['what is no connection', { stream: 'a', connection: {} }, 'connect of @nats-io/transport-node'],
  [
    'how to reconnect',
    { stream: 'a', connect: { maxReconnectAttempts: 3 } },
    'connect.maxReconnectAttempts is decided',
  ],
  ['a connection and servers', { stream: 'a', connection: { publish: () => 0 }, servers: 'a' }, 'leave it out'],
])('%s is refused', (_, options, message) => {
  expect(refused(options)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  expect(refused(options)).toThrow(message)
})

test('a log names itself by its stream, or as it is told', () => {
  expect(natsOrderedLog({ stream: 'orders' })).toMatchObject({ kind: 'ordered', name: 'nats:orders' })
  expect(natsOrderedLog({ stream: 'orders', name: 'the orders' }).name).toBe('the orders')
})

test("the client gets the user's credentials, and reconnects for ever, once a second", () => {
  const given = connectionOptions({ servers: ['a', 'b'], connect: { user: 'me', pingInterval: 1 } }, platformClock())
  expect(given).toMatchObject({ servers: ['a', 'b'], user: 'me', pingInterval: 1, maxReconnectAttempts: -1 })
  const waits = Array.from({ length: 100 }, () => given.reconnectDelayHandler?.() ?? 0)
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1000)
  expect(new Set(waits).size).toBeGreaterThan(10)
})
