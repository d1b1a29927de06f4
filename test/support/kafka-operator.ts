/** What operators do to topics of a Kafka. Each act is over when all brokers know of it. */
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { setTimeout as pause } from 'node:timers/promises'
import { platformClock } from '../../adapters/broker/platform-clock.ts'
import { brokersOf } from '../../adapters/kafka/brokers-options.ts'
import { typeOfError } from '../../adapters/kafka/kafkajs.ts'
import { KafkaLine, type PlaceOfTopic } from '../../adapters/kafka/line.ts'
import type { TopicView } from '../../adapters/kafka/metadata.ts'

const STEP_MS = 20

export class KafkaOperator {
  readonly admin: Admin
  readonly #brokers: string

  private constructor(admin: Admin, brokers: string) {
    this.admin = admin
    this.#brokers = brokers
  }

  /** `brokers`: with commas between. */
  static async of(brokers: string): Promise<KafkaOperator> {
    // Else the client asks for a topic that is not there again and again.
    const retry = { retries: 3, initialRetryTime: 50 }
    const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry }).admin()
    await admin.connect()
    return new KafkaOperator(admin, brokers)
  }

  /** Those that are there. */
  async deleteTopics(...topics: string[]): Promise<void> {
    for (const topic of topics) {
      await this.admin.deleteTopics({ topics: [topic] }).catch((error: unknown) => {
        if (typeOfError(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
      })
    }
    for (const topic of topics) await this.#untilAll(topic, (view) => view === undefined)
  }

  async makeTopic(topic: string, settings: Readonly<Record<string, string>>, copies = 3): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const numPartitions = topic.endsWith('.snapshots') ? 2 : 1
    const topics = [{ topic, numPartitions, replicationFactor: copies, configEntries }]
    await this.admin.createTopics({ topics, waitForLeaders: false })
    await this.#untilAll(topic, (view) => view !== undefined)
  }

  /** All records go. */
  async purge({ topic, partition }: PlaceOfTopic): Promise<void> {
    const leader = await this.leaderOf({ topic, partition })
    await this.#with(leader, async (line) => {
      await line.deleteRecords({ topic, partition }, await line.offset({ topic, partition }, 'next'))
    })
  }

  /** Where the broker listens that leads it. */
  async leaderOf({ topic, partition }: PlaceOfTopic): Promise<string> {
    for (const broker of this.#brokers.split(',')) {
      const found = await this.#with(broker, async (line) => {
        const view = await line.view([topic])
        const leader = view.topics.get(topic)?.partitions.find((one) => one.partition === partition)?.leader
        return view.brokers.get(leader ?? -1)
      }).catch(() => undefined)
      if (found !== undefined) return `${found.host}:${found.port}`
    }
    throw new Error(`nobody leads ${topic}/${partition}`)
  }

  async close(): Promise<void> {
    await this.admin.disconnect()
  }

  async #untilAll(topic: string, isSo: (view: TopicView | undefined) => boolean): Promise<void> {
    for (const broker of this.#brokers.split(','))
      await this.#with(broker, async (line) => {
        while (!isSo((await line.view([topic])).topics.get(topic))) await pause(STEP_MS)
      })
  }

  async #with<Answer>(broker: string, ask: (line: KafkaLine) => Promise<Answer>): Promise<Answer> {
    const [address] = brokersOf('operator', { brokers: broker }).addresses
    const line = await KafkaLine.open({ address: address!, connect: {}, clock: platformClock(), pingMs: 5000 })
    try {
      return await ask(line)
    } finally {
      line.close()
    }
  }
}
