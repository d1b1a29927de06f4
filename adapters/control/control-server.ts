/**
 * The answering side of the control socket. Lives as long as the engine that it speaks for; whoever
 * holds the folder's lock may replace a socket that a killed process left behind. Nothing that
 * arrives ends the process: it is answered with an error, or its connection is closed.
 */
import { chmodSync, lstatSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'
import type { AnyWarp } from '../../src/control/question.ts'
import { ADDRESS_BYTES_MAX, controlPath, prepareControlPath } from './control-path.ts'
import { Exchange } from './exchange.ts'

/**
 * Askers at a time. Who comes beyond is told so while there are connections, and then not let in.
 */
const REQUESTS_MAX = 64
const CONNECTIONS_MAX = 2 * REQUESTS_MAX

/** For the head of a request. Bodies have limits of their own. */
const HEAD_MS_MAX = 10_000

/** What is being answered when the server closes has this long to hear of it. */
const CLOSING_MS_MAX = 1000
const SOCKET_MODE = 0o600

export interface ControlPlace {
  /** The folder of the log: the socket is in there, or found from there. */
  readonly data?: string
  /** Where the socket is, if it is not to be in the folder. */
  readonly path?: string
}

export class ControlServer {
  readonly path: string
  readonly #server: Server
  readonly #link: string | undefined
  readonly #exchanges = new Set<Exchange>()
  #isClosing = false

  /**
   * Throws `WARP_E_CONFIG` if the socket cannot be there, or somebody listens there; what the
   * system throws otherwise.
   */
  static async open(warp: AnyWarp, place: ControlPlace): Promise<ControlServer> {
    const inFolder = place.data === undefined ? undefined : controlPath(place.data)
    const path = place.path === undefined ? inFolder : resolve(place.path)
    if (path === undefined) throw new WarpError('WARP_E_CONFIG', 'a control socket needs a folder, or a path')
    assertAddress(path)
    const link = inFolder === path ? undefined : inFolder
    for (const name of link === undefined ? [path] : [path, link]) {
      prepareControlPath(name)
      await removeStale(name)
    }
    const server = new ControlServer(warp, place.data, { path, link })
    await server.#listen()
    if (link !== undefined) symlinkSync(path, link)
    return server
  }

  private constructor(
    warp: AnyWarp,
    data: string | undefined,
    { path, link }: { readonly path: string; readonly link: string | undefined },
  ) {
    this.path = path
    this.#link = link
    this.#server = createServer({ requestTimeout: 0, headersTimeout: HEAD_MS_MAX }, (request, response) =>
      this.#take(new Exchange({ warp, data, request, response })),
    )
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /**
   * Ends every answer, with `WARP_E_CLOSED` where one is under way, within a second. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const exchange of this.#exchanges) exchange.refuse(closing())
    const atOnce = setTimeout(() => this.#server.closeAllConnections(), CLOSING_MS_MAX)
    await closed
    clearTimeout(atOnce)
    if (this.#link !== undefined) rmSync(this.#link, { force: true })
  }

  #take(exchange: Exchange): void {
    this.#exchanges.add(exchange)
    void exchange.over.then(() => {
      this.#exchanges.delete(exchange)
      if (this.#isClosing) this.#server.closeIdleConnections()
    })
    if (this.#isClosing) exchange.refuse(closing())
    else if (this.#exchanges.size > REQUESTS_MAX) exchange.refuse(tooMany(), { isTemporary: true })
    else void exchange.answer()
  }

  /** Binding happens within the call: until then nobody else's mode is in force. */
  async #listen(): Promise<void> {
    const before = process.umask(0o777 & ~SOCKET_MODE)
    try {
      this.#server.listen(this.path)
    } finally {
      process.umask(before)
    }
    await once(this.#server, 'listening')
    chmodSync(this.path, SOCKET_MODE)
  }
}

function assertAddress(path: string): void {
  const length = Buffer.byteLength(path)
  if (length <= ADDRESS_BYTES_MAX) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `control.path has ${length} bytes, and the address of a Unix socket at most ${ADDRESS_BYTES_MAX}; give a shorter one, or none`,
    { details: { path } },
  )
}

/**
 * What a killed process left behind goes; a socket that somebody listens on stays, and so does what
 * is no socket of ours.
 */
async function removeStale(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return
  if (!status.isSocket() && !status.isSymbolicLink()) throw taken(path, 'there is a file, which is no socket')
  if (await isListened(path)) throw taken(path, 'another process listens there')
  // Not `rmSync`: see adapters/file/remove-file.ts. It may have gone meanwhile.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path)
}

function isListened(path: string): Promise<boolean> {
  return new Promise((resolveTo) => {
    const socket = connect(path)
    const is = (listened: boolean) => () => {
      socket.destroy()
      resolveTo(listened)
    }
    socket.once('connect', is(true)).once('error', (error: NodeJS.ErrnoException) => {
      // Refused: nobody listens. Nothing there: a link that leads nowhere.
      is(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')()
    })
  })
}

function taken(path: string, problem: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `the control socket cannot be at ${path}: ${problem}; remove it, or give another control.path`,
    { details: { path } },
  )
}

function closing(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the replica is closing')
}

function tooMany(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `${REQUESTS_MAX} questions are being answered already; end a watch, or ask again in a moment`,
    { details: { limit: REQUESTS_MAX } },
  )
}
