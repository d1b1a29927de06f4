/** The server: listens, and makes a connection of each socket. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { WarpError } from '../../crdt/warp-error.ts'
import type { AnyWarp } from '../../src/control/question.ts'
import { awake, pause } from '../../src/ports/abort-signals.ts'
import type { Timer } from '../../src/ports/env.ts'
import { commandTable } from './commands/table.ts'
import { Connection } from './connections/connection.ts'
import type { RespCounts } from './call/command.ts'
import { RespCore } from './connections/resp-core.ts'
import { closeOnAbort, respSettings, type RespServerOptions } from './options.ts'
import { SocketWire } from './socket-wire.ts'

/** An engine of any keys, as `openWarp` gives it. */
export type ServedEngine = Pick<AnyWarp, 'replica' | 'stats' | 'health' | 'peers' | 'channel'>

export interface RespServer extends AsyncDisposable {
  /** Where it listens: `host:port`. */
  readonly address: string
  readonly port: number
  /** How many are connected now. */
  readonly connectionsCount: number
  /** Since it was opened. */
  readonly counts: Readonly<RespCounts>
  /**
   * Takes no more connections, lets commands under way reply, and closes the others, within `drainMs`. The
   * engine stays open. Idempotent.
   */
  close(): Promise<void>
}

/** Between two looks for connections that take too long. */
const LOOK_MS = 1000
const DRAIN_LOOK_MS = 5
/** Whose machine is gone is noticed, also while it waits for a key: as in Redis, after minutes. */
const KEPT_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 300_000 }

/**
 * Opens a port that speaks Redis's protocol, RESP2 and RESP3: any client of Redis reads and writes the
 * engine's keys. What it writes is there for all clients of this replica when it is answered, and merges
 * with what other replicas write. See docs/sidecar.md.
 *
 *     const warp = await openWarp({ keys: { '*': redis() } })
 *     const server = await respServer(warp, { port: 6379 })
 *
 * Throws `WARP_E_CONFIG`, `WARP_E_AUTH` for an address beyond this machine without a password, and
 * `WARP_E_TRANSPORT` if it cannot listen there.
 */
export async function respServer(warp: ServedEngine, options: RespServerOptions): Promise<RespServer> {
  const settings = respSettings(options)
  const core = new RespCore(warp as unknown as AnyWarp, settings, commandTable())
  const listening = new Listening(core)
  try {
    await listening.open()
  } catch (error) {
    core.close()
    throw error
  }
  // Loaded behind, so that the first script need not wait; and whoever has no scripts does not either.
  core.scripts.ready().catch((error: unknown) => core.failed(error))
  closeOnAbort(settings, () => void listening.close())
  return listening
}

class Listening implements RespServer {
  readonly #core: RespCore
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  #address: AddressInfo | undefined
  #timer: Timer | undefined
  #closing: Promise<void> | undefined

  constructor(core: RespCore) {
    this.#core = core
    const { tls } = core.settings
    const accept = (socket: Socket): void => this.#accept(socket)
    this.#server =
      tls === undefined ? createServer(KEPT_ALIVE, accept) : createTlsServer({ ...KEPT_ALIVE, ...tls }, accept)
    this.#server.on('tlsClientError', (error) => core.failed(error))
  }

  get address(): string {
    const { address, port } = this.#address as AddressInfo
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  }

  get port(): number {
    return (this.#address as AddressInfo).port
  }

  get connectionsCount(): number {
    return this.#connections.size
  }

  get counts(): Readonly<RespCounts> {
    return this.#core.counts
  }

  async open(): Promise<void> {
    const { host, port } = this.#core.settings
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => reject(notListening(host, port, cause)))
      this.#server.listen(port, host, resolve)
    })
    this.#server.on('error', (error) => this.#core.failed(error))
    this.#address = this.#server.address() as AddressInfo
    this.#lookLater()
  }

  close(): Promise<void> {
    this.#closing ??= awake(this.#core.env, this.#close())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { env, settings } = this.#core
    this.#timer?.cancel()
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    const untilMs = env.monotonic() + settings.drainMs
    // Who waits for a key is told at once that its time is over.
    for (const { client } of this.#connections) client.waiting?.end()
    for (;;) {
      for (const one of [...this.#connections]) if (one.isIdle) one.close(true)
      if (this.#connections.size === 0 || env.monotonic() >= untilMs) break
      await pause(env, DRAIN_LOOK_MS, undefined)
    }
    for (const one of [...this.#connections]) one.abandon()
    await closed
    this.#core.close()
  }

  #accept(socket: Socket): void {
    const { settings, counts, env } = this.#core
    if (this.#connections.size >= settings.clientsMax) {
      counts.rejected++
      socket.on('error', () => undefined)
      socket.resume()
      socket.end('-ERR max number of clients reached\r\n', () => socket.destroySoon())
      return
    }
    counts.connections++
    const place = {
      id: this.#core.nextId(),
      address: placeOf(socket.remoteAddress, socket.remotePort),
      localAddress: placeOf(socket.localAddress, socket.localPort),
      nowMs: env.now(),
    }
    const connection = new Connection(this.#core, new SocketWire(socket), place)
    this.#connections.add(connection)
    this.#core.clients.set(place.id, connection.client)
    socket.on('data', (chunk: Buffer) => connection.receive(chunk))
    socket.on('drain', () => connection.drained())
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#connections.delete(connection)
      connection.ended()
    })
  }

  #lookLater(): void {
    const { env } = this.#core
    this.#timer = env.schedule(LOOK_MS, () => {
      const nowMs = env.now()
      for (const connection of [...this.#connections]) connection.look(nowMs)
      this.#lookLater()
    })
  }
}

function placeOf(host: string | undefined, port: number | undefined): string {
  return `${host ?? '?'}:${port ?? 0}`
}

function notListening(host: string, port: number, cause: NodeJS.ErrnoException): WarpError {
  const why = cause.code === 'EADDRINUSE' ? 'something else listens there; give another port' : cause.message
  return new WarpError('WARP_E_TRANSPORT', `respServer cannot listen at ${host}:${port}: ${why}`, {
    details: { host, port },
    cause,
  })
}
