/** What is at each path, and for whom. Nothing here rejects: whoever asks is told, or has gone. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { asError, isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { Health } from '../../src/index.ts'
import type { AskedRoute, HttpSettings, WatchedEngine } from './options.ts'
import {
  answerJson,
  answerRefusal,
  forbidden,
  notFound,
  Refusal,
  refusalOf,
  refuseUpgrade,
  unavailable,
  wrongMethod,
} from './refusals.ts'
import { closing } from './watch-pump.ts'
import type { WatchDesk, Wish } from './watch-desk.ts'

export type RouteName = '/watch' | '/channel' | '/metrics' | '/health' | '/health/live' | '/health/ready'

const ROUTES: Readonly<Record<RouteName, AskedRoute['route']>> = {
  '/watch': 'watch',
  '/channel': 'channel',
  '/metrics': 'metrics',
  '/health': 'health',
  '/health/live': 'health',
  '/health/ready': 'health',
}

/** Where consumers follow something. */
export type StreamName = '/watch' | '/channel'

/** The route at a path; `undefined` if it is none of ours. */
export function routeOf(url: string | undefined, prefix: string): RouteName | undefined {
  const path = (url ?? '').split('?', 1)[0] ?? ''
  if (!path.startsWith(prefix)) return undefined
  const rest = path.slice(prefix.length)
  return Object.hasOwn(ROUTES, rest) ? (rest as RouteName) : undefined
}

/** An engine that is open, is being opened, or could not be. */
type Opening = WatchedEngine | 'opening' | Error

export class Routes {
  readonly #settings: HttpSettings
  readonly #desk: WatchDesk
  #engine: Opening
  readonly #under = new Set<AbortController>()
  #closing: Promise<void> | undefined

  constructor(warp: WatchedEngine | PromiseLike<WatchedEngine>, settings: HttpSettings, desk: WatchDesk) {
    this.#settings = settings
    this.#desk = desk
    this.#engine = 'watch' in warp ? warp : 'opening'
    if ('watch' in warp) return
    warp.then(
      (opened) => (this.#engine = opened),
      (error: unknown) => (this.#engine = asError(error)),
    )
  }

  async answer(
    name: RouteName,
    request: IncomingMessage,
    response: ServerResponse,
    fastifyRequest?: unknown,
  ): Promise<void> {
    response.on('error', () => undefined)
    const controller = this.#begin()
    response.on('close', () => controller.abort())
    try {
      const isStream = name === '/watch' || name === '/channel'
      if (request.method !== 'GET' && (request.method !== 'HEAD' || isStream)) throw wrongMethod(request.method)
      const wish = isStream ? wishOf(name, request) : undefined
      await this.#authorise({
        ...{ route: ROUTES[name], request, signal: controller.signal },
        ...(wish === undefined ? {} : wantedOf(wish)),
        ...(fastifyRequest === undefined ? {} : { fastifyRequest }),
      })
      if (wish !== undefined) await this.#desk.stream(this.#open(), wish, response)
      else if (name === '/metrics') await this.#metrics(response)
      else this.#health(name, response)
    } catch (error) {
      answerRefusal(response, this.#refusal(error))
    } finally {
      this.#under.delete(controller)
    }
  }

  async upgrade(
    name: StreamName,
    { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  ): Promise<void> {
    socket.on('error', () => undefined)
    const controller = this.#begin()
    socket.on('close', () => controller.abort())
    try {
      const wish = wishOf(name, request)
      await this.#authorise({ route: wish.route, ...wantedOf(wish), request, signal: controller.signal })
      await this.#desk.upgrade(this.#open(), wish, { request, socket, head })
    } catch (error) {
      refuseUpgrade(socket, this.#refusal(error))
    } finally {
      this.#under.delete(controller)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#desk.close()
    for (const controller of this.#under) controller.abort()
    return this.#closing
  }

  #begin(): AbortController {
    const controller = new AbortController()
    this.#under.add(controller)
    return controller
  }

  async #authorise(asked: AskedRoute): Promise<void> {
    this.#assertOpen()
    let permission: unknown
    try {
      permission = await this.#settings.authorise(asked)
    } catch (error) {
      throw this.#fault(error)
    }
    this.#assertOpen()
    if (permission === true) return
    throw forbidden(permission !== 'unauthenticated')
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw unavailable(closing())
  }

  #open(): WatchedEngine {
    const engine = this.#engine
    if (engine === 'opening') throw unavailable(new WarpError('WARP_E_CLOSED', 'the engine is not open yet'))
    if (engine instanceof Error) throw unavailable(new WarpError('WARP_E_CLOSED', 'the engine could not be opened'))
    return engine
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { registry } = this.#settings
    if (registry === undefined) throw notFound('/metrics: give warpHttp a registry')
    let text: string
    try {
      text = await registry.metrics()
    } catch (error) {
      throw this.#fault(error)
    }
    response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' })
    response.end(text)
  }

  #health(name: RouteName, response: ServerResponse): void {
    const health = healthOf(this.#engine)
    const isGood = name === '/health/live' ? health.live : health.ready
    answerJson(response, isGood ? 200 : 503, health)
  }

  #refusal(error: unknown): Refusal {
    if (!(error instanceof Refusal) && !isWarpError(error)) return refusalOf(this.#fault(error))
    return refusalOf(error)
  }

  /** Tells of a fault that whoever asks is not shown. */
  #fault(error: unknown): Refusal {
    try {
      this.#settings.onError(asError(error))
    } catch {
      // Nobody else can be told of what the user's own function throws.
    }
    return refusalOf(new Error('hidden', { cause: error }))
  }
}

function healthOf(engine: Opening): Pick<Health, 'live' | 'ready'> & { readonly parts: Partial<Health['parts']> } {
  if (engine === 'opening') {
    const reasons = [{ code: 'opening', message: 'the engine is being opened' }] as const
    return { live: true, ready: false, parts: { engine: { state: 'waiting', reasons } } }
  }
  if (engine instanceof Error) {
    const reasons = [{ code: 'open-failed', message: engine.message }] as const
    return { live: false, ready: false, parts: { engine: { state: 'failed', reasons } } }
  }
  return engine.health()
}

/** What the user's function is asked about. */
function wantedOf(wish: Wish): Pick<AskedRoute, 'keys' | 'channel'> {
  return wish.route === 'watch' ? { keys: wish.keys } : { channel: wish.channel }
}

/** What a consumer wants, and from where: `Last-Event-ID` is the later word. */
function wishOf(name: StreamName, { url = '/', headers }: IncomingMessage): Wish {
  const query = new URLSearchParams(url.split('?', 2)[1] ?? '')
  const last = headers['last-event-id']
  const from = (typeof last === 'string' ? last : undefined) ?? query.get('from') ?? undefined
  const place = from === undefined || from === '' ? {} : { from }
  if (name === '/watch') return { route: 'watch', keys: query.get('keys') ?? '*', ...place }
  // Who comes back has been shown what was kept.
  const beginning = 'from' in place ? place : replayOf(query.get('replay'))
  return { route: 'channel', channel: query.get('name') ?? '*', ...beginning }
}

/** `replay=20` or `replay=true`; what else stands there is refused by the engine. */
function replayOf(text: string | null): { readonly replay?: true | number } {
  if (text === null) return {}
  return { replay: text === 'true' || Number(text) }
}
