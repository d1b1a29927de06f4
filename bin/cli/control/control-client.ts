/**
 * The asking side of the control socket: a target like a folder, see `target.ts`. Each question is
 * a request of its own.
 */
import { realpathSync } from 'node:fs'
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { controlPath, isOurs } from '../../../adapters/control/control-path.ts'
import { ANSWER_BYTES_MAX, FAILURE_LINE_START, ROOT, type Hello } from '../../../adapters/control/control-protocol.ts'
import { errorOf, type ErrorJson } from '../../../src/control/error-json.ts'
import { asTexts } from '../../../src/control/parameters.ts'
import type { Asked, Question } from '../../../src/control/question.ts'
import { UnreachableError } from '../program/failure.ts'
import type { Target } from '../target/target.ts'
import { readLines } from './read-lines.ts'

/** A process that has been stopped accepts connections and says nothing. */
const HELLO_MS_MAX = 5000

/**
 * `undefined` if nobody listens for this folder. Throws `UnreachableError` if somebody does who
 * cannot be talked to, `WARP_E_ABORTED`.
 */
export async function connectControl(data: string, signal: AbortSignal): Promise<Target | undefined> {
  const path = socketOf(data)
  if (path === undefined) return undefined
  const hello = await helloOf(path, signal)
  return hello === undefined ? undefined : new ControlClient(path, data)
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

/** A socket that a killed process left behind refuses connections, and gives `undefined`. */
async function helloOf(path: string, signal: AbortSignal): Promise<Hello | undefined> {
  const deadline = AbortSignal.timeout(HELLO_MS_MAX)
  const request = httpRequest({
    socketPath: path,
    path: ROOT,
    agent: false,
    signal: AbortSignal.any([signal, deadline]),
  })
  request.end()
  try {
    const response = await responseTo(request)
    let hello: Partial<Hello> = {}
    for await (const line of readLines(response, ANSWER_BYTES_MAX)) hello = JSON.parse(line) as Partial<Hello>
    if (response.statusCode === 200 && hello.warp === 'control') return hello as Hello
    throw new UnreachableError(
      `${path}: the replica speaks another control protocol; use the warp that it was started with, or restart it`,
    )
  } catch (error) {
    if (signal.aborted) throw new WarpError('WARP_E_ABORTED', 'gave up waiting for the replica', { cause: error })
    if (isNobody(error)) return undefined
    throw unreachable(path, error, deadline.aborted)
  } finally {
    request.destroy()
  }
}

function isNobody(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}

function unreachable(path: string, error: unknown, isLate: boolean): UnreachableError {
  if (error instanceof UnreachableError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const problem =
    isLate || code === 'ECONNRESET'
      ? 'does not answer: its process is stopped or busy, or has too many askers; try again, or restart it'
      : `cannot be asked (${code ?? message})`
  return new UnreachableError(`${path}: the replica ${problem}`, { cause: error })
}

class ControlClient implements Target {
  readonly warp = undefined
  readonly data: string
  readonly #path: string
  readonly #requests = new Set<ClientRequest>()

  constructor(path: string, data: string) {
    this.#path = path
    this.data = data
  }

  async *ask<Parameters extends object, Item>(
    question: Question<Parameters, Item>,
    parameters: Parameters,
    { signal, input }: Pick<Asked, 'signal'> & Partial<Asked>,
  ): AsyncGenerator<Item, void, undefined> {
    if (signal.aborted) throw givenUp()
    const request = this.#request(question, parameters)
    const abort = (): void => void request.destroy(givenUp())
    signal.addEventListener('abort', abort)
    this.#requests.add(request)
    try {
      const answered = responseTo(request)
      if (question.takesInput === true) upload(request, input ?? nothing())
      else request.end(question.changes ? JSON.stringify(parameters) : undefined)
      const response = await answered
      for await (const line of readLines(response, ANSWER_BYTES_MAX)) {
        if (line.startsWith(FAILURE_LINE_START))
          throw errorOf((JSON.parse(line) as { readonly error: ErrorJson }).error)
        yield (question.gives === 'text' ? `${line}\n` : JSON.parse(line)) as Item // as the same question made it
      }
      if (response.statusCode !== 200) throw refusedWithout(response)
    } catch (error) {
      throw endOf(error, signal)
    } finally {
      signal.removeEventListener('abort', abort)
      this.#requests.delete(request)
      request.destroy()
    }
  }

  close(): Promise<void> {
    for (const request of this.#requests) request.destroy()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #request<Parameters extends object, Item>(
    { name, changes }: Question<Parameters, Item>,
    parameters: Parameters,
  ): ClientRequest {
    const query = changes ? '' : `?${new URLSearchParams(asTexts(parameters)).toString()}`
    return httpRequest({
      socketPath: this.#path,
      method: changes ? 'POST' : 'GET',
      path: `${ROOT}/${name}${query}`,
      agent: false,
      // A server that is to close behind its answer does so while the upload is still coming, and
      // the answer is lost.
      headers: { connection: 'keep-alive' },
    })
  }
}

/**
 * Beside the answer, which may come before the input has ended. What goes wrong with the input ends
 * the request.
 */
function upload(request: ClientRequest, input: AsyncIterable<string>): void {
  const send = async (): Promise<void> => {
    for await (const text of input) {
      if (request.destroyed) return
      if (!request.write(text)) await drained(request)
    }
    request.end()
  }
  send().catch((error: unknown) => void request.destroy(error as Error))
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      request.off('drain', settle).off('close', settle)
      resolve()
    }
    request.on('drain', settle).on('close', settle)
  })
}

function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Not once: what follows the response ends its lines.
    request.on('error', reject)
  })
}

/** A connection that ends before the answer does tells nothing of why. */
function endOf(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return givenUp()
  const { code } = error as NodeJS.ErrnoException
  if (isWarpError(error) || (code !== 'ECONNRESET' && code !== 'EPIPE' && code !== 'ECONNREFUSED')) return error
  return new WarpError('WARP_E_CLOSED', 'the answer ended before it was whole: the replica has stopped', {
    cause: error,
  })
}

/** The parser of HTTP refuses in its own words. */
function refusedWithout({ statusCode, statusMessage }: IncomingMessage): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `the replica refused the question: ${statusCode} ${statusMessage ?? ''}`)
}

function givenUp(): WarpError {
  return new WarpError('WARP_E_ABORTED', 'the question was given up')
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // Most questions come alone.
}
