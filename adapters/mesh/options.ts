/**
 * What `meshTransport` takes: default, unit and bound of everything. Checked once, before anything
 * is opened.
 *
 * The rule that matters: without a cluster key the mesh does not leave the machine, and says so
 * rather than guess.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { WarpError } from '../../src/index.ts'
import { FRAME_BYTES_MAX } from '../../src/limits.ts'
import { type ClusterKeyInput, type ClusterKeys, clusterKeys, insecureKeys } from './handshake/cluster-keys.ts'
import type { MeshClock } from './contacts/contact.ts'
import { canonicalIp, isLoopback, parseIp } from './sockets/ip-address.ts'
import { ROLES_MAX, ROLE_BYTES_MAX, ZONE_BYTES_MAX } from './membership/member-record.ts'
import { MULTICAST_GROUP_IPV4, MULTICAST_GROUP_IPV6, type MulticastSettings } from './sockets/multicast.ts'
import type { Endpoint, MeshNetwork } from './sockets/network.ts'
import { nodeNetwork } from './sockets/node-network.ts'
import { platformClock } from './platform-clock.ts'
import { MEMBERSHIP_DEFAULTS } from './membership/swim.ts'
import { parsePeer } from './discovery/static-peers.ts'
import { STREAM_SETTINGS } from './streams/stream-settings.ts'

export interface MeshOptions {
  /** Names the transport in events and in `warp.peers()`. Default `'mesh'`. */
  readonly name?: string
  /**
   * The IP address to listen at, IPv4 or IPv6; `0.0.0.0` and `::` are all of them. Default
   * `127.0.0.1`.
   */
  readonly host?: string
  /** For UDP and for TCP. 0 takes any free one. Default 7946. */
  readonly port?: number
  /**
   * Who to look for: `host`, `host:port`, `[ipv6]:port`; names are resolved to all their addresses,
   * again every 30 s. At most 256.
   */
  readonly peers?: readonly string[]
  /**
   * How members of one network find each other by themselves. Default: on, with the group below.
   * `false`: static peers only.
   */
  readonly multicast?: false | MeshMulticastOptions
  /**
   * The secret of the cluster: 32 bytes, as bytes or as text (base64 or hexadecimal; `warp key`
   * makes one). A list: the first one is used, all of them are accepted, for replacing keys (see
   * `MeshTransport.useKeys`).
   */
  readonly clusterKey?: ClusterKeyInput | readonly ClusterKeyInput[]
  /** Run without a key: anybody on this machine may join. Loopback only. Default `false`. */
  readonly insecure?: boolean
  /** Clusters of different names do not mix. At most 64 bytes. Default `'warp'`. */
  readonly cluster?: string
  /** Where this replica runs, for others to read. At most 64 bytes. Default: none. */
  readonly zone?: string
  /** What it is for. At most 8 of 32 bytes. Default: none. */
  readonly roles?: readonly string[]
  /** Deflate what goes by stream, where that helps. Default `false`. */
  readonly compress?: boolean
  /** The largest UDP payload that the path carries whole. 576 to 65,000; default 1,200. */
  readonly datagramBytesMax?: number
  /**
   * How often one peer is probed; a failure is found after some of these. 50 ms to 1 min; default
   * 1,000.
   */
  readonly probeIntervalMs?: number
  /** A peer whose wall clock differs by more is reported. 10 ms to 1 day; default 250. */
  readonly clockSkewMsMax?: number
  /** Bytes that may wait for one peer. 4 MiB to 1 GiB; default 8 MiB. */
  readonly queueBytesMax?: number
  /**
   * The mesh does not keep the process alive: it ends when nothing else keeps it, also where nobody
   * has closed the engine; what was not stored or sent by then is lost, and peers wait for it as for
   * one that died. Default `false`: the process lives until the engine is closed. Not with a
   * `network` of your own.
   */
  readonly unref?: boolean
  /** The network below: for tests and simulators. Default: Node's sockets. */
  readonly network?: MeshNetwork
  /** Time and randomness: for tests and simulators. Default: the platform's. */
  readonly clock?: MeshClock
}

