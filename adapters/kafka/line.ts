/**
 * One connection to one broker. It is made once: when it is lost, or a question is not answered in
 * time, all that is asked over it fails, and another one has to be made. Nothing is sent twice.
 */
import net from 'node:net'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { BrokerClock } from '../broker/platform-clock.ts'
import type { KafkaConnectOptions } from './brokers-options.ts'
import {
  type Broker,
  type Connection,
  kafkajsParts,
  type KafkajsParts,
  type Protocol,
  SILENT,
  typeOfError,
} from './kafkajs.ts'
import { type BrokerAddress, type ClusterView, metadataRequest } from './metadata.ts'

export interface LineOptions {
  readonly address: BrokerAddress
  readonly connect: KafkaConnectOptions
  readonly clock: BrokerClock
  /** What any question may take, beyond what the broker itself may wait. */
  readonly pingMs: number
}

export interface KafkaRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export interface StoredRecord extends KafkaRecord {
  /** From 0. */
  readonly offset: number
  readonly timeMs: number
  /** Of a transaction: no record of anybody. */
  readonly isControl: boolean
}

export interface PlaceOfTopic {
  readonly topic: string
  readonly partition: number
}

export interface Fetch extends PlaceOfTopic {
  readonly from: number
  readonly bytesMax: number
  /** How long the broker waits for something to come. */
  readonly waitMs: number
  /** The leader's term of office, where it is known: a broker of another one refuses. */
  readonly epoch?: number
}

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly copies: number
  readonly settings: Readonly<Record<string, string>>
}

const CONNECT_MS = 5000
/** Of a ping interval, for what may have come in while this process was busy. */
const LAST_LOOK_SHARE = 0.1
const READ_UNCOMMITTED = 0
const EARLIEST = -2
const LATEST = -1
const TOPIC_RESOURCE = 2

export class KafkaLine {
  readonly address: BrokerAddress
  readonly #options: LineOptions
  readonly #lostListeners = new Set<(error: Error) => void>()
  #parts!: KafkajsParts
  #connection!: Connection
  #broker!: Broker
  #socket: Socket | undefined
  #underWayCount = 0
  #lost: Error | undefined

  private constructor(options: LineOptions) {
    this.#options = options
    this.address = options.address
  }

  /** Rejects with what the client, the system or the broker says. */
  static async open(options: LineOptions): Promise<KafkaLine> {
    const line = new KafkaLine(options)
    try {
      await line.#begin()
    } catch (error) {
      line.close()
      throw error
    }
    return line
  }

  /** What is asked and not answered yet. */
  get underWayCount(): number {
    return this.#underWayCount
  }

