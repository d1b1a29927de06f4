/** The options of `yWebsocketServer`: defaults, bounds and checks. */
import type { IncomingMessage } from 'node:http'
import { checkTypeOf, isWholeFrom, optionNames, refusedOption, requireOptions } from '../../crdt/checked-options.ts'
import type { WarpError } from '../../crdt/warp-error.ts'
import type { Ack } from '../../src/index.ts'

/** Who wants a document, before it is opened; asked again as long as it is open. */
export interface AskedDocument {
  /** As the client names it. */
  readonly document: string
  /** Its key. */
  readonly key: string
  /** What a Hocuspocus provider gives as `token`, or stands in the URL as `?token=`. Absent: none. */
  readonly token?: string
  /** Of the WebSocket: headers, cookies, address. */
  readonly request: IncomingMessage
  /** Fires when whoever asks has gone. */
  readonly signal: AbortSignal
}

/** `user` is put into what the client tells others of itself, instead of whatever stands there. */
export interface DocumentAccess {
  readonly access: 'read-write' | 'read-only'
  readonly user?: object
}

/** `true`: may read and write. `false`: refused. `'unauthenticated'`: refused, it has not said who it is. */
export type DocumentPermission = boolean | 'read-only' | 'unauthenticated' | DocumentAccess

export interface RefusedUpdate {
  /** As the client names it; absent if that is not known. */
  readonly document?: string
  readonly error: WarpError
}

export interface YWebsocketServerOptions {
  /**
   * Says who may open a document: asked at each opening, every `recheckMs` while it is open, and when a client
   * brings another token. What it throws is told to `onError`, and the client comes again. `() => true` lets everybody write
   * everything.
   */
  readonly authorise: (asked: AskedDocument) => DocumentPermission | Promise<DocumentPermission>
  /** 0 takes any free one. Default: the server does not listen; give its `upgrade` to one of your own. */
  readonly port?: number
  /** The address to listen at. Default `127.0.0.1`. */
  readonly host?: string
  /** In front of a document's name in the path. Hocuspocus providers connect to it as it is. Default `''`. */
  readonly prefix?: string
  /**
   * The key of a document, `undefined` if there is no such document. Keys are those of `yjs()`. Default: the
   * name is the key.
   */
  readonly keyOf?: (document: string) => string | undefined
  /**
   * Pages from which browsers may connect, such as `https://app.example`, or `'*'`. Default: those that the
   * server's own host has served. What is no browser says no origin, and is let in.
   */
  readonly origins?: readonly string[] | '*'
  /** How safe a write is when a Hocuspocus client is told that it is saved. Default: as `openWarp` was told. */
  readonly ack?: Ack
  /** Connections at a time. Default 10,000. */
  readonly connectionsMax?: number
  /** Documents of one connection. Default 100. */
  readonly documentsMax?: number
  /** Bytes of one update, a first state say. Default 16 MiB. */
  readonly updateBytesMax?: number
  /** Bytes of one frame; a longer one ends the connection, and providers send it again. Default 64 MiB. */
  readonly frameBytesMax?: number
  /** Bytes that wait for one client to read them; beyond, its connection is closed. Default 64 MiB. */
  readonly outputBytesMax?: number
  /** Characters of what a client tells of itself. Default 8,192. */
  readonly awarenessBytesMax?: number
  /** A client that does not answer for so long is cut off. Default 15,000. */
  readonly heartbeatMs?: number
  /** Between two times that `authorise` is asked about an open document; 0: never again. Default 60,000. */
  readonly recheckMs?: number
  /** A Hocuspocus connection has to ask for a document within this. Default 10,000. */
  readonly authMs?: number
  /** `close` waits so long for what is not written yet. Default 2,000. */
  readonly drainMs?: number
  /** When it fires, the server closes. */
  readonly signal?: AbortSignal
  /** Told of what clients have sent that was refused. Default: nobody is told. */
  readonly onRefused?: (refused: RefusedUpdate) => void
  /** Told of faults: what `authorise` threw, or the engine. Default: nobody is told. */
  readonly onError?: (error: Error) => void
}

const [MEBIBYTE, DAY_MS] = [1024 * 1024, 86_400_000]
const NUMBERS = {
  connectionsMax: { fallback: 10_000, min: 1, max: 1_000_000 },
  documentsMax: { fallback: 100, min: 1, max: 100_000 },
  updateBytesMax: { fallback: 16 * MEBIBYTE, min: 1024, max: 256 * MEBIBYTE },
  frameBytesMax: { fallback: 64 * MEBIBYTE, min: 4096, max: 512 * MEBIBYTE },
  outputBytesMax: { fallback: 64 * MEBIBYTE, min: 65_536, max: 1024 * MEBIBYTE },
  awarenessBytesMax: { fallback: 8192, min: 2, max: MEBIBYTE },
  heartbeatMs: { fallback: 15_000, min: 10, max: DAY_MS },
  recheckMs: { fallback: 60_000, min: 0, max: DAY_MS },
  authMs: { fallback: 10_000, min: 100, max: DAY_MS },
  drainMs: { fallback: 2000, min: 0, max: DAY_MS },
} as const

