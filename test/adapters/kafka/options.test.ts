import { expect, test } from 'vitest'
import {
  kafkaOrderedLog,
  type KafkaOrderedLogOptions,
  kafkaTransport,
  type KafkaTransportOptions,
} from '../../../adapters/kafka/index.ts'
import { brokersOf } from '../../../adapters/kafka/brokers-options.ts'

const refused = (options: unknown) => () => kafkaOrderedLog(options as KafkaOrderedLogOptions)

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'kafkaOrderedLog needs options'],
  ['a misspelt option', { topic: 'a', replica: 3 }, "did you mean 'replicas'?"],
  ['no topic', {}, 'topic is undefined'],
  ['a topic with a space', { topic: 'a b' }, 'up to 200 letters'],
  ['a topic that is too long', { topic: 'a'.repeat(201) }, 'up to 200 letters'],
  ['no partitions', { topic: 'a', partitions: 0 }, 'from 1 to 64'],
  ['too many copies', { topic: 'a', replicas: 10 }, 'from 1 to 9'],
  [
    'a shortcoming that does not exist',
    { topic: 'a', acceptUnfit: ['everything'] },
    'give a list of replicas, election',
  ],
  ['a text for a flag', { topic: 'a', create: 'no' }, 'give a boolean'],
  ['no brokers', { topic: 'a', brokers: [] }, "give addresses such as '127.0.0.1:9092'"],
  ['a broker with a scheme', { topic: 'a', brokers: 'kafka://a:1' }, "give addresses such as '127.0.0.1:9092'"],
  ['a port beyond the last', { topic: 'a', brokers: 'a:70000' }, "give addresses such as '127.0.0.1:9092'"],
  ['how to try again', { topic: 'a', connect: { retry: {} } }, 'retry'],
  ['credentials that are none', { topic: 'a', connect: { sasl: 'secret' } }, 'mechanism'],
])('%s is refused', (_, options, message) => {
  expect(refused(options)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  expect(refused(options)).toThrow(message)
  expect(refused(options)).not.toThrow('secret')
})

test.each<[string, unknown, string]>([
  ['a misspelt option', { topics: 'a' }, "did you mean 'topic'?"],
  ['beats without a pause', { heartbeatMs: 10 }, 'from 100 to 60000'],
  ['pings without a pause', { pingMs: 10 }, 'from 100 to 60000'],
  ['a queue that takes no frame', { queueBytesMax: 1000 }, 'give a whole number from'],
  ['too many copies', { replicas: 10 }, 'from 1 to 9'],
])('%s is refused by the transport', (_, options, message) => {
  const open = () => kafkaTransport(options as KafkaTransportOptions)
  expect(open).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  expect(open).toThrow(message)
})

test('a log names itself by its topic, or as it is told', () => {
  expect(kafkaOrderedLog({ topic: 'orders' })).toMatchObject({ kind: 'ordered', name: 'kafka:orders' })
  expect(kafkaOrderedLog({ topic: 'orders', name: 'the orders' }).name).toBe('the orders')
  expect(kafkaTransport().name).toBe('kafka')
})

test('brokers are given as one, several with commas between, or a list, with a port or without', () => {
  const found = ['a', 'a:1,b:2', ['a:1', '[::1]:3']].map((brokers) => brokersOf('it', { brokers }).addresses)
  expect(found).toEqual([
    [{ host: 'a', port: 9092 }],
    [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
    [
      { host: 'a', port: 1 },
      { host: '::1', port: 3 },
    ],
  ])
})
