/**
 * The answering side of the control socket. Lives as long as the engine that it speaks for; whoever holds the folder's lock may replace a
 * socket that a killed process left behind. Nothing that arrives ends the process: it is answered with an error, or its connection is closed.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { WarpError } from '../../crdt/warp-error.ts'
import { controlPath, prepareControlPath } from './control-path.ts'
import {
  ANSWER_BYTES_MAX,
  QUESTION_BYTES_MAX,
  PROTOCOL,
  type AnswererLine,
  type AskerLine,
  type Greeting,
  askerLine,
  errorJson,
  sendLine,
} from './control-protocol.ts'
import { Inflow, Valve } from '../../bin/cli/control/inflow.ts'
import { readLines } from '../../bin/cli/output/lines.ts'
import { packageVersion } from './package-version.ts'
import { Fields, type AnyQuestion, type AnyWarp } from '../../src/control/question.ts'
import { QUESTIONS } from '../../src/control/questions.ts'
import type { Json } from '../../src/control/tagged-json.ts'

const CONNECTIONS_MAX = 64
const QUESTIONS_PER_CONNECTION_MAX = 16
const SOCKET_MODE = 0o600

export interface ControlServer {
  readonly path: string
  /** Ends every connection. Idempotent. */
  close(): Promise<void>
}

/** `data` is the folder that `warp` holds. */
export async function serveControl(warp: AnyWarp, data: string): Promise<ControlServer> {
  const path = controlPath(data)
  prepareControlPath(path)
  rmSync(path, { force: true })
  const connections = new Set<Connection>()
  const server = createServer((socket) => {
    const connection = new Connection(socket, warp)
    connections.add(connection)
    socket.on('close', () => connections.delete(connection))
    connection.greet({ warp: 'control', protocol: PROTOCOL, version: packageVersion(), replica: warp.replica, data })
  })
  server.maxConnections = CONNECTIONS_MAX
  await listening(server, path)
  return {
    path,
    close: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const connection of connections) connection.close()
      await closed
    },
  }
}

/** Binding happens within the call: until then nobody else's mode is in force. */
async function listening(server: Server, path: string): Promise<void> {
  const before = process.umask(0o777 & ~SOCKET_MODE)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  await once(server, 'listening')
  chmodSync(path, SOCKET_MODE)
}

interface Running {
  readonly controller: AbortController
  /** `undefined` for questions that take nothing. */
  readonly input: Inflow<Json> | undefined
}

class Connection {
  readonly #socket: Socket
  readonly #warp: AnyWarp
  readonly #valve: Valve
  readonly #running = new Map<number, Running>()

  constructor(socket: Socket, warp: AnyWarp) {
    this.#socket = socket
    this.#warp = warp
    this.#valve = new Valve(socket)
    // The asker has gone; 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#cancelAll())
    readLines(socket, QUESTION_BYTES_MAX, {
      onLine: (json) => this.#take(askerLine(json)),
      onTooLong: () => {
        this.#refuse(null, `a line is longer than ${QUESTION_BYTES_MAX} bytes`)
        this.#socket.end()
      },
    })
  }

  greet(greeting: Greeting): void {
    this.#socket.write(`${JSON.stringify(greeting)}\n`)
  }

  close(): void {
    this.#cancelAll()
    this.#socket.destroy()
  }

  #take(line: AskerLine | undefined): void {
    if (line === undefined) this.#refuse(null, 'a line is not of the control protocol')
    else if ('ask' in line) this.#begin(line)
    else this.#continue(line)
  }

  #begin({ id, ask, with: parameters }: Extract<AskerLine, { ask: string }>): void {
    const question = QUESTIONS.get(ask)
    if (question === undefined) this.#refuse(id, `there is no question '${ask}'; the replica may be of another version`)
    else if (this.#running.has(id)) this.#refuse(null, `question ${id} is being answered already`)
    else if (this.#running.size >= QUESTIONS_PER_CONNECTION_MAX)
      this.#refuse(id, `${QUESTIONS_PER_CONNECTION_MAX} questions are being answered on this connection already`)
    else void this.#answer(id, question, parameters)
  }

  /** What belongs to a question that has been answered meanwhile is late, not wrong. */
  #continue(line: Exclude<AskerLine, { ask: string }>): void {
    const running = this.#running.get(line.id)
    if (running === undefined) return
    if ('cancel' in line) running.controller.abort()
    else if ('end' in line) running.input?.end()
    else if (running.input !== undefined) running.input.push(line.item)
    else this.#refuse(null, `question ${line.id} takes no items`)
  }

  async #answer(id: number, question: AnyQuestion, parameters: unknown): Promise<void> {
    const controller = new AbortController()
    const input = question.takesInput === true ? new Inflow<Json>(this.#valve) : undefined
    this.#running.set(id, { controller, input })
    const { signal } = controller
    try {
      const asked = { signal, input: input ?? nothing() }
      const items = question.answer(this.#warp, question.parse(new Fields(parameters)), asked)
      for await (const item of items) await this.#send({ id, item })
      await this.#send({ id, end: true })
    } catch (error) {
      await this.#send({ id, error: errorJson(error) }).catch(() => undefined) // the asker has gone
    } finally {
      this.#running.delete(id)
      input?.discard()
    }
  }

  /** Whoever does not read what is refused is not read from. */
  #refuse(id: number | null, problem: string): void {
    const error = errorJson(new WarpError('WARP_E_PROTOCOL', problem))
    const refusal = {}
    this.#valve.set(refusal, true)
    this.#send({ id, error })
      .catch(() => undefined) // the asker has gone
      .finally(() => this.#valve.set(refusal, false))
  }

  #send(line: AnswererLine): Promise<void> {
    return sendLine(this.#socket, line, ANSWER_BYTES_MAX)
  }

  #cancelAll(): void {
    for (const { controller, input } of this.#running.values()) {
      controller.abort()
      input?.end()
    }
  }
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // The question takes no items.
}