  /** Called once, at once if it is lost already. */
  onLost(listener: (error: Error) => void): void {
    if (this.#lost === undefined) this.#lostListeners.add(listener)
    else listener(this.#lost)
  }

  async view(topics: readonly string[]): Promise<ClusterView> {
    return this.#ask(0, () => this.#connection.send(metadataRequest(this.#parts, topics))) as Promise<ClusterView>
  }

  /** The place of the first of them. They are stored together, or none is. `timeoutMs`: what the broker waits for others. */
  async produce(
    { topic, partition }: PlaceOfTopic,
    messages: readonly KafkaRecord[],
    { acks, timeoutMs }: { readonly acks: 'leader' | 'all'; readonly timeoutMs: number },
  ): Promise<number> {
    const topicData = [{ topic, partitions: [{ partition, messages }] }]
    const request = { topicData, acks: acks === 'all' ? -1 : 1, timeout: timeoutMs }
    const answer = (await this.#ask(timeoutMs, () => this.#broker.produce(request))) as {
      topics: { partitions: { baseOffset: string }[] }[]
    }
    return Number(answer.topics[0]?.partitions[0]?.baseOffset)
  }

  /** What lies from there on; a batch comes whole, and may begin before. */
  async fetch({ topic, partition, from, bytesMax, waitMs, epoch = -1 }: Fetch): Promise<StoredRecord[]> {
    const place = { partition, fetchOffset: from, currentLeaderEpoch: epoch, maxBytes: bytesMax }
    const request = {
      isolationLevel: READ_UNCOMMITTED,
      maxWaitTime: waitMs,
      maxBytes: bytesMax,
      topics: [{ topic, partitions: [place] }],
    }
    const answer = (await this.#ask(waitMs, () => this.#broker.fetch(request))) as {
      responses: { partitions: { messages: RawRecord[] }[] }[]
    }
    const messages = answer.responses[0]?.partitions[0]?.messages ?? []
    return messages.map(storedRecord).filter(({ offset }) => offset >= from)
  }

  /** The first record that is there, or the place behind the last one. */
  async offset({ topic, partition }: PlaceOfTopic, which: 'first' | 'next'): Promise<number> {
    const timestamp = which === 'first' ? EARLIEST : LATEST
    const request = { isolationLevel: READ_UNCOMMITTED, topics: [{ topic, partitions: [{ partition, timestamp }] }] }
    const answer = (await this.#ask(0, () => this.#broker.listOffsets(request))) as {
      responses: { partitions: { offset: string }[] }[]
    }
    return Number(answer.responses[0]?.partitions[0]?.offset)
  }

  async settings(topic: string, names: readonly string[]): Promise<Map<string, string>> {
    const request = { resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: names }] }
    const answer = (await this.#ask(0, () => this.#broker.describeConfigs(request))) as {
      resources: { configEntries: { configName: string; configValue: string | null }[] }[]
    }
    const entries = answer.resources[0]?.configEntries ?? []
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue ?? '']))
  }

  /** `false` if there is one already. */
  async createTopic({ topic, partitions, copies, settings }: NewTopic, timeoutMs: number): Promise<boolean> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const asked = { topic, numPartitions: partitions, replicationFactor: copies, configEntries }
    try {
      await this.#ask(timeoutMs, () => this.#broker.createTopics({ topics: [asked], timeout: timeoutMs }))
      return true
    } catch (error) {
      if (typeOfError(error) === 'TOPIC_ALREADY_EXISTS') return false
      throw error
    }
  }

  async deleteRecords({ topic, partition }: PlaceOfTopic, before: number): Promise<void> {
    const topics = [{ topic, partitions: [{ partition, offset: before }] }]
    await this.#ask(CONNECT_MS, () => this.#broker.deleteRecords({ topics }))
  }

  close(): void {
    this.#fail(new Error('the connection was closed'))
  }

  async #begin(): Promise<void> {
    const { address, connect, clock } = this.#options
    const { host, port } = address
    this.#parts = await kafkajsParts()
    const { clientId = 'warp', ssl, sasl, socketFactory = newSocket } = connect
    const connection = new this.#parts.Connection({
      ...{ host, port, clientId, logger: SILENT, sasl: sasl ?? null, connectionTimeout: CONNECT_MS },
      ssl: ssl === true ? {} : ssl || null,
      // What is not answered in time is looked after here, by the clock that is given.
      ...{ requestTimeout: CONNECT_MS, enforceRequestTimeout: false },
      socketFactory: (where) => this.#watched(socketFactory(where)),
    })
    this.#connection = connection
    checkOnlyWhatWaits(connection)
    const { Broker } = this.#parts
    this.#broker = new Broker({ connectionPool: poolOf(connection), logger: SILENT, allowAutoTopicCreation: false })
    const late = clock.schedule(CONNECT_MS, () => this.#fail(new Error(`no answer within ${CONNECT_MS} ms`)))
    try {
      await this.#unlessLost(() => this.#broker.connect())
    } finally {
      late.cancel()
    }
  }

  #watched(socket: Socket): Socket {
    this.#socket = socket
    // Before the client hears of it, and tells who waits: nothing more is sent over it then.
    for (const sign of ['end', 'close'])
      socket.on(sign, () => this.#fail(new Error('the connection was closed by the other side')))
    socket.on('error', (error) => this.#fail(error))
    return socket
  }

  /** `waitMs`: what the broker itself may wait. */
  async #ask<Answer>(waitMs: number, question: () => Promise<Answer>): Promise<Answer> {
    const { clock, pingMs } = this.#options
    const lookMs = LAST_LOOK_SHARE * pingMs
    let timer = clock.schedule(waitMs + pingMs - lookMs, () => {
      // After a long turn of this process the answer may lie in the socket.
      timer = clock.schedule(lookMs, () => {
        this.#fail(new Error(`the broker has said nothing for ${waitMs + pingMs} ms, though it was asked`))
      })
    })
    this.#underWayCount++
    try {
      return await this.#unlessLost(question)
    } finally {
      this.#underWayCount--
      timer.cancel()
    }
  }

  #unlessLost<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost)
        return
      }
      this.#lostListeners.add(reject)
      void question()
        .then(resolve, reject)
        .finally(() => this.#lostListeners.delete(reject))
    })
  }

  #fail(error: Error): void {
    if (this.#lost !== undefined) return
    this.#lost = error
    const listeners = [...this.#lostListeners]
    this.#lostListeners.clear()
    for (const listener of listeners) listener(error)
    const connection = this.#connection as Connection | undefined
    connection?.rejectRequests(error)
    this.#socket?.destroy()
    connection?.disconnect().catch(() => undefined)
  }
}

interface RawRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly isControlRecord?: boolean
}

function storedRecord({ offset, timestamp, key, value, isControlRecord = false }: RawRecord): StoredRecord {
  return { offset: Number(offset), timeMs: Number(timestamp), key, value, isControl: isControlRecord }
}

/** The client keeps a connection for fetches beside the other one; here each line is one. */
function poolOf(connection: Connection): object {
  return {
    connectionTimeout: CONNECT_MS,
    isConnected: () => connection.isConnected(),
    isAuthenticated: () => connection.isAuthenticated(),
    getConnection: async () => {
      if (!connection.isConnected()) await connection.connect()
      return connection
    },
    setVersions: (versions: unknown) => connection.setVersions(versions),
    setSupportAuthenticationProtocol: (isSupported: boolean) =>
      connection.setSupportAuthenticationProtocol(isSupported),
    send: (protocol: Protocol) => connection.send(protocol),
  }
}

/** After each answer the client starts a timer with a negative delay, of which Node 24 warns. */
function checkOnlyWhatWaits({ requestQueue }: Connection): void {
  const check = requestQueue.scheduleCheckPendingRequests.bind(requestQueue)
  requestQueue.scheduleCheckPendingRequests = () => {
    if (requestQueue.pending.length > 0) check()
  }
}

const newSocket: NonNullable<KafkaConnectOptions['socketFactory']> = ({ host, port, ssl, onConnect }) => {
  // The client gives null where nothing is to be encrypted.
  const options = ssl as typeof ssl | null
  const named = net.isIP(host) === 0 ? { servername: host } : {}
  const socket =
    options === null
      ? net.connect({ host, port }, onConnect)
      : tls.connect({ host, port, ...named, ...options }, onConnect)
  socket.setNoDelay(true)
  return socket
}
