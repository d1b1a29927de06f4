/** What `kafkaOrderedLog` takes, with defaults and bounds. */
import { checkTypeOf, optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
import { boundedNumbers } from '../../broker/bounded-options.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'
import { type KafkaBrokers, type KafkaBrokersOptions, brokersOf } from '../brokers-options.ts'
import { checkReplicas, checkTopic } from '../topics.ts'

/**
 * A shortcoming that may be accepted by name: fewer than three copies of a record, or fewer than two that
 * have to have it (`replicas`); a copy that lacks something may lead (`election`); records are dropped
 * after a while (`retention`).
 */
export type KafkaShortcoming = 'replicas' | 'election' | 'retention'

export interface KafkaOrderedLogOptions extends KafkaBrokersOptions {
  /**
   * Names the log: its records are in the topic of that name, its snapshots in `<topic>.snapshots`. Up to
   * 200 letters, digits, `.`, `_` and `-`.
   */
  readonly topic: string
  /** 1 to 64; fixed when the log is made. Default 1. */
  readonly partitions?: number
  /** On how many brokers each record lies, where the topics are made here. 1 to 9; default 3. */
  readonly replicas?: number
  /** Whether topics that are not there are made. Default `true`. */
  readonly create?: boolean
  /** Shortcomings that you accept; `promises.accepted` shows those that are there. Default: none. */
  readonly acceptUnfit?: readonly KafkaShortcoming[]
  /** Shown in events and figures. Default `kafka:<topic>`. */
  readonly name?: string
  /** What an append, or another question, is waited for. 100 ms to 5 min; default 5,000. */
  readonly timeoutMs?: number
  /**
   * How often each broker is asked whether it is there. One that does not answer is given up within
   * two of these. 100 ms to 1 min; default 5,000.
   */
  readonly pingMs?: number
  /** Appends under way at a time. 1 to 10,000; default 2,000. More wait. */
  readonly appendsMax?: number
  /** Their bytes. 64 KiB to 1 GiB; default 8 MiB. */
  readonly appendBytesMax?: number
  /** Bytes of a partition that are asked for at a time. 64 KiB to 64 MiB; default 1 MiB. */
  readonly readBytesMax?: number
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface KafkaOrderedLogSettings {
  readonly brokers: KafkaBrokers
  readonly topic: string
  readonly partitions: number
  readonly replicas: number | undefined
  readonly create: boolean
  readonly acceptUnfit: readonly KafkaShortcoming[]
  readonly name: string
  readonly timeoutMs: number
  readonly pingMs: number
  readonly appendsMax: number
  readonly appendBytesMax: number
  readonly readBytesMax: number
  readonly clock: BrokerClock
}

const WHAT = 'kafkaOrderedLog'
const OPTIONS = optionNames<KafkaOrderedLogOptions>({
  brokers: true,
  connect: true,
  topic: true,
  partitions: true,
  replicas: true,
  create: true,
  acceptUnfit: true,
  name: true,
  timeoutMs: true,
  pingMs: true,
  appendsMax: true,
  appendBytesMax: true,
  readBytesMax: true,
  clock: true,
})
const SHORTCOMINGS: readonly string[] = Object.keys({
  replicas: true,
  election: true,
  retention: true,
} satisfies Record<KafkaShortcoming, true>)
const KIB = 1024
const MIB = 1024 * KIB

const BOUNDS = {
  partitions: [1, 1, 64],
  timeoutMs: [5000, 100, 300_000],
  pingMs: [5000, 100, 60_000],
  appendsMax: [2000, 1, 10_000],
  appendBytesMax: [8 * MIB, 64 * KIB, 1024 * MIB],
  readBytesMax: [MIB, 64 * KIB, 64 * MIB],
} as const

/** Throws `WARP_E_CONFIG`. */
export function orderedLogSettings(options: KafkaOrderedLogOptions): KafkaOrderedLogSettings {
  requireOptions(WHAT, options, OPTIONS, "{ brokers: '127.0.0.1:9092', topic: 'orders' }")
  const { topic, replicas, create = true, acceptUnfit = [], name = `kafka:${topic}` } = options
  checkTypeOf(WHAT, options, 'create', 'boolean')
  checkTypeOf(WHAT, options, 'name', 'string')
  checkTopic(WHAT, topic)
  checkReplicas(WHAT, replicas)
  const names: readonly string[] = acceptUnfit
  if (!Array.isArray(acceptUnfit) || !names.every((one) => SHORTCOMINGS.includes(one)))
    throw refusedOption(WHAT, 'acceptUnfit', acceptUnfit, `give a list of ${SHORTCOMINGS.join(', ')}`)
  return {
    ...{ brokers: brokersOf(WHAT, options), topic, replicas, create, acceptUnfit, name },
    ...boundedNumbers(WHAT, options, BOUNDS),
    clock: options.clock ?? platformClock(),
  }
}