export interface MeshMulticastOptions {
  /** An IPv4 or IPv6 group, as `host` is. Default `239.255.77.46` or `ff02::77:46`. */
  readonly group?: string
  /** Default 7947. */
  readonly port?: number
  /** The address of the interface to hear it on. Default: `host`. */
  readonly on?: string
}

export interface MeshSettings {
  readonly name: string
  readonly bind: Endpoint
  readonly peers: readonly string[]
  readonly peerPort: number
  readonly multicast: MulticastSettings | false
  readonly cluster: string
  readonly keys: ClusterKeys
  readonly zone: string
  readonly roles: readonly string[]
  readonly compress: boolean
  readonly datagramBytesMax: number
  readonly probeIntervalMs: number
  readonly clockSkewMsMax: number
  readonly queueBytesMax: number
  readonly network: MeshNetwork
  readonly clock: MeshClock
}

export const PORT_DEFAULT = 7946

type Named = 'name' | 'host' | 'cluster' | 'zone' | 'roles' | 'peers' | 'compress' | 'multicast'

const DEFAULTS: Readonly<Required<Pick<MeshOptions, Named>>> = {
  name: 'mesh',
  host: '127.0.0.1',
  cluster: 'warp',
  zone: '',
  roles: [],
  peers: [],
  compress: false,
  multicast: {},
}
const OPTIONS = optionNames<MeshOptions>({
  name: true,
  host: true,
  port: true,
  peers: true,
  multicast: true,
  clusterKey: true,
  insecure: true,
  cluster: true,
  zone: true,
  roles: true,
  compress: true,
  datagramBytesMax: true,
  probeIntervalMs: true,
  clockSkewMsMax: true,
  queueBytesMax: true,
  unref: true,
  network: true,
  clock: true,
})
const MULTICAST_OPTIONS = optionNames<MeshMulticastOptions>({ group: true, port: true, on: true })
const CLUSTER_BYTES_MAX = 64
const MIB = 1024 * 1024
const CONTROL_CHARACTER = /\p{Cc}/u

/** Name of a number: default, least and greatest value. */
const BOUNDS = {
  port: [PORT_DEFAULT, 0, 65_535],
  datagramBytesMax: [1200, 576, 65_000],
  probeIntervalMs: [MEMBERSHIP_DEFAULTS.probeIntervalMs, 50, 60_000],
  clockSkewMsMax: [MEMBERSHIP_DEFAULTS.skewMsMax, 10, 86_400_000],
  queueBytesMax: [STREAM_SETTINGS.queueBytesMax, FRAME_BYTES_MAX, 1024 * MIB],
} as const

/** Throws `WARP_E_CONFIG`, and `WARP_E_AUTH` for what concerns keys. */
export function meshSettings(options: MeshOptions): MeshSettings {
  checkOptions('meshTransport', options, OPTIONS)
  const given = { ...DEFAULTS, ...defined(options) }
  const { name, cluster, zone, roles, peers, compress } = given
  const port = numberOf(options, 'port')
  if (!isIp(given.host)) {
    const shown = JSON.stringify(given.host)
    throw refused('host', `is ${shown}; it is an IP address of this machine, such as 127.0.0.1 or ::`)
  }
  const host = canonicalIp(given.host)
  checkLists(given)
  checkLabels(given)
  checkTypeOf('meshTransport', options, 'insecure', 'boolean')
  checkTypeOf('meshTransport', options, 'compress', 'boolean')
  checkTypeOf('meshTransport', options, 'unref', 'boolean')
  const { unref, network } = options
  if (unref === true && network !== undefined)
    throw refused(
      'unref',
      "is set and there is a network; only Node's own sockets can be let go; leave one of them out",
    )
  const peerPort = port === 0 ? PORT_DEFAULT : port
  for (const peer of peers) parsePeer(peer, peerPort)
  return {
    ...{ name, bind: { host, port }, peers, peerPort, cluster, zone, roles, compress },
    multicast: given.multicast === false ? false : multicastOf(given.multicast, host),
    keys: keysOf(options, host, cluster),
    datagramBytesMax: numberOf(options, 'datagramBytesMax'),
    probeIntervalMs: numberOf(options, 'probeIntervalMs'),
    clockSkewMsMax: numberOf(options, 'clockSkewMsMax'),
    queueBytesMax: numberOf(options, 'queueBytesMax'),
    network: network ?? nodeNetwork({ unref: unref === true }),
    clock: options.clock ?? platformClock(),
  }
}

