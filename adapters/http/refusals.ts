/** Answers that are refusals: an error as JSON, `{"error":{"code":…,"message":…}}`, with its status. */
import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { errorJson, httpStatusOf, type ErrorJson } from '../../src/control/error-json.ts'

export class Refusal extends Error {
  readonly status: number
  readonly error: ErrorJson
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, error: WarpError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message, { cause: error })
    this.status = status
    this.error = errorJson(error)
    this.headers = headers
  }
}

/** What went wrong, as an answer. Faults of the program are not shown to whoever asks. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (isWarpError(error)) return new Refusal(httpStatusOf(errorJson(error)), error)
  const hidden = new WarpError('WARP_E_PROTOCOL', 'the server failed to answer; its log says more')
  return new Refusal(500, hidden)
}

export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  answerJson(response, refusal.status, { error: refusal.error }, refusal.headers)
}

export function answerJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const type = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }
  response.writeHead(status, { ...type, ...headers })
  response.end(`${JSON.stringify(body)}\n`)
}

/** Where there is no response yet: an upgrade that is refused. */
export function refuseUpgrade(socket: Duplex, { status, error, headers }: Refusal): void {
  if (socket.destroyed) return
  const body = `${JSON.stringify({ error })}\n`
  const head = Object.entries({
    ...{ 'content-type': 'application/json; charset=utf-8', 'content-length': String(Buffer.byteLength(body)) },
    ...{ connection: 'close', ...headers },
  })
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}\r\n${body}`)
}

export function notFound(path: string): Refusal {
  return new Refusal(404, new WarpError('WARP_E_PROTOCOL', `there is nothing at ${path}`))
}

export function wrongMethod(method: string | undefined): Refusal {
  const problem = `this is asked with GET, not with ${method ?? 'nothing'}`
  return new Refusal(405, new WarpError('WARP_E_PROTOCOL', problem), { allow: 'GET, HEAD' })
}

export function forbidden(isKnown: boolean): Refusal {
  const problem = isKnown ? 'this is not for whoever asks' : 'say who you are'
  return new Refusal(isKnown ? 403 : 401, new WarpError('WARP_E_AUTH', problem))
}

export function unavailable(why: WarpError): Refusal {
  return new Refusal(503, why, { 'retry-after': '1' })
}