type Numbers = { -readonly [Name in keyof typeof NUMBERS]: number }
type Given = Required<
  Pick<YWebsocketServerOptions, 'authorise' | 'host' | 'prefix' | 'keyOf' | 'onRefused' | 'onError'>
>

export interface DocumentsSettings extends Given {
  readonly connectionsMax: number
  readonly documentsMax: number
  readonly updateBytesMax: number
  readonly frameBytesMax: number
  readonly outputBytesMax: number
  readonly awarenessBytesMax: number
  readonly heartbeatMs: number
  readonly recheckMs: number
  readonly authMs: number
  readonly drainMs: number
  readonly port: number | undefined
  readonly origins: readonly string[] | '*' | undefined
  readonly ack: Ack | undefined
  readonly signal: AbortSignal | undefined
}

const OPTIONS = optionNames<YWebsocketServerOptions>({
  ...{ authorise: true, port: true, host: true, prefix: true, keyOf: true, origins: true, ack: true },
  ...{ connectionsMax: true, documentsMax: true, updateBytesMax: true, frameBytesMax: true, outputBytesMax: true },
  ...{ awarenessBytesMax: true, heartbeatMs: true, recheckMs: true, authMs: true, drainMs: true },
  ...{ signal: true, onRefused: true, onError: true },
})
const WHAT = 'yWebsocketServer'
const ACKS: readonly unknown[] = ['memory', 'logged', 'durable'] satisfies Ack[]

/** Throws `WARP_E_CONFIG`. */
export function documentsSettings(options: YWebsocketServerOptions): DocumentsSettings {
  requireOptions(WHAT, options, OPTIONS, '{ port: 1234, authorise: () => true }')
  checkKinds(options)
  checkPlaces(options)
  const { authorise, port, host = '127.0.0.1', prefix = '', keyOf = itself, origins, ack, signal } = options
  const { onRefused = () => undefined, onError = () => undefined } = options
  const numbers = numbersOf(options)
  const { frameBytesMax, updateBytesMax } = numbers
  if (frameBytesMax <= updateBytesMax)
    throw refusedOption(
      ...([WHAT, 'frameBytesMax', frameBytesMax] as const),
      `give more than updateBytesMax (${updateBytesMax}): a client whose frame is cut off sends it for ever`,
    )
  return { ...numbers, authorise, port, host, prefix, keyOf, origins, ack, signal, onRefused, onError }
}

function itself(document: string): string {
  return document
}

function checkKinds(options: YWebsocketServerOptions): void {
  const { authorise, ack } = options
  if (typeof authorise !== 'function')
    throw refusedOption(WHAT, 'authorise', authorise, 'give a function that says who may open a document')
  for (const name of ['keyOf', 'onRefused', 'onError'] as const) checkTypeOf(WHAT, options, name, 'function')
  if (ack !== undefined && !ACKS.includes(ack))
    throw refusedOption(WHAT, 'ack', ack, "give 'memory', 'logged' or 'durable'")
}

function checkPlaces(options: YWebsocketServerOptions): void {
  const { port, prefix = '', origins } = options
  checkTypeOf(WHAT, options, 'host', 'string')
  if (port !== undefined && !isWholeFrom(port, 0, 65_535))
    throw refusedOption(WHAT, 'port', port, 'give a whole number from 0 to 65535')
  if (typeof prefix !== 'string' || !/^(?:\/[\w.~-]+)*$/.test(prefix))
    throw refusedOption(WHAT, 'prefix', prefix, "give a path without a slash at its end, such as '/documents'")
  if (origins !== undefined && origins !== '*' && !isListOfTexts(origins))
    throw refusedOption(WHAT, 'origins', origins, "give a list such as ['https://app.example'], or '*'")
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function numbersOf(options: YWebsocketServerOptions): Numbers {
  const chosen: Partial<Numbers> = {}
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const { fallback, min, max } = NUMBERS[name]
    const value = options[name] ?? fallback
    if (!isWholeFrom(value, min, max))
      throw refusedOption(WHAT, name, value, `give a whole number from ${min} to ${max}`)
    chosen[name] = value
  }
  return chosen as Numbers
}
