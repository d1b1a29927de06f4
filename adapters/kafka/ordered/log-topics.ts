/**
 * The topics of a log: one with the records, one with the snapshots. They are made where they are not
 * there, and never changed. A topic has an id that is drawn when it is made, so one that was made in its
 * place is told apart. Their settings are looked at each time that lines are made.
 */
import { createHash } from 'node:crypto'
import { WarpError } from '../../../src/index.ts'
import type { OrderedLogPromises } from '../../../src/ports/ordered-log.ts'
import type { ConnectionSettings, Lines } from '../connection.ts'
import type { KafkaLine, PlaceOfTopic } from '../line.ts'
import type { ClusterView, TopicView } from '../metadata.ts'
import { makeTopic, refuseErrors } from '../topics.ts'
import { copiesOf, refuseUnaccepted, SETTINGS, type Settings, settingsToMake, shortcomings } from './fitness.ts'
import type { KafkaOrderedLogSettings } from './options.ts'
import { orderBroken } from './place-check.ts'

const COPIES = 3
/** A value of 1 MiB, its key and vectors, with room to spare. */
const LARGEST_BYTES = 4 * 1024 * 1024 + 1024
/** Looks in a row that find no topic, before it counts as deleted. */
const MISSING_LOOKS = 10

/** What is known of an open log. */
export interface OpenedTopics {
  readonly id: string
  readonly identity: string
  readonly promises: OrderedLogPromises
  /** The largest message that both take. */
  readonly messageBytesMax: number
}

export class LogTopics {
  readonly records: string
  readonly snapshots: string
  readonly #settings: KafkaOrderedLogSettings
  #opened: OpenedTopics | undefined
  #missingCount = 0

  constructor(settings: KafkaOrderedLogSettings) {
    this.#settings = settings
    this.records = settings.topic
    this.snapshots = `${settings.topic}.snapshots`
  }

  get names(): readonly string[] {
    return [this.records, this.snapshots]
  }

  get opened(): OpenedTopics {
    return this.#opened!
  }

  /** For a connection. Rejects with `WARP_E_ORDER_BROKEN`, `WARP_E_BROKER_UNFIT`, `WARP_E_CONFIG`, `WARP_E_AUTH`. */
  readonly look: ConnectionSettings['look'] = async (line, view, when) => {
    refuseErrors(this.#settings.name, view)
    const [records, snapshots] = [view.topics.get(this.records), view.topics.get(this.snapshots)]
    if (records === undefined && this.#opened !== undefined) return this.#missing()
    this.#missingCount = 0
    if (records !== undefined) this.#refuseAnother(records)
    if (when === 'afterwards') return records === undefined || snapshots === undefined
    const isMade = await this.#make(line, view)
    if (!isMade) await this.#examine(line, records!, snapshots!)
    return isMade
  }

  /** Settles when the broker that leads a partition still has the topic that it was opened on. */
  readonly proved = async (lines: Lines, place: PlaceOfTopic): Promise<void> => {
    const view = await lines.asks(place).view([this.records])
    const records = view.topics.get(this.records)
    if (records === undefined) throw new Error(`topic '${this.records}' is not there`)
    this.#refuseAnother(records)
  }

  #refuseAnother({ id }: TopicView): void {
    if (this.#opened !== undefined && id !== this.#opened.id)
      throw orderBroken(this.#settings.name, `the topic '${this.records}' was made anew`)
  }

  #missing(): boolean {
    this.#missingCount++
    if (this.#missingCount > MISSING_LOOKS)
      throw orderBroken(this.#settings.name, `the topic '${this.records}' was deleted`)
    return true
  }

  /** Whether one was. */
  async #make(line: KafkaLine, view: ClusterView): Promise<boolean> {
    const { name, partitions, create, replicas, acceptUnfit } = this.#settings
    const isLenient = replicas === undefined && acceptUnfit.includes('replicas')
    const copies = replicas ?? (isLenient ? Math.min(COPIES, view.brokers.size) : COPIES)
    const wanted = [
      { topic: this.records, partitions },
      // Pieces, and what is noted of them.
      { topic: this.snapshots, partitions: 2 * partitions },
    ]
    const missing = wanted.filter(({ topic }) => !view.topics.has(topic))
    const settings = settingsToMake(copies, LARGEST_BYTES)
    for (const one of missing) {
      if (!create) throw new WarpError('WARP_E_CONFIG', `${name}: ${this.#howToMake(one, settings)}`)
      await makeTopic(name, line, { ...one, copies, settings })
    }
    return missing.length > 0
  }

  #howToMake(
    { topic, partitions }: { readonly topic: string; readonly partitions: number },
    settings: Readonly<Record<string, string>>,
  ): string {
    const flags = Object.entries(settings).map(([name, value]) => `--config ${name}=${value}`)
    const command = `kafka-topics.sh --create --topic ${topic} --partitions ${partitions} --replication-factor ${COPIES}`
    return `topic '${topic}' is not there; make it by ${command} ${flags.join(' ')}, or leave out create: false`
  }

  async #examine(line: KafkaLine, records: TopicView, snapshots: TopicView): Promise<void> {
    const { name, partitions, acceptUnfit } = this.#settings
    this.#refusePartitions(records, partitions)
    this.#refusePartitions(snapshots, 2 * partitions)
    const accepted = new Set<string>()
    const found: Settings[] = []
    for (const view of [records, snapshots]) {
      const settings = await line.settings(view.topic, Object.values(SETTINGS))
      found.push(settings)
      const all = refuseUnaccepted(`${name}: topic '${view.topic}'`, shortcomings(view, settings), acceptUnfit)
      for (const one of all) accepted.add(one)
    }
    this.#opened = {
      id: records.id,
      identity: createHash('sha256').update(records.id).digest('hex').slice(0, 16),
      promises: promisesOf({
        copies: Math.min(copiesOf(records), copiesOf(snapshots)),
        isFlushed: found.every((settings) => settings.get(SETTINGS.flush) === '1'),
        accepted: [...accepted],
      }),
      messageBytesMax: Math.min(...found.map((settings) => Number(settings.get(SETTINGS.largest)))),
    }
  }

  /** The number of partitions is fixed: records would be looked for where they are not. */
  #refusePartitions({ topic, partitions }: TopicView, wanted: number): void {
    if (partitions.length === wanted) return
    const { name } = this.#settings
    const message = `${name}: topic '${topic}' has ${partitions.length} partitions, and ${wanted} are wanted; give as many as it has, or another topic`
    throw new WarpError('WARP_E_CONFIG', message, { details: { option: 'partitions' } })
  }
}

/** `isFlushed`: brokers write to the disk before they acknowledge. */
export function promisesOf({
  copies,
  isFlushed,
  accepted,
}: Pick<OrderedLogPromises, 'copies' | 'accepted'> & { readonly isFlushed: boolean }): OrderedLogPromises {
  return { acknowledgedBy: 'broker', survives: isFlushed ? 'power loss' : 'kill', copies, accepted }
}
