/**
 * One request and its answer. Back-pressure is the socket's: an asker that does not read is not
 * written to, and the question stands still meanwhile. An asker that leaves ends its question.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { errorJson, httpStatusOf } from '../../src/control/error-json.ts'
import { parseExactJson } from '../../src/control/exact-json.ts'
import { type AskedForm, readParameters } from '../../src/control/parameters.ts'
import { type AnyQuestion, type AnyWarp, describeQuestion } from '../../src/control/question.ts'
import { QUESTIONS } from '../../src/control/questions.ts'
import { ANSWER_BYTES_MAX, JSON_TYPE, LINES_TYPE, QUESTION_BYTES_MAX, ROOT, type Hello } from './control-protocol.ts'
import { packageVersion } from './package-version.ts'

/** For a whole body of JSON. */
const BODY_MS_MAX = 30_000

/**
 * Rest of a body that nobody reads any more: so long is it let in and dropped, so that the asker
 * comes to read why.
 */
const LINGER_MS_MAX = 5000

export interface ExchangeParts {
  readonly warp: AnyWarp
  readonly data: string | undefined
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export class Exchange {
  /** The answer has been given, or the asker has left. */
  readonly over: Promise<void>
  readonly #parts: ExchangeParts
  readonly #controller = new AbortController()
  #refusal: WarpError | undefined

  constructor(parts: ExchangeParts) {
    this.#parts = parts
    const { request, response } = parts
    // The asker has gone; 'close' follows.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    this.over = new Promise((resolve) => {
      response.on('close', () => {
        this.#controller.abort()
        resolve()
      })
    })
    response.on('finish', () => this.#linger())
  }

  async answer(): Promise<void> {
    try {
      const { pathname, searchParams } = new URL(this.#parts.request.url ?? '/', 'http://warp')
      if (pathname === ROOT) await this.#hello()
      else await this.#ask(this.#questionAt(pathname), searchParams)
    } catch (error) {
      this.#fail(this.#refusal ?? error)
    }
  }

  /** Ends the exchange with this error, whatever it is doing. */
  refuse(error: WarpError, { isTemporary = false }: { readonly isTemporary?: boolean } = {}): void {
    this.#refusal = error
    this.#controller.abort()
    if (this.#parts.response.headersSent) return // the answer that is under way says it
    if (isTemporary) this.#parts.response.setHeader('retry-after', '1')
    this.#fail(error, isTemporary ? 503 : undefined)
  }

  async #hello(): Promise<void> {
    const { warp, data } = this.#parts
    this.#assertMethod('GET')
    const { replica, name } = warp
    const named = name === undefined ? {} : { name }
    const questions = [...QUESTIONS.values()].map(describeQuestion)
    const place = data === undefined ? {} : { data }
    const hello: Hello = { warp: 'control', version: packageVersion(), replica, ...named, ...place, questions }
    await this.#send(JSON_TYPE, `${JSON.stringify(hello)}\n`)
    this.#parts.response.end()
  }

  #questionAt(path: string): AnyQuestion {
    const name = path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : ''
    const question = QUESTIONS.get(name)
    if (question !== undefined) return question
    const names = [...QUESTIONS.keys()].join(', ')
    throw new NotFound(`there is no question at ${path}; there are ${names}, each at ${ROOT}/<question>`)
  }

  async #ask(question: AnyQuestion, query: URLSearchParams): Promise<void> {
    this.#assertMethod(question.changes ? 'POST' : 'GET')
    const isBody = question.changes && question.takesInput !== true
    const given: unknown = isBody ? await this.#body() : Object.fromEntries(query)
    const form: AskedForm = isBody ? 'json' : 'text'
    const parameters = readParameters(question.parameters, given, form)
    const input = question.takesInput === true ? this.#textInput() : nothing()
    const { signal } = this.#controller
    const type = question.gives === 'item' ? JSON_TYPE : LINES_TYPE
    for await (const item of question.answer(this.#parts.warp, parameters, { signal, input })) {
      const line = question.gives === 'text' ? String(item) : `${JSON.stringify(item)}\n`
      await this.#send(type, line)
    }
    if (this.#refusal !== undefined) throw this.#refusal
    this.#begin(type)
    this.#parts.response.end()
  }

  #assertMethod(method: 'GET' | 'POST'): void {
    const { request, response } = this.#parts
    if (request.method === method) return
    response.setHeader('allow', method)
    throw new WrongMethod(`this is asked with ${method}, not with ${request.method ?? 'nothing'}`)
  }

