/** The suite that every ordered log passes, on three real brokers. */
import { afterAll, beforeAll, test } from 'vitest'
import { orderedLogSuite } from '../../../adapters/conformance/ordered-log/suite.ts'
import { kafkaOrderedLog } from '../../../adapters/kafka/index.ts'
import { KafkaOperator } from '../../support/kafka-operator.ts'
import { KafkaProxies } from '../../support/kafka-proxies.ts'
import { describeOn } from '../../support/servers.ts'

let count = 0

describeOn('kafka', 'an ordered log in Kafka', (brokers) => {
  let operator: KafkaOperator
  beforeAll(async () => {
    operator = await KafkaOperator.of(brokers)
  })
  afterAll(() => operator.close())

  orderedLogSuite({
    test,
    create: async ({ partitions }) => {
      const topic = `conformance-${process.pid}-${++count}`
      const proxies = await KafkaProxies.before(brokers)
      const remove = (): Promise<void> => operator.deleteTopics(topic, `${topic}.snapshots`)
      const { socketFactory } = proxies
      return {
        log: kafkaOrderedLog({ brokers, topic, partitions, connect: { socketFactory } }),
        operator: {
          recreate: remove,
          purge: (partition) => operator.purge({ topic, partition }),
          disconnect: () => proxies.all.forEach((proxy) => proxy.away()),
          reconnect: () => proxies.all.forEach((proxy) => proxy.back()),
        },
        dispose: async () => {
          await remove()
          await proxies.close()
        },
      }
    },
  })
})
