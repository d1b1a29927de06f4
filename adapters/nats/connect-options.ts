/** The way to the servers: a connection of the user's, or where they are and what `connect` of the client takes. */
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { checkOptions, refusedOption } from '../../crdt/checked-options.ts'
import { WarpError } from '../../src/index.ts'
import { type BrokerClock, withJitter } from '../broker/platform-clock.ts'

/** What of the client's `connect` is decided here. */
const OURS = [
  'servers',
  'port',
  'reconnect',
  'maxReconnectAttempts',
  'reconnectTimeWait',
  'reconnectJitter',
  'reconnectJitterTLS',
  'reconnectDelayHandler',
  'waitOnFirstConnect',
  'ignoreAuthErrorAbort',
  'inboxPrefix',
  'noEcho',
] as const

/** Options of the client's `connect`: credentials, TLS, a name. How it reconnects is decided here. */
export type NatsConnectOptions = Omit<NodeConnectionOptions, (typeof OURS)[number]>

export interface NatsServersOptions {
  /**
   * A connection of your own, which stays open when the engine closes. It has to reconnect for ever:
   * `connect({ maxReconnectAttempts: -1, … })`.
   */
  readonly connection?: NatsConnection
  /** Where the servers are: `'nats://10.0.0.1:4222'`, one or a list. Default `127.0.0.1:4222`. */
  readonly servers?: string | readonly string[]
  /** What else `connect` of `@nats-io/transport-node` takes: `user`, `pass`, `token`, `authenticator`, `tls`. */
  readonly connect?: NatsConnectOptions
}

/** One attempt a second at each server. */
const RECONNECT_MS = 1000
/** After two of these without an answer the connection counts as lost. */
const PING_MS = 5000
const CONNECT_MS = 5000

/** Throws `WARP_E_CONFIG`. */
export function checkServers(what: string, options: NatsServersOptions): void {
  const { connection, servers, connect } = options
  if (connection !== undefined) {
    if (!isConnection(connection))
      throw refusedOption(what, 'connection', connection, 'give one that connect of @nats-io/transport-node returned')
    for (const [name, value] of Object.entries({ servers, connect }))
      if (value !== undefined)
        throw refusedOption(what, name, value, 'leave it out, or the connection: that one is connected already')
  }
  const isList = Array.isArray(servers) && servers.length > 0 && servers.every((one) => typeof one === 'string')
  if (servers !== undefined && typeof servers !== 'string' && !isList)
    throw refusedOption(what, 'servers', servers, "give an address such as 'nats://127.0.0.1:4222', or a list")
  checkConnect(what, connect)
}

function checkConnect(what: string, connect: NatsConnectOptions | undefined): void {
  if (connect === undefined) return
  // The client's own options are the client's to check: there are many, and they grow.
  checkOptions(`${what}: connect`, connect, Object.keys(connect))
  for (const name of OURS)
    if (name in connect)
      throw new WarpError(
        'WARP_E_CONFIG',
        `${what}: connect.${name} is decided by Warp; leave it out, or give a connection`,
        {
          details: { option: `connect.${name}` },
        },
      )
}

export function isSubject(text: unknown): text is string {
  return typeof text === 'string' && /^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(text)
}

function isConnection(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as NatsConnection).publish === 'function'
}

/** For `connect`: reconnects for ever, also when it is not let in for a while. `ours`: what an adapter wants besides. */
export function connectionOptions(
  { servers, connect = {} }: NatsServersOptions,
  clock: BrokerClock,
  ours: Pick<NodeConnectionOptions, 'inboxPrefix' | 'noEcho'> = {},
): NodeConnectionOptions {
  return {
    pingInterval: PING_MS,
    timeout: CONNECT_MS,
    noAsyncTraces: true,
    ...connect,
    ...(servers === undefined ? {} : { servers: typeof servers === 'string' ? servers : [...servers] }),
    ...ours,
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => withJitter(clock, RECONNECT_MS),
  }
}

/** Without what is there and undefined, as callers without a compiler write it. */
export function serversOf({ connection, servers, connect }: NatsServersOptions): NatsServersOptions {
  const given = Object.entries({ connection, servers, connect }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}
