/** The asking side of the control socket: a target like a folder, see `target.ts`. */
import { realpathSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { asError, WarpError } from '../../../crdt/warp-error.ts'
import { controlPath, isOurs } from '../../../adapters/control/control-path.ts'
import {
  ANSWER_BYTES_MAX,
  PROTOCOL,
  QUESTION_BYTES_MAX,
  type AnswererLine,
  type AskerLine,
  type Greeting,
  closedEarly,
  errorOf,
  sendLine,
} from '../../../adapters/control/control-protocol.ts'
import { UnreachableError } from '../program/failure.ts'
import { Inflow, Valve } from './inflow.ts'
import { readLines } from '../output/lines.ts'
import type { Asked, Question } from '../../../src/control/question.ts'
import type { Target } from '../target/target.ts'
import type { Json } from '../../../src/control/tagged-json.ts'

/** A process that has been stopped accepts connections and says nothing. */
const GREETING_MS_MAX = 5000

/** `undefined` if nobody listens for this folder. Throws `UnreachableError` if somebody does who cannot be talked to, `WARP_E_ABORTED`. */
export async function connectControl(data: string, signal: AbortSignal): Promise<Target | undefined> {
  const path = socketOf(data)
  if (path === undefined) return undefined
  const socket = await connected(path)
  if (socket === undefined) return undefined
  const client = new ControlClient(socket, data)
  await client.greeted(path, signal)
  return client
}

function socketOf(data: string): string | undefined {
  try {
    realpathSync(data)
  } catch {
    return undefined // there is no such folder, hence no socket
  }
  const path = controlPath(data)
  return isOurs(path) ? path : undefined
}

/** A socket that a killed process left behind refuses connections. */
function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined)
      else reject(new UnreachableError(`cannot connect to ${path} (${error.code ?? error.message})`, { cause: error }))
    })
  })
}

class ControlClient implements Target {
  readonly warp = undefined
  readonly data: string
  readonly #socket: Socket
  readonly #valve: Valve
  readonly #answers = new Map<number, Inflow<unknown>>()
  readonly #greeting: Promise<Greeting>
  #lastId = 0

  constructor(socket: Socket, data: string) {
    this.data = data
    this.#socket = socket
    this.#valve = new Valve(socket)
    this.#greeting = new Promise((resolve, reject) => {
      let isGreeted = false
      readLines(socket, ANSWER_BYTES_MAX, {
        onLine: (json) => {
          if (isGreeted)
            this.#take(json as AnswererLine) // by the protocol whose version has been compared
          else resolve(json as Greeting) // compared by whoever waits for it
          isGreeted = true
        },
        onTooLong: () => socket.destroy(),
      })
      socket.on('close', () => reject(closedEarly()))
    })
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => this.#endAll())
  }

  /** Throws `UnreachableError` unless the other side is one of ours, `WARP_E_ABORTED`. */
  async greeted(path: string, signal: AbortSignal): Promise<void> {
    const giveUp = (): void => void this.#socket.destroy()
    const timer = setTimeout(giveUp, GREETING_MS_MAX)
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    const greeting = await this.#greeting.catch(() => undefined)
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
    if (greeting === undefined && signal.aborted)
      throw new WarpError('WARP_E_ABORTED', 'gave up waiting for the replica')
    if (greeting?.warp === 'control' && greeting.protocol === PROTOCOL) return
    this.#socket.destroy()
    const problem =
      greeting === undefined
        ? 'does not answer: its process is stopped or busy, or has too many askers; try again, or restart it'
        : `speaks version ${greeting.protocol} of the control protocol, this warp ${PROTOCOL}; use the warp that it was started with, or restart it`
    throw new UnreachableError(`${path}: the replica ${problem}`)
  }

  async *ask<Parameters extends object, Item>(
    question: Question<Parameters, Item>,
    parameters: Parameters,
    { signal, input }: Pick<Asked, 'signal'> & Partial<Asked>,
  ): AsyncGenerator<Item, void, undefined> {
    const id = ++this.#lastId
    const answer = new Inflow<unknown>(this.#valve)
    const abort = (): void => answer.end(new WarpError('WARP_E_ABORTED', 'the question was given up'))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    this.#answers.set(id, answer)
    try {
      await this.#send({ id, ask: question.name, with: parameters })
      if (input !== undefined) this.#upload(id, input, answer)
      for await (const item of answer) yield item as Item // as the same question made it
    } finally {
      signal.removeEventListener('abort', abort)
      const isAnswered = !this.#answers.delete(id)
      answer.discard()
      if (!isAnswered) await this.#send({ id, cancel: true }).catch(() => undefined) // the replica has gone
    }
  }

  close(): Promise<void> {
    this.#socket.destroy()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Beside the answer, until that has ended. What goes wrong with the input ends the answer. */
  #upload(id: number, input: AsyncIterable<Json>, answer: Inflow<unknown>): void {
    const upload = async (): Promise<void> => {
      for await (const item of input) {
        if (!this.#answers.has(id)) return
        await this.#send({ id, item })
      }
      await this.#send({ id, end: true })
    }
    upload().catch((error: unknown) => answer.end(asError(error)))
  }

  #take(line: AnswererLine): void {
    const answer = line.id === null ? undefined : this.#answers.get(line.id)
    if (answer === undefined) {
      if ('error' in line && line.id === null) this.#endAll(errorOf(line.error))
      return
    }
    if ('item' in line) {
      answer.push(line.item)
      return
    }
    this.#answers.delete(line.id as number) // not null, or there would be no answer
    answer.end('error' in line ? errorOf(line.error) : undefined)
  }

  #endAll(error: Error = closedEarly()): void {
    for (const answer of this.#answers.values()) answer.end(error)
    this.#answers.clear()
  }

  #send(line: AskerLine): Promise<void> {
    return sendLine(this.#socket, line, QUESTION_BYTES_MAX)
  }
}
