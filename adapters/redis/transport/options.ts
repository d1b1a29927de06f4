/** What `redisTransport` takes, with defaults and bounds. */
import { checkOptions, checkTypeOf, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { boundedNumbers } from '../../broker/bounded-options.ts'
import { packetQueueBytes } from '../../broker/packets/packet-link.ts'
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
  /**
   * Whether bursts are deflated for replicas that understand it, at about 10 ms of processor time a
   * megabyte. Default `true`.
   */
  readonly compress?: boolean
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
  readonly compress: boolean
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
  compress: true,
  name: true,
  clock: true,
})
/** Throws `WARP_E_CONFIG`. */
export function transportSettings(options: RedisTransportOptions): RedisTransportSettings {
  checkOptions(WHAT, options, OPTIONS)
  checkServer(WHAT, options)
  checkTypeOf(WHAT, options, 'name', 'string')
  checkTypeOf(WHAT, options, 'compress', 'boolean')
  const { prefix = 'warp', name = 'redis', compress = true } = options
  checkPrefix(WHAT, prefix)
  const numbers = boundedNumbers(WHAT, options, {
    heartbeatMs: [1000, 100, 60_000],
    pingMs: [5000, 100, 60_000],
    queueBytesMax: packetQueueBytes,
  })
  return { server: serverOf(options), prefix, compress, ...numbers, name, clock: options.clock ?? platformClock() }
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
