/** The way to the brokers: where some of them are, and how to be let in. */
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import { checkOptions, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import type { KafkaSocketFactory } from './kafkajs.ts'
import type { BrokerAddress } from './metadata.ts'

/** How to be let in. How connections are made again is decided here. */
export interface KafkaConnectOptions {
  /** TLS: `true`, or what `tls.connect` of Node takes. Default: none. */
  readonly ssl?: boolean | ConnectionOptions
  /** Credentials, as kafkajs takes them: `{ mechanism: 'scram-sha-256', username, password }`. */
  readonly sasl?: SASLOptions
  /** Names this client to the brokers. Default `'warp'`. */
  readonly clientId?: string
  /** Makes the sockets: through a proxy, for instance. Default: those of Node. */
  readonly socketFactory?: KafkaSocketFactory
}

export interface KafkaBrokersOptions {
  /**
   * Some of the brokers, from which the others are learnt: `'10.0.0.1:9092'`, one, several with commas
   * between, or a list. Default `127.0.0.1:9092`.
   */
  readonly brokers?: string | readonly string[]
  readonly connect?: KafkaConnectOptions
}

export interface KafkaBrokers {
  readonly addresses: readonly BrokerAddress[]
  readonly connect: KafkaConnectOptions
}

const CONNECT_OPTIONS = optionNames<KafkaConnectOptions>({
  ssl: true,
  sasl: true,
  clientId: true,
  socketFactory: true,
})

/** Throws `WARP_E_CONFIG`. */
export function brokersOf(
  what: string,
  { brokers = '127.0.0.1:9092', connect = {} }: KafkaBrokersOptions,
): KafkaBrokers {
  const given: unknown = typeof brokers === 'string' ? brokers.split(',') : brokers
  const addresses = Array.isArray(given) ? given.map((one: unknown) => addressOf(one)) : []
  if (addresses.length === 0 || addresses.includes(undefined))
    throw refusedOption(what, 'brokers', brokers, "give addresses such as '127.0.0.1:9092', one or a list")
  checkOptions(`${what}: connect`, connect, CONNECT_OPTIONS)
  const { ssl, sasl, clientId, socketFactory } = connect
  for (const [name, isRight, remedy] of [
    ['ssl', isAbsentOr(ssl, 'boolean', 'object'), 'give true, or options of tls.connect'],
    ['sasl', isAbsentOr(sasl, 'object'), "give { mechanism: 'scram-sha-256', username, password }"],
    ['clientId', isAbsentOr(clientId, 'string'), 'give a name'],
    ['socketFactory', isAbsentOr(socketFactory, 'function'), 'give a function that returns a socket'],
  ] as const)
    // Values are not shown: they may be credentials.
    if (!isRight) throw refusedOption(`${what}: connect`, name, typeof connect[name], remedy)
  const entries = Object.entries({ ssl: ssl === false ? undefined : ssl, sasl, clientId, socketFactory })
  return {
    addresses: addresses as BrokerAddress[],
    connect: Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
  }
}

function isAbsentOr(value: unknown, ...types: readonly string[]): boolean {
  return value === undefined || (value !== null && types.includes(typeof value))
}

function addressOf(text: unknown): BrokerAddress | undefined {
  const [, bracketed, plain, digits = '9092'] =
    typeof text === 'string' ? (/^(?:\[([0-9a-f:]+)\]|([^\s:@/[\]]+))(?::(\d{1,5}))?$/i.exec(text.trim()) ?? []) : []
  const [host, port] = [bracketed ?? plain, Number(digits)]
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

export function shownAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function shownBrokers({ addresses }: KafkaBrokers): string {
  return addresses.map(shownAddress).join(', ')
}
