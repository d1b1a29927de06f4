/** The options of `warpHttp`: defaults, bounds and checks. */
import type { IncomingMessage } from 'node:http'
import { checkTypeOf, isWholeFrom, optionNames, refusedOption, requireOptions } from '../../crdt/checked-options.ts'
import type { Channel, Health, Watch, WatchOptions } from '../../src/index.ts'

/** What the handler uses of an engine. */
export interface WatchedEngine {
  watch(pattern: string, options?: WatchOptions): Watch
  channel(name: string): Pick<Channel, 'subscribe'>
  health(): Health
}

/** A registry of prom-client, as far as it is used. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string> | string
}

/** What somebody wants, before it is answered. */
export interface AskedRoute {
  readonly route: 'watch' | 'channel' | 'metrics' | 'health'
  /** The key or pattern, if changes are wanted. */
  readonly keys?: string
  /** The channel or pattern of channels, if messages are wanted. */
  readonly channel?: string
  /** As it came: headers, address, what a middleware has put there. */
  readonly request: IncomingMessage
  /** Fastify's own request, where Fastify asks. */
  readonly fastifyRequest?: unknown
  /** Fires when whoever asks has gone, or the handler closes. */
  readonly signal: AbortSignal
}

/** `false`: 403. `'unauthenticated'`: 401, whoever asks has not said who it is. */
export type HttpPermission = boolean | 'unauthenticated'

export interface WarpHttpOptions {
  /**
   * Says who may have what, for each request: changes carry values, and messages payloads. What it throws is told to
   * `onError`, and the answer is 500. `() => true` lets everybody have everything.
   */
  readonly authorise: (asked: AskedRoute) => HttpPermission | Promise<HttpPermission>
  /** In front of `/watch`, `/channel`, `/metrics` and `/health`, where no router takes it away. Default `''`. */
  readonly prefix?: string
  /** For `/metrics`. Default: there is no such route. */
  readonly registry?: MetricsRegistry
  /** Consumers of `/watch` and `/channel` at a time; who comes beyond is answered 503. Default 1,000. */
  readonly watchesMax?: number
  /** Changes or messages that wait for a slow consumer before it is told of a gap. Default 1,024. */
  readonly pendingCountMax?: number
  /** Between two signs of life to a consumer. Default 15,000. */
  readonly heartbeatMs?: number
  /** A consumer that takes nothing for so long is cut off; it resumes where it was. Default 60,000. */
  readonly stalledMsMax?: number
  /** When it fires, the handler closes. */
  readonly signal?: AbortSignal
  /** Told of faults: what `authorise` or the registry threw. Default: nobody is told. */
  readonly onError?: (error: Error) => void
}

export type HttpSettings = Required<Omit<WarpHttpOptions, 'registry' | 'signal'>> &
  Pick<WarpHttpOptions, 'registry' | 'signal'>

const OPTIONS = optionNames<WarpHttpOptions>({
  ...{ authorise: true, prefix: true, registry: true, watchesMax: true, pendingCountMax: true },
  ...{ heartbeatMs: true, stalledMsMax: true, signal: true, onError: true },
})

const DAY_MS = 86_400_000
const NUMBERS = {
  watchesMax: { fallback: 1000, min: 1, max: 1_000_000 },
  pendingCountMax: { fallback: 1024, min: 1, max: 1_000_000 },
  heartbeatMs: { fallback: 15_000, min: 10, max: DAY_MS },
  stalledMsMax: { fallback: 60_000, min: 10, max: DAY_MS },
} as const

/** Throws `WARP_E_CONFIG`. */
export function httpSettings(options: WarpHttpOptions): HttpSettings {
  requireOptions('warpHttp', options, OPTIONS, '{ authorise: ({ route }) => route === "health" }')
  const { authorise, prefix = '', registry, signal, onError = () => undefined } = options
  if (typeof authorise !== 'function') {
    throw refusedOption('warpHttp', 'authorise', authorise, 'give a function that says who may have what')
  }
  checkTypeOf('warpHttp', options, 'onError', 'function')
  if (typeof prefix !== 'string' || !/^(?:\/[\w.~-]+)*$/.test(prefix))
    throw refusedOption('warpHttp', 'prefix', prefix, "give a path without a slash at its end, such as '/warp'")
  if (registry !== undefined && typeof (registry as Partial<MetricsRegistry> | null)?.metrics !== 'function')
    throw refusedOption('warpHttp', 'registry', registry, 'give a Registry of prom-client')
  return {
    ...{ authorise, prefix, onError },
    ...numbersOf(options),
    ...(registry === undefined ? {} : { registry }),
    ...(signal === undefined ? {} : { signal }),
  }
}

export function checkEngine(warp: unknown): void {
  const engine = warp as Partial<WatchedEngine & PromiseLike<unknown>> | null | undefined
  if (typeof engine?.then === 'function') return
  if (typeof engine?.watch === 'function' && typeof engine.health === 'function') return
  throw refusedOption('warpHttp', 'warp', warp, 'give an engine, or what openWarp returns')
}

function numbersOf(options: WarpHttpOptions): Pick<HttpSettings, keyof typeof NUMBERS> {
  const chosen = { watchesMax: 0, pendingCountMax: 0, heartbeatMs: 0, stalledMsMax: 0 }
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const { fallback, min, max } = NUMBERS[name]
    const value = options[name] ?? fallback
    if (!isWholeFrom(value, min, max))
      throw refusedOption('warpHttp', name, value, `give a whole number from ${min} to ${max}`)
    chosen[name] = value
  }
  return chosen
}
