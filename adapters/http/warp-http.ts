/**
 * One handler for node:http, Express and Fastify. It decides who is answered and by whom; what goes
 * over the wire is in `event-stream.ts` and `web-socket-stream.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { whenAborted } from '../../src/ports/abort-signals.ts'
import type { WatchedEngine, WarpHttpOptions } from './options.ts'
import { checkEngine, httpSettings } from './options.ts'
import { answerRefusal, notFound } from './refusals.ts'
import { Routes, routeOf, type RouteName } from './routes.ts'
import { WatchDesk } from './watch-desk.ts'

/** What is used of a Fastify instance. */
interface FastifyLike {
  readonly prefix: string
  readonly server: { on(event: 'upgrade', listener: WarpHttp['upgrade']): unknown }
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Fastify's types have many parameters
  get(path: string, handler: (request: any, reply: any) => any): unknown
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  addHook(name: any, hook: (done: any) => void): unknown
}

export interface WarpHttp {
  /** For `createServer(handler)` and `app.use(handler)`. What it does not know it hands to `next`. */
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void
  /** A plug-in: `app.register(handler.fastify, { prefix: '/warp' })`. It brings WebSockets as well. */
  readonly fastify: (instance: FastifyLike, options: object, done: (error?: Error) => void) => void
  /** For WebSockets, with the package `ws`: `server.on('upgrade', handler.upgrade)`. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /**
   * Tells every consumer that the server goes down, and ends their answers, within a second. From
   * then on everything is answered 503. The engine stays open. Idempotent.
   */
  close(): Promise<void>
}

const PATHS: readonly RouteName[] = ['/watch', '/channel', '/metrics', '/health', '/health/live', '/health/ready']

/**
 * Shows an engine over HTTP: `/watch` and `/channel` (server-sent events and WebSockets), `/metrics`, `/health`,
 * `/health/live` and `/health/ready`. Given the promise of `openWarp`, it answers before the engine
 * is open: alive, and not ready. Throws `WARP_E_CONFIG`.
 *
 *     const handler = warpHttp(openWarp({ keys }), { authorise: ({ route }) => route === 'health' })
 *     createServer(handler).listen(8080)
 */
export function warpHttp(warp: WatchedEngine | PromiseLike<WatchedEngine>, options: WarpHttpOptions): WarpHttp {
  checkEngine(warp)
  const settings = httpSettings(options)
  const desk = new WatchDesk(settings)
  const routes = new Routes(warp, settings, desk)
  const close = (): Promise<void> => routes.close()
  whenAborted(settings.signal, () => void close())
  if (settings.signal?.aborted === true) void close()

  const handle = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void => {
    const route = routeOf(request.url, settings.prefix)
    if (route !== undefined) void routes.answer(route, request, response)
    else if (next !== undefined) next()
    else answerRefusal(response, notFound(request.url ?? '/'))
  }
  const upgradeAt =
    (prefix: string): WarpHttp['upgrade'] =>
    (request, socket, head) => {
      // Others may listen for other paths.
      const route = routeOf(request.url, prefix)
      if (route === '/watch' || route === '/channel') void routes.upgrade(route, { request, socket, head })
    }
  const fastify: WarpHttp['fastify'] = (instance, _options, done) => {
    for (const path of PATHS) {
      instance.get(`${settings.prefix}${path}`, (request: FastifyRequest, reply: FastifyReply) => {
        reply.hijack()
        void routes.answer(path, request.raw, reply.raw, request)
      })
    }
    instance.server.on('upgrade', upgradeAt(`${instance.prefix}${settings.prefix}`))
    instance.addHook('preClose', (closed: () => void) => void close().then(() => closed()))
    done()
  }
  return Object.assign(handle, { fastify, upgrade: upgradeAt(settings.prefix), close })
}

interface FastifyRequest {
  readonly raw: IncomingMessage
}

interface FastifyReply {
  readonly raw: ServerResponse
  hijack(): unknown
}
