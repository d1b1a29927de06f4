/**
 * The connection to NATS, made here or borrowed, and whether it is up. The client reconnects by
 * itself. It drops messages that it is given while the connection is down, so it is given none then.
 */
import { AuthorizationError, PermissionViolationError, UserAuthenticationExpiredError } from '@nats-io/transport-node'
import { connect, type NatsConnection, type ServerInfo, type Status } from '@nats-io/transport-node'
import { asError } from '../../crdt/warp-error.ts'
import { WarpError } from '../../src/index.ts'
import { connectionOptions, type NatsServersOptions } from './connect-options.ts'
import type { BrokerClock } from '../broker/platform-clock.ts'

/** How long a borrowed connection may take to answer when it is opened. */
const ANSWER_MS = 5000

export interface ConnectionSettings {
  /** For errors. */
  readonly what: string
  readonly servers: NatsServersOptions
  readonly clock: BrokerClock
  readonly ours?: Parameters<typeof connectionOptions>[2]
}

export interface ConnectionListener {
  up(): void
  down(error: WarpError): void
  /** The server said so: a subject that is not allowed, most of all. */
  refused?(error: WarpError, subject: string | undefined): void
}

export class Connection {
  readonly nats: NatsConnection
  readonly #isOwn: boolean
  readonly #listeners = new Set<ConnectionListener>()
  #isUp = true
  #isClosed = false
  #lastError: WarpError | undefined

  private constructor(nats: NatsConnection, isOwn: boolean) {
    this.nats = nats
    this.#isOwn = isOwn
    void this.#watch()
  }

  /** Rejects with `WARP_E_TRANSPORT` or `WARP_E_AUTH`. */
  static async open({ what, servers: options, clock, ours }: ConnectionSettings): Promise<Connection> {
    const { connection } = options
    try {
      if (connection === undefined) return new Connection(await connect(connectionOptions(options, clock, ours)), true)
      await answered(connection, clock)
      return new Connection(connection, false)
    } catch (error) {
      const where = connection === undefined ? shownServers(options) : 'the given connection'
      throw connectionError(`${what}: ${where} does not answer: ${asError(error).message}`, error)
    }
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Of the server that it is connected to. */
  get server(): ServerInfo | undefined {
    return this.nats.info
  }

  /** Why it is down. */
  get error(): WarpError {
    return this.#lastError ?? connectionError('the connection to NATS is lost', undefined)
  }

  /** Returns what ends it. */
  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** A borrowed connection stays open. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isUp = false
    this.#listeners.clear()
    if (this.#isOwn) await this.nats.close().catch(() => undefined)
  }

  async #watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (this.#isClosed) return
      this.#heard(status)
    }
    this.#fell('the connection to NATS was closed; whoever gave it has to give another one', undefined)
  }

  #heard(status: Status): void {
    if (status.type === 'disconnect' || status.type === 'staleConnection')
      this.#fell(
        `the connection to ${'server' in status ? status.server : 'NATS'} is lost; it is being made again`,
        undefined,
      )
    else if (status.type === 'reconnect') this.#rose()
    else if (status.type === 'error') this.#refused(status.error)
  }

  #fell(message: string, cause: unknown): void {
    this.#lastError = connectionError(message, cause)
    if (!this.#isUp) return
    this.#isUp = false
    for (const { down } of [...this.#listeners]) down(this.#lastError)
  }

  #rose(): void {
    if (this.#isUp) return
    this.#isUp = true
    for (const { up } of [...this.#listeners]) up()
  }

  #refused(cause: Error): void {
    const error = connectionError(`NATS refuses: ${cause.message}`, cause)
    if (!this.#isUp) this.#lastError = error
    const subject = cause instanceof PermissionViolationError ? cause.subject : undefined
    for (const { refused } of [...this.#listeners]) refused?.(error, subject)
  }
}

export function connectionError(message: string, cause: unknown): WarpError {
  const isDenied =
    cause instanceof AuthorizationError ||
    cause instanceof PermissionViolationError ||
    cause instanceof UserAuthenticationExpiredError
  return new WarpError(isDenied ? 'WARP_E_AUTH' : 'WARP_E_TRANSPORT', message, { cause })
}

/** Without what stands before an `@`: it may be a password. */
function shownServers({ servers = '127.0.0.1:4222' }: NatsServersOptions): string {
  return [servers]
    .flat()
    .map((one) => one.replace(/^([a-z]+:\/\/)?.*@/i, '$1'))
    .join(', ')
}

async function answered(connection: NatsConnection, clock: BrokerClock): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.schedule(ANSWER_MS, () => reject(new Error(`no answer within ${ANSWER_MS} ms`)))
    void connection
      .flush()
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}
