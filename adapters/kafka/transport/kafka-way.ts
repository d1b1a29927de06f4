/**
 * How packets go over Kafka: what is for all in the first partition of a topic, what is for one replica
 * in another one, which follows from its address. The key of a record says for whom it is. A replica
 * reads from where it has come in, and from where it was after a lost connection; places are kept here,
 * and no group is joined.
 */
import { asError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { Timer } from '../../../src/index.ts'
import { ALL, type PacketWay } from '../../broker/packets/packet-link.ts'
import { withJitter } from '../../broker/platform-clock.ts'
import type { ConnectionListener } from '../../broker/reconnection.ts'
import { Connection, connectionError, type ConnectionSettings, type Lines, nameOf } from '../connection.ts'
import { typeOfError } from '../kafkajs.ts'
import type { PlaceOfTopic } from '../line.ts'
import type { ClusterView } from '../metadata.ts'
import { Sender } from '../sender.ts'
import { makeTopic, refuseErrors } from '../topics.ts'
import type { KafkaTransportSettings } from './options.ts'

const COPIES = 3
/** What nobody has read by then is repaired by replication. */
const KEPT_MS = 600_000
const KEPT_SEGMENT_BYTES = 64 * 1024 * 1024
const MESSAGE_BYTES = 1024 * 1024
/** What a leader waits for a disk, at most. */
const TIMEOUT_MS = 5000
const WAIT_MS_MAX = 1000
const WAIT_SHARE = 0.5
const READ_BYTES = 1024 * 1024
/** After a read that failed. */
const AGAIN_MS = 250

export class KafkaWay implements PacketWay {
  readonly #settings: KafkaTransportSettings
  readonly #connection: Connection
  readonly #address: string
  readonly #heard: (packet: Buffer) => void
  readonly #senders = new Map<number, Sender>()
  /** Of what comes next, by partition, in the topic that has the id. */
  readonly #next = new Map<string, number>()
  #topicId = ''
  #partitionsCount = 0
  #pause: Timer | undefined

  constructor(settings: KafkaTransportSettings, address: string, heard: (packet: Buffer) => void) {
    this.#settings = settings
    this.#address = address
    this.#heard = heard
    const { clock, name: what, brokers, pingMs, topic } = settings
    const followed = (view: ClusterView): PlaceOfTopic[] => this.#followed(view)
    const look: ConnectionSettings['look'] = (line, view) => this.#look(line, view)
    this.#connection = new Connection({ what, brokers, clock, pingMs, topics: [topic], followed, look })
  }

  get isUp(): boolean {
    return this.#connection.isUp
  }

  get error(): WarpError {
    return this.#connection.error
  }

  async open(): Promise<void> {
    await this.#connection.open()
    this.#connection.listen({ up: () => this.#readAll(), down: (error) => this.#fell(error) })
    const { lines } = this.#connection
    try {
      // From here on everything is heard; what was said before is none of ours.
      if (lines !== undefined) await Promise.all(this.#places().map((place) => this.#begin(lines, place)))
    } catch (error) {
      this.close()
      const { name, topic } = this.#settings
      throw connectionError(`${name}: reading topic '${topic}' did not succeed: ${asError(error).message}`, error)
    }
    this.#readAll()
  }

  listen(listener: ConnectionListener): () => void {
    return this.#connection.listen(listener)
  }

  publish(to: string, packet: Buffer): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const sender = this.#senderOf(this.#partitionOf(to))
      sender.send({ key: Buffer.from(to), value: packet }, (sent) => {
        if (sent.kind === 'stored') resolve(sent.offset)
        else reject(connectionError(asError(sent.error).message, sent.error))
      })
    })
  }

  close(): void {
    this.#connection.close()
    this.#pause?.cancel()
  }

  async #look(line: Parameters<ConnectionSettings['look']>[0], view: ClusterView): Promise<boolean> {
    const { topic, name, create, partitions, replicas } = this.#settings
    refuseErrors(name, view)
    if (view.topics.has(topic)) return false
    if (!create) {
      const remedy = `make it with retention.ms=${KEPT_MS} and max.message.bytes=${MESSAGE_BYTES}, or leave out create: false`
      throw new WarpError('WARP_E_CONFIG', `${name}: topic '${topic}' is not there; ${remedy}`)
    }
    const settings = {
      'cleanup.policy': 'delete',
      'retention.ms': String(KEPT_MS),
      'segment.ms': String(KEPT_MS),
      'segment.bytes': String(KEPT_SEGMENT_BYTES),
      'max.message.bytes': String(MESSAGE_BYTES),
    }
    await makeTopic(name, line, {
      topic,
      partitions,
      copies: replicas ?? Math.min(COPIES, view.brokers.size),
      settings,
    })
    return true
  }

  #followed(view: ClusterView): PlaceOfTopic[] {
    const found = view.topics.get(this.#settings.topic)!
    // One that was made anew begins at its beginning.
    if (found.id !== this.#topicId) this.#next.clear()
    this.#topicId = found.id
    this.#partitionsCount = found.partitions.length
    return this.#places()
  }

  /** Where something may come that is for us. */
  #places(): PlaceOfTopic[] {
    const { topic } = this.#settings
    const partitions = new Set([0, this.#partitionOf(this.#address)])
    return Array.from(partitions, (partition) => ({ topic, partition }))
  }

  #partitionOf(to: string): number {
    const others = this.#partitionsCount - 1
    return to === ALL || others < 1 ? 0 : 1 + (Number.parseInt(to.slice(0, 8), 16) % others)
  }

  #senderOf(partition: number): Sender {
    const { topic } = this.#settings
    const connection = this.#connection
    const place = { topic, partition }
    const sender =
      this.#senders.get(partition) ??
      new Sender({ connection, place, acks: 'leader', timeoutMs: TIMEOUT_MS, bytesMax: MESSAGE_BYTES / 2 })
    this.#senders.set(partition, sender)
    return sender
  }

  #fell(error: WarpError): void {
    for (const sender of this.#senders.values()) sender.lost(error)
  }

  #readAll(): void {
    const { lines } = this.#connection
    if (lines !== undefined) for (const place of this.#places()) void this.#read(lines, place)
  }

  /** Until the lines are given up. */
  async #read(lines: Lines, place: PlaceOfTopic): Promise<void> {
    const { clock } = this.#settings
    while (lines === this.#connection.lines) {
      try {
        await this.#readOnce(lines, place)
      } catch (error) {
        // What nobody has kept for us is repaired by replication: packets are numbered.
        if (typeOfError(error) === 'OFFSET_OUT_OF_RANGE') this.#next.delete(nameOf(place))
        this.#connection.failed(lines, error)
        await new Promise<void>((resolve) => (this.#pause = clock.schedule(withJitter(clock, AGAIN_MS), resolve)))
      }
    }
  }

  async #readOnce(lines: Lines, place: PlaceOfTopic): Promise<void> {
    const waitMs = Math.min(WAIT_MS_MAX, WAIT_SHARE * this.#settings.pingMs)
    const from = this.#next.get(nameOf(place)) ?? (await this.#begin(lines, place))
    const records = await lines.follows(place).fetch({ ...place, from, bytesMax: READ_BYTES, waitMs })
    if (lines !== this.#connection.lines) return
    for (const { offset, key, value } of records) {
      this.#next.set(nameOf(place), offset + 1)
      const to = key?.toString('latin1')
      if (value !== null && (to === ALL || to === this.#address)) this.#heard(value)
    }
  }

  async #begin(lines: Lines, place: PlaceOfTopic): Promise<number> {
    const next = await lines.asks(place).offset(place, 'next')
    this.#next.set(nameOf(place), next)
    return next
  }
}
