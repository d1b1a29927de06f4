/** What `natsTransport` takes, with defaults and bounds. */
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import { checkServers, isSubject, type NatsServersOptions, serversOf } from '../connect-options.ts'
import { type BrokerClock, platformClock } from '../../broker/platform-clock.ts'

export interface NatsTransportOptions extends NatsServersOptions {
  /**
   * The beginning of the subjects: clusters with different ones do not hear each other. Default
   * `'warp'`.
   */
  readonly subject?: string
  /** How often each replica says that it is there. 100 ms to 1 min; default 1,000. */
  readonly heartbeatMs?: number
  /** Bytes that may wait to be sent. 4 MiB to 1 GiB; default 8 MiB. */
  readonly queueBytesMax?: number
  /**
   * Whether bursts are deflated for replicas that understand it, at about 10 ms of processor time a
   * megabyte. Default `true`.
   */
  readonly compress?: boolean
  /** Names the transport in events and in `warp.peers()`. Default `'nats'`. */
  readonly name?: string
  /** Time and randomness: for tests. Default: the platform's. */
  readonly clock?: BrokerClock
}

export interface NatsTransportSettings {
  readonly servers: NatsServersOptions
  readonly subject: string
  readonly heartbeatMs: number
  readonly queueBytesMax: number
  readonly compress: boolean
  readonly name: string
  readonly clock: BrokerClock
}

const WHAT = 'natsTransport'
const OPTIONS = optionNames<NatsTransportOptions>({
  connection: true,
  servers: true,
  connect: true,
  subject: true,
  heartbeatMs: true,
  queueBytesMax: true,
  compress: true,
  name: true,
  clock: true,
})
const MIB = 1024 * 1024

/** Throws `WARP_E_CONFIG`. */
export function transportSettings(options: NatsTransportOptions): NatsTransportSettings {
  checkOptions(WHAT, options, OPTIONS)
  checkServers(WHAT, options)
  checkTypeOf(WHAT, options, 'name', 'string')
  checkTypeOf(WHAT, options, 'compress', 'boolean')
  const { subject = 'warp', heartbeatMs = 1000, queueBytesMax = 8 * MIB, name = 'nats' } = options
  if (!isSubject(subject))
    throw refusedOption(WHAT, 'subject', subject, "give a subject without wildcards, such as 'app.warp'")
  if (!isWholeFrom(heartbeatMs, 100, 60_000))
    throw refusedOption(WHAT, 'heartbeatMs', heartbeatMs, 'give milliseconds, from 100 to 60000')
  if (!isWholeFrom(queueBytesMax, FRAME_BYTES_MAX, 1024 * MIB))
    throw refusedOption(WHAT, 'queueBytesMax', queueBytesMax, `give bytes, from ${FRAME_BYTES_MAX} to ${1024 * MIB}`)
  return {
    servers: serversOf(options),
    subject,
    heartbeatMs,
    queueBytesMax,
    compress: options.compress ?? true,
    name,
    clock: options.clock ?? platformClock(),
  }
}
