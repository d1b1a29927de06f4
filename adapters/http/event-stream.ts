/**
 * Messages as server-sent events (HTML, section 9.2): the kind is the type of the event, the cursor
 * its id, so that `EventSource` resumes by itself. A comment is the sign of life; the id beside it
 * moves the place from which the consumer would resume, though no event comes.
 */
import type { ServerResponse } from 'node:http'
import { ConsumerGone, type HttpMessage, type Outlet } from './watch-pump.ts'

/** `EventSource` waits so long before it comes again. */
const RETRY_MS = 2000

export class EventStream implements Outlet {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // Proxies would wait for the end of the answer, or compress it and wait for enough of it.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    response.write(`retry: ${RETRY_MS}\n\n`)
  }

  send(message: HttpMessage): Promise<void> {
    const { kind, ...fields } = message
    const id = 'cursor' in fields && fields.cursor !== undefined ? `id: ${fields.cursor}\n` : ''
    return this.#write(`${id}event: ${kind === 'error' ? 'failure' : kind}\ndata: ${JSON.stringify(fields)}\n\n`)
  }

  beat(cursor: string | undefined): void {
    const response = this.#response
    const id = cursor === undefined ? '' : `id: ${cursor}\n`
    if (!response.destroyed && !response.writableNeedDrain) response.write(`: alive\n${id}\n`)
  }

  cutOff(): void {
    this.#response.destroy()
  }

  end(): void {
    this.#response.end()
  }

  #write(text: string): Promise<void> {
    const response = this.#response
    if (response.destroyed || response.writableEnded) return Promise.reject(new ConsumerGone())
    if (response.write(text)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        response.off('drain', settle).off('close', settle)
        if (response.destroyed) reject(new ConsumerGone())
        else resolve()
      }
      response.on('drain', settle).on('close', settle)
    })
  }
}
