/** `natsTransport`: the options, checked, and the transport that is opened with them. */
import type { Transport } from '../../../src/index.ts'
import { Connection } from '../connection.ts'
import { type NatsTransportOptions, transportSettings } from './options.ts'
import { NatsTransportLink } from './transport-link.ts'

/**
 * Replicas that hear each other over NATS: what is for all goes to one subject, what is for one to a
 * subject of its own. NATS core loses what it cannot deliver, which replication repairs.
 *
 * ```ts
 * natsTransport({ servers: 'nats://10.0.0.1:4222', subject: 'app.warp' })
 * ```
 * Throws `WARP_E_CONFIG`; `open` rejects with `WARP_E_TRANSPORT` if nobody answers, and with
 * `WARP_E_AUTH`.
 */
export function natsTransport(options: NatsTransportOptions = {}): Transport {
  const settings = transportSettings(options)
  return {
    kind: 'broadcast',
    name: settings.name,
    open: async (receiver) => {
      const { name: what, servers, clock } = settings
      // What it says itself does not come back; what others say on a connection that they share does.
      const connection = await Connection.open({ what, servers, clock, ours: { noEcho: true } })
      const link = new NatsTransportLink(settings, connection, receiver)
      await link.begin()
      return link
    },
  }
}
