/** What `redisOrderedLog` takes, with defaults and bounds. */
import { checkTypeOf, optionNames, requireOptions } from '../../../crdt/checked-options.ts'
import { boundedNumbers } from '../../broker/bounded-options.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'
import { checkServer, type RedisServerOptions, serverOf } from '../server-options.ts'
import { checkPrefix } from '../transport/options.ts'

export interface RedisOrderedLogOptions extends RedisServerOptions {
  /** Names the log: the beginning of its keys, which are in one hash slot, and of its channel. */
  readonly prefix: string
  /** 1 to 64; fixed when the log is made. Default 1. */
  readonly partitions?: number
  /**
   * Sentinels may make a copy the primary that lacks what was acknowledged. With this the log opens all
   * the same, `promises.accepted` shows `failover`, and the loss is noticed (`WARP_E_ORDER_BROKEN`)
   * instead of prevented. Default `false`.
   */
  readonly acceptFailoverLoss?: boolean
  /** Shown in events and figures. Default `redis:<prefix>`. */
  readonly name?: string
  /** What an append, or another question, is waited for. 100 ms to 5 min; default 5,000. */
  readonly timeoutMs?: number
  /**
   * How often the server is asked whether it is there. One that does not answer is given up within
   * two of these. 100 ms to 1 min; default 5,000.
   */
  readonly pingMs?: number
  /** Appends under way at a time. 1 to 10,000; default 512. More wait. */
  readonly appendsMax?: number
  /** Their bytes. 64 KiB to 1 GiB; default 8 MiB. */
  readonly appendBytesMax?: number
  /** Bytes of a partition that are asked for at a time. 64 KiB to 64 MiB; default 1 MiB. */
  readonly readBytesMax?: number
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface RedisOrderedLogSettings {
  readonly server: RedisServerOptions
  readonly prefix: string
  readonly partitions: number
  readonly acceptFailoverLoss: boolean
  readonly name: string
  readonly timeoutMs: number
  readonly pingMs: number
  readonly appendsMax: number
  readonly appendBytesMax: number
  readonly readBytesMax: number
  readonly clock: BrokerClock
}

const WHAT = 'redisOrderedLog'
const OPTIONS = optionNames<RedisOrderedLogOptions>({
  client: true,
  url: true,
  connect: true,
  prefix: true,
  partitions: true,
  acceptFailoverLoss: true,
  name: true,
  timeoutMs: true,
  pingMs: true,
  appendsMax: true,
  appendBytesMax: true,
  readBytesMax: true,
  clock: true,
})
const KIB = 1024
const MIB = 1024 * KIB

const BOUNDS = {
  partitions: [1, 1, 64],
  timeoutMs: [5000, 100, 300_000],
  pingMs: [5000, 100, 60_000],
  appendsMax: [512, 1, 10_000],
  appendBytesMax: [8 * MIB, 64 * KIB, 1024 * MIB],
  readBytesMax: [MIB, 64 * KIB, 64 * MIB],
} as const

/** Throws `WARP_E_CONFIG`. */
export function orderedLogSettings(options: RedisOrderedLogOptions): RedisOrderedLogSettings {
  requireOptions(WHAT, options, OPTIONS, "{ url: 'redis://127.0.0.1:6379', prefix: 'orders' }")
  checkServer(WHAT, options)
  checkTypeOf(WHAT, options, 'name', 'string')
  checkTypeOf(WHAT, options, 'acceptFailoverLoss', 'boolean')
  const { prefix, acceptFailoverLoss = false } = options
  checkPrefix(WHAT, prefix)
  return {
    ...{ server: serverOf(options), prefix, acceptFailoverLoss, name: options.name ?? `redis:${prefix}` },
    ...boundedNumbers(WHAT, options, BOUNDS),
    clock: options.clock ?? platformClock(),
  }
}
