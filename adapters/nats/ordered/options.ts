/** What `natsOrderedLog` takes, with defaults and bounds. */
import { checkTypeOf, optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
import { checkServers, isSubject, type NatsServersOptions, serversOf } from '../connect-options.ts'
import { boundedNumbers } from '../../broker/bounded-options.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'

/**
 * A shortcoming that may be accepted by name: a server of a version that loses records (`version`),
 * fewer copies than asked for (`replicas`), a stream in memory (`memory`), limits by which the server
 * drops records (`eviction`), messages that may clear the stream (`rollup`).
 */
export type NatsShortcoming = 'version' | 'replicas' | 'memory' | 'eviction' | 'rollup'

export interface NatsOrderedLogOptions extends NatsServersOptions {
  /**
   * Names the log: its streams are `<stream>-0` and so on, one for each partition, and
   * `<stream>-snapshots`; its subjects begin with `<stream>.`. Letters, digits, `-` and `_`; at most 64.
   */
  readonly stream: string
  /** 1 to 64; fixed when the log is made. Default 1. */
  readonly partitions?: number
  /**
   * On how many servers each record lies: 1, 3 or 5. Default: as the streams are; where they are made
   * here, 3 on a cluster and 1 on a single server.
   */
  readonly replicas?: number
  /** Whether streams that are not there are made. Default `true`. */
  readonly create?: boolean
  /**
   * All servers flush before they acknowledge, by `sync_interval: always`. A client cannot ask them,
   * so it is yours to say. Default `false`: what is acknowledged outlives a process, not the power.
   */
  readonly syncAlways?: boolean
  /** Shortcomings that you accept; `promises.accepted` shows those that are there. Default: none. */
  readonly accept?: readonly NatsShortcoming[]
  /** Shown in events and figures. Default `nats:<stream>`. */
  readonly name?: string
  /** The JetStream domain. Default: that of the servers. */
  readonly domain?: string
  /**
   * The beginning of the subjects on which answers come, where permissions ask for one. Default
   * `_INBOX`.
   */
  readonly inboxPrefix?: string
  /** What an append, or another question, is waited for. 100 ms to 5 min; default 5,000. */
  readonly timeoutMs?: number
  /** Appends under way at a time. 1 to 10,000; default 512. More wait. */
  readonly appendsMax?: number
  /** Their bytes. 64 KiB to 1 GiB; default 8 MiB. */
  readonly appendBytesMax?: number
  /** Bytes of each partition that are kept for a reader that is busy. 64 KiB to 1 GiB; default 4 MiB. */
  readonly readBytesMax?: number
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface NatsOrderedLogSettings {
  readonly servers: NatsServersOptions
  readonly stream: string
  readonly partitions: number
  readonly replicas: number | undefined
  readonly create: boolean
  readonly syncAlways: boolean
  readonly accept: readonly NatsShortcoming[]
  readonly name: string
  readonly domain: string | undefined
  readonly inboxPrefix: string | undefined
  readonly timeoutMs: number
  readonly appendsMax: number
  readonly appendBytesMax: number
  readonly readBytesMax: number
  readonly clock: BrokerClock
}

const WHAT = 'natsOrderedLog'
const OPTIONS = optionNames<NatsOrderedLogOptions>({
  connection: true,
  servers: true,
  connect: true,
  inboxPrefix: true,
  stream: true,
  partitions: true,
  replicas: true,
  create: true,
  syncAlways: true,
  accept: true,
  name: true,
  domain: true,
  timeoutMs: true,
  appendsMax: true,
  appendBytesMax: true,
  readBytesMax: true,
  clock: true,
})
const SHORTCOMINGS: readonly string[] = Object.keys({
  version: true,
  replicas: true,
  memory: true,
  eviction: true,
  rollup: true,
} satisfies Record<NatsShortcoming, true>)
const STREAM = /^[A-Za-z0-9_-]{1,64}$/
const KIB = 1024
const MIB = 1024 * KIB

const BOUNDS = {
  partitions: [1, 1, 64],
  timeoutMs: [5000, 100, 300_000],
  appendsMax: [512, 1, 10_000],
  appendBytesMax: [8 * MIB, 64 * KIB, 1024 * MIB],
  readBytesMax: [4 * MIB, 64 * KIB, 1024 * MIB],
} as const

/** Throws `WARP_E_CONFIG`. */
export function orderedLogSettings(options: NatsOrderedLogOptions): NatsOrderedLogSettings {
  requireOptions(WHAT, options, OPTIONS, "{ servers: 'nats://127.0.0.1:4222', stream: 'orders' }")
  checkServers(WHAT, options)
  checkLog(options)
  const { stream, replicas, accept = [], domain, inboxPrefix, create = true, syncAlways = false } = options
  return {
    servers: serversOf(options),
    ...{ stream, replicas, create, syncAlways, accept, domain, inboxPrefix, name: options.name ?? `nats:${stream}` },
    ...boundedNumbers(WHAT, options, BOUNDS),
    clock: options.clock ?? platformClock(),
  }
}

function checkLog(options: NatsOrderedLogOptions): void {
  const { stream, replicas, accept = [] } = options
  for (const flag of ['create', 'syncAlways']) checkTypeOf(WHAT, options, flag, 'boolean')
  checkTypeOf(WHAT, options, 'name', 'string')
  if (typeof stream !== 'string' || !STREAM.test(stream))
    throw refusedOption(WHAT, 'stream', stream, 'give up to 64 letters, digits, - and _')
  if (replicas !== undefined && ![1, 3, 5].includes(replicas))
    throw refusedOption(WHAT, 'replicas', replicas, 'give 1, 3 or 5')
  const names: readonly string[] = accept
  if (!Array.isArray(accept) || !names.every((one) => SHORTCOMINGS.includes(one)))
    throw refusedOption(WHAT, 'accept', accept, `give a list of ${SHORTCOMINGS.join(', ')}`)
  checkSubjects(options)
}

function checkSubjects({ domain, inboxPrefix }: NatsOrderedLogOptions): void {
  if (domain !== undefined && (!isSubject(domain) || domain.includes('.')))
    throw refusedOption(WHAT, 'domain', domain, 'give the name of a JetStream domain')
  if (inboxPrefix !== undefined && !isSubject(inboxPrefix))
    throw refusedOption(WHAT, 'inboxPrefix', inboxPrefix, "give a subject without wildcards, such as '_INBOX_warp'")
}
