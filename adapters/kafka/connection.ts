/**
 * The lines to the brokers that lead the partitions of some topics: for questions one to each of these
 * brokers, and one for each partition that is followed, because a broker answers one question of a line
 * at a time, and one that waits for news would hold up the others. They are made and given up together,
 * whenever one of them is lost, or a partition is led by another broker.
 */
import { asError, isWarpError } from '../../crdt/warp-error.ts'
import { WarpError } from '../../src/index.ts'
import type { Timer } from '../../src/index.ts'
import type { BrokerClock } from '../broker/platform-clock.ts'
import { type ConnectionListener, Reconnection } from '../broker/reconnection.ts'
import { type KafkaBrokers, shownAddress, shownBrokers } from './brokers-options.ts'
import { typeOfError } from './kafkajs.ts'
import { KafkaLine, type PlaceOfTopic } from './line.ts'
import type { BrokerAddress, ClusterView, PartitionView } from './metadata.ts'

export interface ConnectionSettings {
  /** For errors. */
  readonly what: string
  readonly brokers: KafkaBrokers
  readonly clock: BrokerClock
  readonly pingMs: number
  /** All partitions of these are led by somebody, or the lines are not up. */
  readonly topics: readonly string[]
  /** Those that are followed. Asked anew for each lines. */
  readonly followed: (view: ClusterView) => readonly PlaceOfTopic[]
  /**
   * Looks whether the topics are what they should be, and may make them: before lines are made, and now
   * and then afterwards. Returns whether it is to be looked again.
   */
  readonly look: (line: KafkaLine, view: ClusterView, when: 'before' | 'afterwards') => Promise<boolean>
}

interface Led {
  readonly asks: KafkaLine
  readonly follows: KafkaLine | undefined
  readonly epoch: number
}

const AGAIN_MS = 100
const AGAIN_MS_MAX = 2000
/** Between two looks for a topic that was just made, or a partition that has no leader. */
const LOOK_AGAIN_MS = 50
const LOOKS_MAX = 40
/** Of a ping interval, between two looks on a line with nothing to do. */
const IDLE_SHARE = 0.5
/** The partition is led by another broker, or by nobody, or is gone: new lines are to be made. */
const LED_ELSEWHERE = new Set([
  ...['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH'],
  ...['UNKNOWN_TOPIC_OR_PARTITION', 'REPLICA_NOT_AVAILABLE', 'BROKER_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR'],
])

export class Lines {
  readonly #led: ReadonlyMap<string, Led>
  readonly #all: readonly KafkaLine[]

  constructor(led: ReadonlyMap<string, Led>, all: readonly KafkaLine[]) {
    this.#led = led
    this.#all = all
  }

  get all(): readonly KafkaLine[] {
    return this.#all
  }

  asks(place: PlaceOfTopic): KafkaLine {
    return this.#at(place).asks
  }

  follows(place: PlaceOfTopic): KafkaLine {
    return this.#at(place).follows!
  }

  /** The leader's term of office. */
  epoch(place: PlaceOfTopic): number {
    return this.#at(place).epoch
  }

  close(): void {
    for (const line of this.#all) line.close()
  }

  #at(place: PlaceOfTopic): Led {
    return this.#led.get(nameOf(place))!
  }
}

export class Connection {
  readonly #settings: ConnectionSettings
  readonly #made: Reconnection<Lines>
  /** Terms of office that were seen: a broker that knows an earlier one is behind. */
  readonly #epochs = new Map<string, number>()
  #addresses: readonly BrokerAddress[]
  #begins = 0
  #trying: KafkaLine[] | undefined
  #idle: Timer | undefined

