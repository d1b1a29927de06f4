/** What `kafkaTransport` takes, with defaults and bounds. */
import { checkOptions, checkTypeOf, optionNames } from '../../../crdt/checked-options.ts'
import { boundedNumbers } from '../../broker/bounded-options.ts'
import { packetQueueBytes } from '../../broker/packets/packet-link.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'
import { type KafkaBrokers, type KafkaBrokersOptions, brokersOf } from '../brokers-options.ts'
import { checkReplicas, checkTopic } from '../topics.ts'

export interface KafkaTransportOptions extends KafkaBrokersOptions {
  /** Clusters with different ones do not hear each other. Default `'warp'`. */
  readonly topic?: string
  /**
   * Where the topic is made here: the first partition is for all, the others for single replicas. 1 to
   * 64; default 4.
   */
  readonly partitions?: number
  /** On how many brokers what is said lies, where the topic is made here. 1 to 9; default: 3, or as many as there are. */
  readonly replicas?: number
  /** Whether the topic is made where it is not there. Default `true`. */
  readonly create?: boolean
  /** How often each replica says that it is there. 100 ms to 1 min; default 1,000. */
  readonly heartbeatMs?: number
  /**
   * How often each broker is asked whether it is there. One that does not answer is given up within
   * two of these. 100 ms to 1 min; default 5,000.
   */
  readonly pingMs?: number
  /** Bytes that may wait to be sent. 5 MiB to 1 GiB; default 8 MiB. */
  readonly queueBytesMax?: number
  /**
   * Whether bursts are deflated for replicas that understand it, at about 10 ms of processor time a
   * megabyte. Default `true`.
   */
  readonly compress?: boolean
  /** Names the transport in events and in `warp.peers()`. Default `'kafka'`. */
  readonly name?: string
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface KafkaTransportSettings {
  readonly brokers: KafkaBrokers
  readonly topic: string
  readonly partitions: number
  readonly replicas: number | undefined
  readonly create: boolean
  readonly heartbeatMs: number
  readonly pingMs: number
  readonly queueBytesMax: number
  readonly compress: boolean
  readonly name: string
  readonly clock: BrokerClock
}

const WHAT = 'kafkaTransport'
const OPTIONS = optionNames<KafkaTransportOptions>({
  brokers: true,
  connect: true,
  topic: true,
  partitions: true,
  replicas: true,
  create: true,
  heartbeatMs: true,
  pingMs: true,
  queueBytesMax: true,
  compress: true,
  name: true,
  clock: true,
})

/** Throws `WARP_E_CONFIG`. */
export function transportSettings(options: KafkaTransportOptions): KafkaTransportSettings {
  checkOptions(WHAT, options, OPTIONS)
  const { topic = 'warp', replicas, create = true, compress = true, name = 'kafka' } = options
  checkTypeOf(WHAT, options, 'name', 'string')
  checkTypeOf(WHAT, options, 'create', 'boolean')
  checkTypeOf(WHAT, options, 'compress', 'boolean')
  checkTopic(WHAT, topic)
  checkReplicas(WHAT, replicas)
  const numbers = boundedNumbers(WHAT, options, {
    partitions: [4, 1, 64],
    heartbeatMs: [1000, 100, 60_000],
    pingMs: [5000, 100, 60_000],
    queueBytesMax: packetQueueBytes,
  })
  const clock = options.clock ?? platformClock()
  return { brokers: brokersOf(WHAT, options), topic, replicas, create, compress, ...numbers, name, clock }
}
