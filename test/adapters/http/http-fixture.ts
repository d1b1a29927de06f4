/** Servers of three kinds with a handler in them, and consumers of both kinds of stream. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { openWarp } from '../../../adapters/node/index.ts'
import { warpHttp, type WarpHttp, type WarpHttpOptions, type WatchMessage } from '../../../adapters/http/index.ts'
import { register } from '../../../crdt/register.ts'

export const keys = { 'r:*': register<unknown>(), 's:*': register<string>() }

export const openKeys = () => openWarp({ keys })

export type Kind = 'node:http' | 'Express' | 'Fastify'
export const KINDS: readonly Kind[] = ['node:http', 'Express', 'Fastify']

export interface Served {
  readonly url: string
  readonly handler: WarpHttp
  close(): Promise<void>
}

/** A server whose routes are below `/warp`. It is gone when the test is. */
export async function serve(
  warp: Parameters<typeof warpHttp>[0],
  { kind = 'node:http', ...options }: Partial<WarpHttpOptions> & { readonly kind?: Kind } = {},
): Promise<Served> {
  const isFastify = kind === 'Fastify'
  const handler = warpHttp(warp, { authorise: () => true, prefix: isFastify ? '' : '/warp', ...options })
  const { server, close } = isFastify ? await fastifyServer(handler) : await nodeServer(kind, handler)
  onTestFinished(close)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/warp`, handler, close }
}

async function nodeServer(kind: Kind, handler: WarpHttp): Promise<{ server: Server; close: () => Promise<void> }> {
  const app = express()
  app.use(handler)
  app.get('/other', (_request, response) => void response.send('of the application'))
  const server = createServer(kind === 'Express' ? app : handler)
  server.on('upgrade', handler.upgrade)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    await handler.close()
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return { server, close }
}

async function fastifyServer(handler: WarpHttp): Promise<{ server: Server; close: () => Promise<void> }> {
  const app = fastify({ forceCloseConnections: true })
  await app.register(handler.fastify, { prefix: '/warp' })
  app.get('/other', () => 'of the application')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { server: app.server, close: () => app.close() }
}

export interface Event {
  readonly id: string
  readonly type: string
  readonly data: Record<string, unknown>
}

/** Reads server-sent events as `EventSource` does. An event without data moves the id, and is told as `beat`. */
export class EventReader implements AsyncDisposable {
  readonly response: Response
  readonly #controller: AbortController
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''
  lastId = ''

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const controller = new AbortController()
    return new EventReader(await fetch(url, { headers, signal: controller.signal }), controller)
  }

  private constructor(response: Response, controller: AbortController) {
    this.response = response
    this.#controller = controller
    if (response.body === null) throw new Error('no body')
    this.#reader = response.body.getReader()
  }

  /** The next event; `undefined` when the server has ended the answer. */
  async next({ beats = false } = {}): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end < 0) {
        const { done, value } = await this.#reader.read()
        if (done) return undefined
        this.#text += this.#decoder.decode(value, { stream: true })
        continue
      }
      const event = this.#parse(this.#text.slice(0, end))
      this.#text = this.#text.slice(end + 2)
      if (event.type !== 'nothing' && (beats || event.type !== 'beat')) return event
    }
  }

  /** The next events up to the first for which `isLast` holds. */
  async until(isLast: (event: Event) => boolean): Promise<Event[]> {
    const events: Event[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      events.push(event)
      if (isLast(event)) break
    }
    return events
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort()
    await this.#reader.cancel().catch(() => undefined)
  }

  #parse(block: string): Event {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([a-z]*): ?(.*)$/.exec(line) ?? []
      fields.set(name === '' ? 'comment' : name, value)
    }
    this.lastId = fields.get('id') ?? this.lastId
    const data = fields.get('data')
    const type = data === undefined ? (fields.has('comment') ? 'beat' : 'nothing') : (fields.get('event') ?? 'message')
    return { id: this.lastId, type, data: JSON.parse(data ?? '{}') as Record<string, unknown> }
  }
}

/** Reads messages of a WebSocket. */
export class SocketReader implements AsyncDisposable {
  readonly socket: WebSocket
  readonly #messages: WatchMessage[] = []
  #wake: () => void = () => undefined
  closedWith: number | undefined

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { headers })
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data: Buffer) => {
      this.#messages.push(JSON.parse(data.toString('utf8')) as WatchMessage)
      this.#wake()
    })
    this.socket.on('close', (code: number) => {
      this.closedWith = code
      this.#wake()
    })
  }

  /** The next message; `undefined` when the socket has closed. */
  async next(): Promise<WatchMessage | undefined> {
    while (this.#messages.length === 0 && this.closedWith === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#messages.shift()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate()
    while (this.closedWith === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}

/** Asks for JSON. A stream of events, which does not end, is an answer without a body. */
export async function ask(url: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, init)
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    await response.body?.cancel()
    return { status: response.status, body: {} }
  }
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

/** The status with which a WebSocket is answered: 101 if it is let in. */
export async function upgradeStatus(url: string, headers: Record<string, string> = {}): Promise<number> {
  await using reader = new SocketReader(url, headers)
  return await new Promise((resolve, reject) => {
    reader.socket.on('open', () => resolve(101)).on('error', reject)
    reader.socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
  })
}