  constructor(settings: ConnectionSettings) {
    this.#settings = settings
    this.#addresses = settings.brokers.addresses
    this.#made = new Reconnection({
      ...{ clock: settings.clock, againMs: AGAIN_MS, againMsMax: AGAIN_MS_MAX },
      connect: () => this.#connect(),
      end: (lines) => lines.close(),
      errorOf: (thrown) => this.#errorOf(thrown),
    })
  }

  /** Rejects with `WARP_E_TRANSPORT`, `WARP_E_AUTH`, and with what `look` rejects with. */
  async open(): Promise<void> {
    await this.#made.open()
  }

  get isUp(): boolean {
    return this.lines !== undefined
  }

  get lines(): Lines | undefined {
    return this.#made.lines
  }

  /** Why it is down. */
  get error(): WarpError {
    return this.#made.error
  }

  /** Returns what ends it. */
  listen(listener: ConnectionListener): () => void {
    return this.#made.listen(listener)
  }

  /** What was asked over the lines has failed: they are given up if that is why. */
  failed(lines: Lines, error: unknown): void {
    if (LED_ELSEWHERE.has(typeOfError(error))) this.#made.fell(lines, this.#errorOf(error))
  }

  close(): void {
    this.#made.close()
    this.#idle?.cancel()
    for (const line of this.#trying ?? []) line.close()
  }

  async #connect(): Promise<Lines> {
    const opened: KafkaLine[] = []
    this.#trying = opened
    try {
      const first = await this.#first(opened)
      const view = await this.#led(first)
      const lines = await this.#lines(view, opened)
      if (!lines.all.includes(first)) first.close()
      await this.#hosted(lines, view)
      for (const line of lines.all) line.onLost((error) => this.#lost(lines, line, error))
      this.#watch(lines)
      return lines
    } catch (error) {
      for (const line of opened) line.close()
      throw error
    } finally {
      this.#trying = undefined
    }
  }

  /** The first broker that answers, of those that are known. */
  async #first(opened: KafkaLine[]): Promise<KafkaLine> {
    const addresses = this.#addresses
    let failure: unknown
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[(this.#begins + i) % addresses.length]!
      try {
        const line = await this.#line(address, opened)
        return line
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async #line(address: BrokerAddress, opened: KafkaLine[]): Promise<KafkaLine> {
    const { brokers, clock, pingMs } = this.#settings
    const line = await KafkaLine.open({ address, connect: brokers.connect, clock, pingMs })
    opened.push(line)
    return line
  }

  /** What the broker sees, once each partition has a leader. */
  async #led(line: KafkaLine): Promise<ClusterView> {
    const { topics, look, what } = this.#settings
    // Another one comes first at the next try: this one may be behind.
    this.#begins++
    let missing = ''
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const view = await line.view(topics)
      const isMade = await look(line, view, 'before')
      if (view.brokers.size > 0) this.#addresses = this.#known(view)
      const unled = isMade ? `${topics.join(' and ')}, just made` : this.#unled(view)
      if (unled === undefined) return view
      missing = unled
      await this.#beforeNextLook()
    }
    throw connectionError(`${what}: nobody leads ${missing}`, undefined)
  }

  /** Those that were given come last: they may be names of many. */
  #known(view: ClusterView): BrokerAddress[] {
    const given = this.#settings.brokers.addresses
    const seen = [...view.brokers.values()]
    const isSeen = ({ host, port }: BrokerAddress): boolean =>
      seen.some((one) => one.host === host && one.port === port)
    return [...seen, ...given.filter((one) => !isSeen(one))]
  }

  #unled({ topics, brokers }: ClusterView): string | undefined {
    for (const topic of this.#settings.topics) {
      const partitions = topics.get(topic)?.partitions ?? []
      if (partitions.length === 0) return `topic '${topic}'`
      for (const { partition, leader, epoch } of partitions) {
        const place = nameOf({ topic, partition })
        if (!brokers.has(leader) || epoch < (this.#epochs.get(place) ?? 0)) return `partition ${place}`
      }
    }
    return undefined
  }

  async #lines(view: ClusterView, opened: KafkaLine[]): Promise<Lines> {
    const asks = new Map<number, Promise<KafkaLine>>()
    const toBroker = ({ leader }: PartitionView): Promise<KafkaLine> => this.#line(view.brokers.get(leader)!, opened)
    const followed = new Set(this.#settings.followed(view).map(nameOf))
    const led: Promise<[string, Led]>[] = []
    for (const topic of this.#settings.topics)
      for (const partition of view.topics.get(topic)?.partitions ?? []) {
        const place = nameOf({ topic, partition: partition.partition })
        const asking = asks.get(partition.leader) ?? toBroker(partition)
        asks.set(partition.leader, asking)
        const following = followed.has(place) ? toBroker(partition) : undefined
        const both = Promise.all([asking, following])
        led.push(both.then(([one, other]) => [place, { asks: one, follows: other, epoch: partition.epoch }]))
      }
    const settled = await Promise.allSettled(led)
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    const found = new Map(await Promise.all(led))
    for (const [place, { epoch }] of found) this.#epochs.set(place, epoch)
    const used = new Set([...found.values()].flatMap((one) => [one.asks, one.follows ?? one.asks]))
    return new Lines(found, [...used])
  }

  /** Brokers say of a topic that was just made who leads its partitions before these have begun to. */
  async #hosted(lines: Lines, { topics }: ClusterView): Promise<void> {
    const places = this.#settings.topics.flatMap((topic) =>
      (topics.get(topic)?.partitions ?? []).map(({ partition }) => ({ topic, partition })),
    )
    for (let looks = 1; ; looks++) {
      const asked = await Promise.allSettled(places.map((place) => lines.asks(place).offset(place, 'next')))
      const failed = asked.find((one) => one.status === 'rejected')
      if (failed === undefined) return
      if (looks >= LOOKS_MAX || !LED_ELSEWHERE.has(typeOfError(failed.reason))) throw failed.reason
      await this.#beforeNextLook()
    }
  }

  #beforeNextLook(): Promise<void> {
    return new Promise((resolve) => void this.#settings.clock.schedule(LOOK_AGAIN_MS, resolve))
  }

  #lost(lines: Lines, { address }: KafkaLine, cause: Error): void {
    const message = `the connection to ${shownAddress(address)} is lost; it is being made again: ${cause.message}`
    this.#made.fell(lines, connectionError(message, cause))
  }

  /** A line with nothing to do is asked what its broker sees, so that one that is dead is noticed. */
  #watch(lines: Lines): void {
    const { clock, pingMs, topics, look } = this.#settings
    this.#idle = clock.schedule(IDLE_SHARE * pingMs, () => {
      if (lines !== this.lines) return
      const asked = lines.all.filter(({ underWayCount }) => underWayCount === 0)
      const answered = asked.map(async (line) => {
        const view = await line.view(topics)
        if ((await look(line, view, 'afterwards')) || this.#unled(view) !== undefined)
          throw new Error('the partitions are not what they were')
      })
      void Promise.all(answered).catch((error: unknown) => this.#made.fell(lines, this.#errorOf(error)))
      this.#watch(lines)
    })
  }

  #errorOf(thrown: unknown): WarpError {
    if (isWarpError(thrown)) return thrown
    const { what, brokers } = this.#settings
    return connectionError(`${what}: ${shownBrokers(brokers)}: ${asError(thrown).message}`, thrown)
  }
}

export function nameOf({ topic, partition }: PlaceOfTopic): string {
  return `${topic}/${partition}`
}

export function connectionError(message: string, cause: unknown): WarpError {
  const isDenied =
    /AUTHORIZATION_FAILED|AUTHENTICATION_FAILED/.test(typeOfError(cause)) ||
    (cause instanceof Error && cause.name === 'KafkaJSSASLAuthenticationError')
  return new WarpError(isDenied ? 'WARP_E_AUTH' : 'WARP_E_TRANSPORT', message, { cause })
}
