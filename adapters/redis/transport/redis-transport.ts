/** `redisTransport`: the options, checked, and the transport that is opened with them. */
import type { Transport } from '../../../src/index.ts'
import { type RedisTransportOptions, transportSettings } from './options.ts'
import { PacketLink } from '../../broker/packets/packet-link.ts'
import { RedisWay } from './redis-way.ts'

/**
 * Replicas that hear each other over pub/sub of Redis or Valkey, of one server, one behind Sentinels, or
 * a cluster: what is for all goes to one channel, what is for one to a channel of its own. Redis loses
 * what it cannot deliver, which replication repairs.
 *
 * ```ts
 * redisTransport({ url: 'redis://10.0.0.1:6379', prefix: 'app:warp' })
 * ```
 * Throws `WARP_E_CONFIG`; `open` rejects with `WARP_E_TRANSPORT` if nobody answers, and with
 * `WARP_E_AUTH`.
 */
export function redisTransport(options: RedisTransportOptions = {}): Transport {
  const settings = transportSettings(options)
  return {
    kind: 'broadcast',
    name: settings.name,
    open: async (receiver) => {
      const where = `the prefix ${settings.prefix}`
      const way = (address: string, heard: (packet: Buffer) => void): RedisWay => new RedisWay(settings, address, heard)
      const link = new PacketLink({ ...settings, where, way }, receiver)
      await link.begin()
      return link
    },
  }
}
