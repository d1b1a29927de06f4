/** What `redisTransport` takes, with defaults and bounds. */
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'
import { checkServer, type RedisServerOptions, serverOf } from '../server-options.ts'

export interface RedisTransportOptions extends RedisServerOptions {
  /**
   * The beginning of the channels: clusters with different ones do not hear each other. Default
   * `'warp'`.
   */
  readonly prefix?: string
  /** How often each replica says that it is there. 100 ms to 1 min; default 1,000. */
  readonly heartbeatMs?: number
  /**
   * How often the server is asked whether it is there. One that does not answer is given up within
   * two of these. 100 ms to 1 min; default 5,000.
   */
  readonly pingMs?: number
  /** Bytes that may wait to be sent. 5 MiB to 1 GiB; default 8 MiB. */
  readonly queueBytesMax?: number
  /** Names the transport in events and in `warp.peers()`. Default `'redis'`. */
  readonly name?: string
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface RedisTransportSettings {
  readonly server: RedisServerOptions
  readonly prefix: string
  readonly heartbeatMs: number
  readonly pingMs: number
  readonly queueBytesMax: number
  readonly name: string
  readonly clock: BrokerClock
}

const WHAT = 'redisTransport'
const OPTIONS = optionNames<RedisTransportOptions>({
  client: true,
  url: true,
  connect: true,
  prefix: true,
  heartbeatMs: true,
  pingMs: true,
  queueBytesMax: true,
  name: true,
  clock: true,
})
const MIB = 1024 * 1024
/** The largest frame, and what its parts take besides. */
const QUEUE_BYTES_MIN = FRAME_BYTES_MAX + MIB

/** Throws `WARP_E_CONFIG`. */
export function transportSettings(options: RedisTransportOptions): RedisTransportSettings {
  checkOptions(WHAT, options, OPTIONS)
  checkServer(WHAT, options)
  checkTypeOf(WHAT, options, 'name', 'string')
  const { prefix = 'warp', heartbeatMs = 1000, pingMs = 5000, queueBytesMax = 8 * MIB, name = 'redis' } = options
  checkPrefix(WHAT, prefix)
  for (const [option, value] of Object.entries({ heartbeatMs, pingMs }))
    if (!isWholeFrom(value, 100, 60_000))
      throw refusedOption(WHAT, option, value, 'give milliseconds, from 100 to 60000')
  if (!isWholeFrom(queueBytesMax, QUEUE_BYTES_MIN, 1024 * MIB))
    throw refusedOption(WHAT, 'queueBytesMax', queueBytesMax, `give bytes, from ${QUEUE_BYTES_MIN} to ${1024 * MIB}`)
  const clock = options.clock ?? platformClock()
  return { server: serverOf(options), prefix, heartbeatMs, pingMs, queueBytesMax, name, clock }
}

/** Braces would decide on which server of a cluster something lies; a star would be a pattern in rules of access. */
export function checkPrefix(what: string, prefix: unknown): void {
  if (typeof prefix !== 'string' || !/^[!-~]{1,100}$/.test(prefix) || /[{}*?[\]\\]/.test(prefix))
    throw refusedOption(
      what,
      'prefix',
      prefix,
      "give up to 100 visible characters without * ? [ ] { } \\, such as 'app:warp'",
    )
}
