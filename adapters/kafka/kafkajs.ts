/**
 * What is taken of the client: parts inside kafkajs 2.2.4, its last release. They encode and decode
 * requests, encrypt and sign in. Its producers, consumers and admins are not used: those repeat requests
 * by themselves, give back sequence numbers of batches that may be stored, and join groups.
 */
import type { Socket } from 'node:net'
import type { Logger, SASLOptions } from 'kafkajs'
import type { ConnectionOptions } from 'node:tls'

/** How a socket is made; `onConnect` is called when it is connected, and encrypted if `ssl` is given. */
export type KafkaSocketFactory = (where: {
  readonly host: string
  readonly port: number
  readonly ssl: ConnectionOptions
  readonly onConnect: () => void
}) => Socket

export interface Wire {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly ssl: ConnectionOptions | null
  readonly sasl: SASLOptions | null
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly enforceRequestTimeout: boolean
  readonly socketFactory: KafkaSocketFactory
  readonly logger: Logger
}

/** Of `kafkajs/src/network/connection.js`. */
export interface Connection {
  readonly requestQueue: { readonly pending: readonly unknown[]; scheduleCheckPendingRequests(): void }
  connect(): Promise<unknown>
  send(protocol: Protocol): Promise<unknown>
  isConnected(): boolean
  isAuthenticated(): boolean
  setVersions(versions: unknown): void
  setSupportAuthenticationProtocol(isSupported: boolean): void
  rejectRequests(error: Error): void
  disconnect(): Promise<unknown>
}

export interface Protocol {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    readonly encode: () => Promise<Encoder>
  }
  readonly response: {
    readonly decode: (bytes: Buffer) => Promise<unknown>
    readonly parse: (decoded: never) => Promise<unknown>
  }
}

export interface Encoder {
  writeInt8(value: number): Encoder
  writeBoolean(value: boolean): Encoder
  writeBuffer(value: Buffer): Encoder
  writeUVarInt(value: number): Encoder
  writeUVarIntString(value: string): Encoder
}

export interface Decoder {
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readBoolean(): boolean
  readBytes(length: number): Buffer
  readUVarIntString(): string | null
  readUVarIntArray<Item>(read: (decoder: Decoder) => Item): Item[] | null
  readTaggedFields(): unknown
}

/** Of `kafkajs/src/broker/index.js`. */
export interface Broker {
  connect(): Promise<void>
  produce(request: object): Promise<unknown>
  fetch(request: object): Promise<unknown>
  listOffsets(request: object): Promise<unknown>
  createTopics(request: object): Promise<unknown>
  deleteRecords(request: object): Promise<unknown>
  describeConfigs(request: object): Promise<unknown>
}

export interface KafkajsParts {
  readonly Broker: new (options: { connectionPool: object; logger: Logger; allowAutoTopicCreation: false }) => Broker
  readonly Connection: new (wire: Wire) => Connection
  readonly Encoder: new () => Encoder
  readonly Decoder: new (bytes: Buffer) => Decoder
}

const PATHS = {
  Broker: 'kafkajs/src/broker/index.js',
  Connection: 'kafkajs/src/network/connection.js',
  Encoder: 'kafkajs/src/protocol/encoder.js',
  Decoder: 'kafkajs/src/protocol/decoder.js',
} as const

let parts: Promise<KafkajsParts> | undefined

/** Loaded when the first connection is made. */
export function kafkajsParts(): Promise<KafkajsParts> {
  parts ??= load()
  return parts
}

async function load(): Promise<KafkajsParts> {
  const names = Object.keys(PATHS) as (keyof typeof PATHS)[]
  const modules = await Promise.all(
    // By a name that is no literal: these files have no types.
    names.map(async (name) => [name, ((await import(PATHS[name])) as { default: unknown }).default] as const),
  )
  return Object.fromEntries(modules) as unknown as KafkajsParts
}

/** What kafkajs calls an error of the broker: `NOT_LEADER_FOR_PARTITION`. Empty for any other one. */
export function typeOfError(error: unknown): string {
  for (const one of inner(error)) {
    const { type } = one as { type?: unknown }
    if (typeof type === 'string') return type
  }
  return ''
}

/** Several topics or partitions are asked about at once, so errors come in lists. */
function inner(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return []
  const {
    errors = [],
    partitions = [],
    cause,
  } = error as { errors?: []; partitions?: { error: Error }[]; cause?: Error }
  return [error, ...errors, ...partitions.map((one) => one.error), ...(cause === undefined ? [] : inner(cause))]
}

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
/** What goes wrong is thrown as well. */
export const SILENT: Logger = {
  ...quiet,
  namespace: () => SILENT,
  setLogLevel: () => undefined,
}