  /** Throws `WARP_E_LIMIT`, `WARP_E_PROTOCOL`, `WARP_E_ABORTED`. */
  async #body(): Promise<unknown> {
    const { request } = this.#parts
    const timer = setTimeout(() => request.destroy(), BODY_MS_MAX)
    const chunks: Buffer[] = []
    let length = 0
    try {
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        length += chunk.length
        if (length > QUESTION_BYTES_MAX) throw tooLong()
        chunks.push(chunk)
      }
    } finally {
      clearTimeout(timer)
    }
    try {
      return parseExactJson(Buffer.concat(chunks, length).toString('utf8') || '{}')
    } catch (cause) {
      if (isWarpError(cause)) throw cause
      throw new WarpError('WARP_E_PROTOCOL', 'malformed question: the body is not JSON', { cause })
    }
  }

  async *#textInput(): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder()
    for await (const chunk of this.#parts.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      yield decoder.decode(chunk, { stream: true })
    }
    yield decoder.decode()
  }

  #begin(type: string): void {
    const { response } = this.#parts
    if (!response.headersSent) response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' })
  }

  /** Waits while the asker is slow. Rejects if the line is too long, or the asker has gone. */
  async #send(type: string, line: string): Promise<void> {
    if (line.length > ANSWER_BYTES_MAX) {
      throw new WarpError(
        'WARP_E_LIMIT',
        `a line of ${line.length} characters for the control socket, which takes ${ANSWER_BYTES_MAX}`,
      )
    }
    const { response } = this.#parts
    if (response.destroyed) throw gone()
    this.#begin(type)
    if (!response.write(line)) await this.#drained()
  }

  #drained(): Promise<void> {
    const { response } = this.#parts
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        response.off('drain', settle).off('close', settle)
        this.#controller.signal.removeEventListener('abort', settle)
        if (this.#controller.signal.aborted) reject(gone())
        else resolve()
      }
      response.on('drain', settle).on('close', settle)
      this.#controller.signal.addEventListener('abort', settle)
    })
  }

  /**
   * Behind the first item there is no status any more: the error is the last line, and the answer
   * has no end.
   */
  #fail(error: unknown, status?: number): void {
    const { response } = this.#parts
    if (response.destroyed || response.writableEnded) return
    const json = errorJson(error)
    const line = `${JSON.stringify({ error: json })}\n`
    if (response.headersSent) {
      response.write(line, () => response.destroy())
      return
    }
    const isFault = error instanceof NotFound || error instanceof WrongMethod
    const code = status ?? (isFault ? error.status : httpStatusOf(json))
    response.writeHead(code, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' })
    response.end(line)
  }

  /**
   * A body that is still coming is dropped; an asker that does not come to its end is sent away.
   */
  #linger(): void {
    const { request } = this.#parts
    if (request.complete || request.destroyed) return
    request.resume()
    const timer = setTimeout(() => request.destroy(), LINGER_MS_MAX)
    const end = (): void => clearTimeout(timer)
    request.on('end', end).on('close', end)
  }
}

class NotFound extends WarpError {
  readonly status = 404

  constructor(message: string) {
    super('WARP_E_PROTOCOL', message)
  }
}

class WrongMethod extends WarpError {
  readonly status = 405

  constructor(message: string) {
    super('WARP_E_PROTOCOL', message)
  }
}

function tooLong(): WarpError {
  return new WarpError('WARP_E_LIMIT', `the body of a question is longer than ${QUESTION_BYTES_MAX} bytes`, {
    details: { limit: QUESTION_BYTES_MAX },
  })
}

function gone(): WarpError {
  return new WarpError('WARP_E_ABORTED', 'the asker has gone')
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // The question takes no text.
}
