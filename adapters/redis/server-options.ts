/** The way to the server: a client of the user's, of which connections are made like it, or where it is. */
import { Redis, type Cluster, type RedisOptions } from 'ioredis'
import { checkOptions, refusedOption } from '../../crdt/checked-options.ts'
import { WarpError } from '../../src/index.ts'

/** What of the client's options is decided here. */
const OURS = [
  'autoResendUnfulfilledCommands',
  'autoResubscribe',
  'enableAutoPipelining',
  'enableOfflineQueue',
  'keyPrefix',
  'lazyConnect',
  'monitor',
  'readOnly',
  'replyMapping',
  'reconnectOnError',
  'retryStrategy',
  'sentinelRetryStrategy',
] as const

/** Options of the client: credentials, TLS, Sentinels. How it reconnects is decided here. */
export type RedisConnectOptions = Omit<RedisOptions, (typeof OURS)[number]>

export interface RedisServerOptions {
  /**
   * A client of your own. Two connections are made as it was made; it is not used itself, and stays
   * as it is. That of a cluster is asked which servers there are, so it has to be connected.
   */
  readonly client?: Redis | Cluster
  /** Where the server is: `'redis://user:password@10.0.0.1:6379'`, or `rediss:` for TLS. Default `127.0.0.1:6379`. */
  readonly url?: string
  /** What else the client of ioredis takes: `username`, `password`, `tls`, `sentinels`, `name`. */
  readonly connect?: RedisConnectOptions
}

/** How replies are shown is a part of the client's type. */
type LegacyOptions = RedisOptions & { replyMapping: 'legacy' }

/** The servers look after themselves what is lost; nothing is kept here, and nothing sent twice. */
const DECIDED: RedisOptions = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableAutoPipelining: false,
  enableOfflineQueue: false,
  lazyConnect: true,
  monitor: false,
  readOnly: false,
  reconnectOnError: null,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
}

/** Throws `WARP_E_CONFIG`. */
export function checkServer(what: string, { client, url, connect }: RedisServerOptions): void {
  if (client !== undefined) checkClient(what, client)
  if (client !== undefined)
    for (const [name, value] of Object.entries({ url, connect }))
      if (value !== undefined)
        throw refusedOption(what, name, value, 'leave it out, or the client: that one knows its server')
  if (url !== undefined && !(typeof url === 'string' && /^rediss?:\/\/./.test(url)))
    throw new WarpError(
      'WARP_E_CONFIG',
      `${what}: the url is none of redis: or rediss:; give one such as 'redis://127.0.0.1:6379'`,
      { details: { option: 'url' } },
    )
  if (connect !== undefined) checkConnect(what, connect)
}

function checkClient(what: string, client: Redis | Cluster): void {
  const given: unknown = client
  const isClient = typeof given === 'object' && given !== null && typeof (given as Redis).callBuffer === 'function'
  if (!isClient) throw refusedOption(what, 'client', given, 'give a client of ioredis')
}

function checkConnect(what: string, connect: RedisConnectOptions): void {
  // The client's own options are the client's to check: there are many, and they grow.
  checkOptions(`${what}: connect`, connect, Object.keys(connect))
  for (const name of OURS)
    if (name in connect)
      throw new WarpError('WARP_E_CONFIG', `${what}: connect.${name} is decided by Warp; leave it out`, {
        details: { option: `connect.${name}` },
      })
}

/** Without what is there and undefined, as callers without a compiler write it. */
export function serverOf({ client, url, connect }: RedisServerOptions): RedisServerOptions {
  const given = Object.entries({ client, url, connect }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}

/** A connection that is not made yet, to another server of a cluster each time. `undefined`: none is known. */
export function newClient(
  { client, url, connect = {} }: RedisServerOptions,
  pick: (below: number) => number,
): Redis | undefined {
  if (client === undefined) {
    const options: LegacyOptions = { ...connect, ...DECIDED, replyMapping: 'legacy' }
    return url === undefined ? new Redis(options) : new Redis(url, options)
  }
  const decided = { ...DECIDED, keyPrefix: '' }
  if (!client.isCluster) return (client as Redis).duplicate(decided)
  const nodes = (client as Cluster).nodes('master')
  return nodes[pick(nodes.length)]?.duplicate(decided)
}

/** Without user and password. */
export function shownServer({ client, url, connect }: RedisServerOptions): string {
  if (client !== undefined) return 'the server of the given client'
  if (connect?.sentinels !== undefined) return `the Sentinels' ${connect.name ?? 'server'}`
  if (url === undefined) return `${connect?.host ?? '127.0.0.1'}:${connect?.port ?? 6379}`
  return url.replace(/^([a-z]+:\/\/).*@/i, '$1')
}
