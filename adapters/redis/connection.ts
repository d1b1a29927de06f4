/**
 * The connection to Redis: one for commands and one for what was subscribed to, made and given up
 * together. Each try makes both anew, at most one try a second: nothing of a lost connection is left
 * that could be sent twice. A server that says nothing to two pings counts as lost.
 */
import type { Redis } from 'ioredis'
import { asError, isWarpError } from '../../crdt/warp-error.ts'
import { WarpError } from '../../src/index.ts'
import type { Timer } from '../../src/index.ts'
import type { BrokerClock } from '../broker/platform-clock.ts'
import { type ConnectionListener, Reconnection } from '../broker/reconnection.ts'
import { newClient, type RedisServerOptions, shownServer } from './server-options.ts'

export interface Lines {
  readonly commands: Redis
  readonly subscriptions: Redis
}

export interface ConnectionSettings {
  /** For errors. */
  readonly what: string
  readonly server: RedisServerOptions
  readonly clock: BrokerClock
  readonly pingMs: number
  /** What is to be done on new lines before they count as up. */
  readonly prepare: (lines: Lines) => Promise<void>
}

/** What a try to connect may take. */
const CONNECT_MS = 5000
/** Between two tries: at first, and at most. */
const AGAIN_MS = 1000
const AGAIN_MS_MAX = 2000
/** Of a ping interval, between two looks; the rest of two is for a last look. */
const LOOK_SHARE = 0.9
const LAST_LOOK_SHARE = 0.1

export class Connection {
  readonly #settings: ConnectionSettings
  readonly #made: Reconnection<Lines>
  #trying: Lines | undefined
  #watching: Timer | undefined

  constructor(settings: ConnectionSettings) {
    this.#settings = settings
    const { clock } = settings
    this.#made = new Reconnection({
      ...{ clock, end, againMs: AGAIN_MS, againMsMax: AGAIN_MS_MAX },
      connect: () => this.#connect(),
      errorOf: (thrown) => (isWarpError(thrown) ? thrown : connectionError(asError(thrown).message, thrown)),
    })
  }

  /** The first try. Rejects with `WARP_E_TRANSPORT`, `WARP_E_AUTH`, and with what `prepare` rejects with. */
  async open(): Promise<void> {
    await this.#made.open()
  }

  get isUp(): boolean {
    return this.lines !== undefined
  }

  get lines(): Lines | undefined {
    return this.#made.lines
  }

  /** Why it is down. */
  get error(): WarpError {
    return this.#made.error
  }

  /** Returns what ends it. */
  listen(listener: ConnectionListener): () => void {
    return this.#made.listen(listener)
  }

  /** Gives the lines up, if they are still those, and makes new ones. */
  cut(lines: Lines | undefined, why: string): void {
    if (lines !== undefined) this.#made.fell(lines, connectionError(why, undefined))
  }

  close(): void {
    this.#made.close()
    this.#watching?.cancel()
    if (this.#trying !== undefined) end(this.#trying)
  }

  async #connect(): Promise<Lines> {
    const lines = this.#newLines()
    this.#trying = lines
    let lost = (_error: Error): void => undefined
    const isLost = new Promise<never>((_resolve, reject) => (lost = reject))
    isLost.catch(() => undefined)
    for (const line of [lines.commands, lines.subscriptions]) {
      // ioredis would print errors that nobody listens to.
      let last: Error | undefined
      line.on('error', (error: Error) => (last = error))
      line.on('end', () => {
        lost(last ?? new Error('the connection was closed'))
        this.#ended(lines, last)
      })
    }
    const late = this.#settings.clock.schedule(CONNECT_MS, () => lost(new Error(`no answer within ${CONNECT_MS} ms`)))
    try {
      await Promise.race([this.#begin(lines), isLost])
    } catch (error) {
      end(lines)
      if (isWarpError(error)) throw error
      const { what, server } = this.#settings
      throw connectionError(`${what}: ${shownServer(server)} does not answer: ${asError(error).message}`, error)
    } finally {
      late.cancel()
      this.#trying = undefined
    }
    this.#watch(lines, [-1, -1])
    return lines
  }

  #newLines(): Lines {
    const { server, clock } = this.#settings
    // The same server for both: it publishes to itself before it answers.
    const place = clock.random(1)[0]! / 256
    const pick = (below: number): number => Math.floor(place * below)
    const [commands, subscriptions] = [newClient(server, pick), newClient(server, pick)]
    if (commands === undefined || subscriptions === undefined)
      throw connectionError('the client of the cluster knows no server; it has to be connected', undefined)
    return { commands, subscriptions }
  }

  async #begin(lines: Lines): Promise<void> {
    await lines.subscriptions.connect()
    await lines.commands.connect()
    await this.#settings.prepare(lines)
  }

  #ended(lines: Lines, cause: unknown): void {
    const { server } = this.#settings
    const message = `the connection to ${shownServer(server)} is lost; it is being made again`
    this.#made.fell(lines, connectionError(message, cause))
  }

  /** Whether each line has been told anything since the last look, when it was asked. */
  #watch(lines: Lines, before: readonly number[]): void {
    const { clock, pingMs } = this.#settings
    this.#watching = clock.schedule(LOOK_SHARE * pingMs, () => {
      if (this.lines !== lines) return
      const isSilent = (): boolean => readBytes(lines).some((count, i) => count === before[i])
      const goOn = (): void => {
        const now = readBytes(lines)
        for (const line of [lines.commands, lines.subscriptions]) line.ping().catch(() => undefined)
        this.#watch(lines, now)
      }
      if (!isSilent()) {
        goOn()
        return
      }
      // After a long turn of this process the answer may lie in the socket.
      this.#watching = clock.schedule(LAST_LOOK_SHARE * pingMs, () => {
        if (this.lines !== lines) return
        if (isSilent()) this.cut(lines, `the server has said nothing for ${pingMs} ms, though it was asked`)
        else goOn()
      })
    })
  }
}

function readBytes({ commands, subscriptions }: Lines): number[] {
  return [commands, subscriptions].map(({ stream }) => (stream as { bytesRead?: number } | undefined)?.bytesRead ?? 0)
}

function end({ commands, subscriptions }: Lines): void {
  for (const line of [commands, subscriptions]) line.disconnect()
}

export function connectionError(message: string, cause: unknown): WarpError {
  const isDenied = cause instanceof Error && /^(?:NOAUTH|NOPERM|WRONGPASS)\b/.test(cause.message)
  return new WarpError(isDenied ? 'WARP_E_AUTH' : 'WARP_E_TRANSPORT', message, { cause })
}
