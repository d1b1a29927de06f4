/** What INFO says, in sections of lines `name:value`. */
import { toBinary } from '../../protocol/bytes.ts'
import type { Call } from '../../call/command.ts'
import { REDIS_VERSION } from './versions.ts'

type Section = (call: Call) => readonly (readonly [string, string | number])[]

const SECTIONS: Readonly<Record<string, Section>> = {
  server: ({ core, nowMs, client }) => [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', 'standalone'],
    ['server_name', 'warp'],
    ['arch_bits', 64],
    ['run_id', core.warp.replica.padEnd(40, '0').slice(0, 40)],
    ['tcp_port', Number(client.localAddress.slice(client.localAddress.lastIndexOf(':') + 1)) || 0],
    ['server_time_usec', nowMs * 1000],
    ['uptime_in_seconds', Math.floor((nowMs - core.beganMs) / 1000)],
    ['uptime_in_days', Math.floor((nowMs - core.beganMs) / 86_400_000)],
  ],
  clients: ({ core }) => {
    const clients = [...core.clients.values()]
    return [
      ['connected_clients', clients.length],
      ['maxclients', core.settings.clientsMax],
      ['blocked_clients', clients.filter(({ waiting }) => waiting !== undefined).length],
      ['tracking_clients', core.changes.tracking.clientsCount],
      ['pubsub_clients', clients.filter(({ isSubscribed }) => isSubscribed).length],
    ]
  },
  memory: () => [...memoryLines(), ['maxmemory', 0], ['maxmemory_policy', 'noeviction']],
  persistence: ({ core }) => [
    ['loading', 0],
    ['async_loading', 0],
    ['aof_enabled', core.warp.capabilities().persistent ? 1 : 0],
    ['rdb_bgsave_in_progress', 0],
    ['aof_rewrite_in_progress', 0],
  ],
  stats: ({ core }) => [
    ['total_connections_received', core.counts.connections],
    ['total_commands_processed', core.counts.commands],
    ['total_net_input_bytes', core.counts.receivedBytes],
    ['total_net_output_bytes', core.counts.sentBytes],
    ['rejected_connections', core.counts.rejected],
    ['total_error_replies', core.counts.errors],
    ['tracking_total_keys', core.changes.tracking.keysCount],
    ['tracking_total_prefixes', core.changes.tracking.prefixesCount],
    ['client_output_buffer_limit_disconnections', core.counts.tooSlow],
  ],
  replication: () => [
    ['role', 'master'],
    ['connected_slaves', 0],
  ],
  warp: ({ core }) => {
    const peers = core.warp.peers()
    return [
      ['warp_replica', core.warp.replica],
      ['warp_name', toBinary((core.warp.name ?? '').replace(/[\r\n]/g, ' '))],
      ['warp_peers', peers.length],
      ['warp_peers_up', peers.filter(({ state }) => state === 'up').length],
      ['warp_ready', core.warp.health().ready ? 1 : 0],
      ['warp_persistent', core.warp.capabilities().persistent ? 1 : 0],
    ]
  },
  cluster: () => [['cluster_enabled', 0]],
  keyspace: ({ core }) => {
    const known = core.keys.direct.keysCount
    return known === 0 ? [] : [['db0', `keys=${known},expires=0,avg_ttl=0`]]
  },
}

/** Of the whole process, which may hold more than this server. */
function memoryLines(): readonly (readonly [string, number])[] {
  const { rss, heapUsed, external } = process.memoryUsage()
  return [
    ['used_memory', heapUsed + external],
    ['used_memory_rss', rss],
  ]
}

const ALL: ReadonlySet<string> = new Set(['all', 'everything', 'default'])

/** A binary string. Names of sections are theirs in any case; none: all. */
export function infoText(call: Call, sections: readonly string[]): string {
  const wanted = new Set(sections.map((name) => name.toLowerCase()))
  const isAll = wanted.size === 0 || [...wanted].some((name) => ALL.has(name))
  return Object.entries(SECTIONS)
    .filter(([name]) => isAll || wanted.has(name))
    .map(([name, lines]) => {
      const shown = lines(call).map(([key, value]) => `${key}:${value}\r\n`)
      return `# ${name[0]!.toUpperCase()}${name.slice(1)}\r\n${shown.join('')}`
    })
    .join('\r\n')
}
