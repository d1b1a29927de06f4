/** `natsOrderedLog`: the options, checked, and the log that is opened with them. */
import { jetstreamManager } from '@nats-io/jetstream'
import { isWarpError, WarpError } from '../../../src/index.ts'
import type { OrderedLog, OrderedLogLink, OrderedLogReceiver } from '../../../src/ports/ordered-log.ts'
import { Connection } from '../connection.ts'
import { request } from '../requests.ts'
import { NatsLogLink } from './log-link.ts'
import { type NatsOrderedLogOptions, type NatsOrderedLogSettings, orderedLogSettings } from './options.ts'
import { openStreams, type LogStreams, type StreamsContext } from './streams.ts'

/** So many times `timeoutMs` is waited for servers that do not answer questions about streams. */
const OPENING_TIMES = 3
/** Between two tries. */
const AGAIN_MS = 250

/**
 * An ordered log in NATS JetStream: a stream for each partition, which is made if it is not there, and
 * one for snapshots. A record is a message; its place is its sequence number.
 *
 * ```ts
 * natsOrderedLog({ servers: 'nats://10.0.0.1:4222', stream: 'orders', replicas: 3 })
 * ```
 * Throws `WARP_E_CONFIG`. `open` rejects with `WARP_E_BROKER_UNFIT` where a version or a setting of the
 * server is known to lose records, with `WARP_E_TRANSPORT` where nobody answers, and with
 * `WARP_E_AUTH`.
 */
export function natsOrderedLog(options: NatsOrderedLogOptions): OrderedLog {
  const settings = orderedLogSettings(options)
  return { kind: 'ordered', name: settings.name, open: (receiver) => open(settings, receiver) }
}

async function open(settings: NatsOrderedLogSettings, receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
  const { name, clock, domain, timeoutMs, inboxPrefix, servers } = settings
  const ours = inboxPrefix === undefined ? {} : { inboxPrefix }
  const connection = await Connection.open({ what: name, servers, clock, ours })
  try {
    const manager = await jetstreamManager(connection.nats, {
      checkAPI: false,
      timeout: timeoutMs,
      ...(domain === undefined ? {} : { domain }),
    })
    const { server } = connection
    if (server === undefined) throw connection.error
    const streams = await openPatiently({ settings, manager, server })
    return new NatsLogLink({ settings, connection, manager, streams, receiver })
  } catch (error) {
    await connection.close()
    throw withoutJetStream(error, name)
  }
}

/** A cluster that is choosing its leader, after a start or a loss, answers nobody for some seconds. */
async function openPatiently(context: StreamsContext): Promise<LogStreams> {
  const { clock, name, timeoutMs } = context.settings
  const until = clock.monotonic() + OPENING_TIMES * timeoutMs
  for (;;) {
    try {
      return await request(`${name}: opening the streams`, () => openStreams(context))
    } catch (error) {
      const mayPass = isWarpError(error, 'WARP_E_TRANSPORT') && !isWithoutJetStream(error)
      if (!mayPass || clock.monotonic() >= until) throw error
    }
    await new Promise<void>((resolve) => clock.schedule(AGAIN_MS, resolve))
  }
}

function isWithoutJetStream({ message }: WarpError): boolean {
  return /jetstream (?:is )?not enabled/i.test(message)
}

/** Nobody answers questions about streams where JetStream is off. */
function withoutJetStream(error: unknown, name: string): unknown {
  const isOff = isWarpError(error, 'WARP_E_TRANSPORT') && isWithoutJetStream(error)
  if (!isOff) return error
  const remedy = 'start nats-server with jetstream { store_dir: … }, and allow it to the account'
  return new WarpError('WARP_E_BROKER_UNFIT', `${name}: the server has no JetStream; ${remedy}`, { cause: error })
}