/** Without what is there and undefined, as callers without a compiler write it. */
function defined(options: MeshOptions): MeshOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkLists(given: Pick<typeof DEFAULTS, 'peers' | 'roles'>): void {
  for (const [name, list] of Object.entries({ peers: given.peers, roles: given.roles })) {
    const isList = Array.isArray(list) && (list as readonly unknown[]).every((one) => typeof one === 'string')
    if (!isList)
      throw refusedOption(
        'meshTransport',
        name,
        list,
        `give a list of texts, such as ['${name === 'peers' ? '10.0.0.2' : 'cache'}']`,
      )
  }
}

function checkLabels({ name, cluster, zone, roles }: typeof DEFAULTS): void {
  label('name', name, CLUSTER_BYTES_MAX)
  label('cluster', cluster, CLUSTER_BYTES_MAX)
  label('zone', zone, ZONE_BYTES_MAX)
  if (roles.length > ROLES_MAX) throw refused('roles', `has ${roles.length} entries; at most ${ROLES_MAX}`)
  for (const role of roles) label('roles', role, ROLE_BYTES_MAX)
}

function keysOf({ clusterKey, insecure = false }: MeshOptions, host: string, cluster: string): ClusterKeys {
  if (clusterKey !== undefined) {
    if (insecure) throw refused('insecure', 'is set and there is a clusterKey; leave one of them out')
    return clusterKeys(clusterKey, cluster)
  }
  if (insecure && isLoopback(host)) return insecureKeys(cluster)
  throw new WarpError(
    'WARP_E_AUTH',
    insecure
      ? `mesh: insecure: true is for loopback only, and host is ${host}; give a clusterKey ("warp key" makes one)`
      : 'mesh: there is no clusterKey; "warp key" makes one. On loopback, insecure: true does without',
    { details: { host } },
  )
}

function multicastOf(options: MeshMulticastOptions, host: string): MulticastSettings {
  checkOptions('meshTransport: multicast', options, MULTICAST_OPTIONS)
  const fallback = host.includes(':') ? MULTICAST_GROUP_IPV6 : MULTICAST_GROUP_IPV4
  const { group = fallback.host, port = fallback.port, on = host } = options
  if (!isGroup(group) || group.includes(':') !== host.includes(':')) {
    throw refused(
      'multicast.group',
      `is ${JSON.stringify(group)}; it is a multicast address of the same family as host`,
    )
  }
  if (!isIp(on)) {
    throw refused('multicast.on', `is ${JSON.stringify(on)}; it is an IP address of this machine`)
  }
  if (!isWholeFrom(port, 1, 65_535)) throw refused('multicast.port', `is ${shownValue(port)}; 1 to 65535`)
  return { group: { host: group, port }, on }
}

/** With a scope or without. */
function isIp(text: string): boolean {
  return typeof text === 'string' && parseIp(text.split('%', 1)[0] ?? '') !== undefined
}

function isGroup(text: string): boolean {
  const bytes = parseIp(text)
  return bytes !== undefined && (bytes.length === 4 ? bytes[0]! >> 4 === 14 : bytes[0] === 0xff)
}

function numberOf(options: MeshOptions, name: keyof typeof BOUNDS): number {
  const [fallback, min, max] = BOUNDS[name]
  const value = options[name] ?? fallback
  if (isWholeFrom(value, min, max)) return value
  throw refused(name, `is ${shownValue(value)}; it is a whole number from ${min} to ${max}`)
}

function label(name: string, text: string, bytesMax: number): void {
  const isFine = typeof text === 'string' && text.isWellFormed() && !CONTROL_CHARACTER.test(text)
  if (isFine && new TextEncoder().encode(text).length <= bytesMax) return
  throw refused(name, `is no text of at most ${bytesMax} bytes without control characters`)
}

function refused(name: string, what: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `mesh: ${name} ${what}`, { details: { option: name } })
}
