/** The server: takes WebSockets, at a port or from a server of the user's, and makes a connection of each. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { WarpError } from '../../crdt/warp-error.ts'
import type { AnyWarp } from '../../src/control/question.ts'
import type { KeyMap, Warp } from '../../src/index.ts'
import { awake, pause, whenAborted } from '../../src/ports/abort-signals.ts'
import type { Timer } from '../../src/ports/env.ts'
import { Connection, type NamedDocument } from './connections/connection.ts'
import type { DocumentsCounts } from './contract.ts'
import { DocumentsCore } from './documents-core.ts'
import { documentsSettings, type YWebsocketServerOptions } from './options.ts'

/** An engine of any keys, as `openWarp` gives it. */
export type DocumentsEngine = Pick<Warp<KeyMap>, 'replica' | 'stats' | 'health' | 'peers' | 'channel'>

export interface YWebsocketServer extends AsyncDisposable {
  /** Where it listens; throws `WARP_E_CONFIG` if it was given no `port`. */
  readonly port: number
  readonly connectionsCount: number
  /** Documents that somebody has open. Others take no memory. */
  readonly documentsCount: number
  /** Since it was made. */
  readonly counts: Readonly<DocumentsCounts>
  /** For a server of one's own: `server.on('upgrade', documents.upgrade)`. Paths outside of `prefix` are left alone. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Asks `authorise` now about all that is open, or about one document: rights have been taken away. */
  recheck(document?: string): Promise<void>
  /**
   * Takes nobody any more, writes what has come, and sends clients away, which come again: within `drainMs`.
   * The engine stays open. Idempotent.
   */
  close(): Promise<void>
}

const LOOK_MS = 1000
const DRAIN_LOOK_MS = 5
/** RFC 6455 and its registry: the service starts anew. */
const SERVICE_RESTART = 1012

/**
 * Serves keys of `yjs()` as documents to editors: providers of y-websocket and of Hocuspocus connect as they
 * are. See docs/documents.md.
 *
 *     const warp = await openWarp({ keys: { 'doc:*': yjs() }, log: fileLog('./data') })
 *     const documents = await yWebsocketServer(warp, { port: 1234, authorise: () => true })
 *
 * Throws `WARP_E_CONFIG`, and `WARP_E_TRANSPORT` if it cannot listen there.
 */
export async function yWebsocketServer(
  warp: DocumentsEngine,
  options: YWebsocketServerOptions,
): Promise<YWebsocketServer> {
  const core = new DocumentsCore(warp as unknown as AnyWarp, documentsSettings(options))
  const serving = new Serving(core)
  try {
    await serving.open()
  } catch (error) {
    core.close()
    throw error
  }
  whenAborted(core.settings.signal, () => void serving.close())
  if (core.settings.signal?.aborted === true) void serving.close()
  return serving
}

class Serving implements YWebsocketServer {
  readonly #core: DocumentsCore
  readonly #sockets: WebSocketServer
  #server: Server | undefined
  #port: number | undefined
  #timers: Timer[] = []
  #closing: Promise<void> | undefined

  constructor(core: DocumentsCore) {
    this.#core = core
    const { frameBytesMax } = core.settings
    const options = { noServer: true, clientTracking: false, maxPayload: frameBytesMax, perMessageDeflate: false }
    this.#sockets = new WebSocketServer(options)
  }

  get port(): number {
    if (this.#port === undefined)
      throw new WarpError('WARP_E_CONFIG', 'yWebsocketServer listens nowhere by itself; give it a port')
    return this.#port
  }

  get connectionsCount(): number {
    return this.#core.connections.size
  }

  get documentsCount(): number {
    return this.#core.documentsCount
  }

  get counts(): Readonly<DocumentsCounts> {
    return this.#core.counts
  }

  async open(): Promise<void> {
    const { port, host, heartbeatMs, recheckMs } = this.#core.settings
    if (port !== undefined) await this.#listen(port, host)
    this.#every(LOOK_MS, () => this.#core.look(this.#core.env.monotonic()))
    this.#every(heartbeatMs, () => {
      for (const connection of [...this.#core.connections]) connection.beat()
    })
    if (recheckMs > 0) this.#every(recheckMs, () => void this.recheck())
  }

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const asked = askedOf(request, this.#core.settings.prefix)
    if (asked === undefined) return
    const { connections, settings, counts } = this.#core
    socket.on('error', () => undefined)
    if (this.#closing !== undefined) refuse(socket, '503 Service Unavailable')
    else if (connections.size >= settings.connectionsMax) {
      counts.rejected++
      refuse(socket, '503 Service Unavailable')
    } else if (!isFriend(request, settings.origins)) {
      counts.rejected++
      refuse(socket, '403 Forbidden')
    } else if (asked === 'malformed') refuse(socket, '400 Bad Request')
    else
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        counts.connections++
        connections.add(new Connection(this.#core, webSocket, request, asked.document))
      })
  }

  async recheck(document?: string): Promise<void> {
    const asked: Promise<void>[] = []
    for (const { attachments } of this.#core.connections)
      for (const attachment of attachments)
        if (attachment.isOpen && (document === undefined || attachment.name === document))
          asked.push(attachment.renew())
    await Promise.all(asked)
  }

  close(): Promise<void> {
    this.#closing ??= awake(this.#core.env, this.#close())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { env, settings, connections } = this.#core
    for (const timer of this.#timers) timer.cancel()
    const server = this.#server
    const closed = new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
    const untilMs = env.monotonic() + settings.drainMs
    while (this.#core.isBusy && env.monotonic() < untilMs) await pause(env, DRAIN_LOOK_MS, undefined)
    for (const connection of [...connections]) connection.close(SERVICE_RESTART, 'the server starts anew')
    while ((connections.size > 0 || this.#core.isBusy) && env.monotonic() < untilMs)
      await pause(env, DRAIN_LOOK_MS, undefined)
    for (const connection of [...connections]) connection.cutOff()
    this.#sockets.close()
    await closed
    this.#core.close()
  }

  async #listen(port: number, host: string): Promise<void> {
    const server = createServer((_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end())
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(notListening(host, port, cause)))
      server.listen(port, host, resolve)
    })
    server.on('error', (error) => this.#core.failed(error))
    server.on('upgrade', (request, socket, head) => {
      // Nobody else listens here for other paths.
      if (askedOf(request, this.#core.settings.prefix) === undefined) refuse(socket, '404 Not Found')
      else this.upgrade(request, socket, head)
    })
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  #every(periodMs: number, run: () => void): void {
    const place = this.#timers.length
    const again = (): void => {
      this.#timers[place] = this.#core.env.schedule(periodMs, () => {
        again()
        run()
      })
    }
    again()
  }
}

/** What a path asks for: a document, or, of Hocuspocus, many; `undefined`: nothing of ours. */
function askedOf(
  { url = '/' }: IncomingMessage,
  prefix: string,
): { readonly document: NamedDocument | undefined } | 'malformed' | undefined {
  const [path = '/', query = ''] = url.split('?', 2)
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return undefined
  const rest = path.slice(prefix.length + 1)
  if (rest === '') return { document: undefined }
  try {
    return { document: { name: decodeURIComponent(rest), token: new URLSearchParams(query).get('token') ?? undefined } }
  } catch {
    return 'malformed'
  }
}

/** Whether the page may be served: a browser sends cookies along for whichever page asks. */
function isFriend({ headers }: IncomingMessage, origins: readonly string[] | '*' | undefined): boolean {
  const { origin, host } = headers
  if (origin === undefined || origins === '*') return true
  if (origins !== undefined) return origins.includes(origin)
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

function notListening(host: string, port: number, cause: NodeJS.ErrnoException): WarpError {
  const why = cause.code === 'EADDRINUSE' ? 'something else listens there; give another port' : cause.message
  return new WarpError('WARP_E_TRANSPORT', `yWebsocketServer cannot listen at ${host}:${port}: ${why}`, {
    details: { host, port },
    cause,
  })
}
