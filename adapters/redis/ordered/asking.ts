/** Questions to the scripts of one log: which keys, and what the errors of the server mean. */
import { isWarpError, asError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import { type Connection, connectionError } from '../connection.ts'
import type { Script } from '../store/scripts.ts'

export interface AskingOptions {
  readonly connection: Connection
  readonly name: string
  readonly prefix: string
  readonly identity: string
  readonly timeoutMs: number
  readonly clock: { schedule(delayMs: number, callback: () => void): { cancel(): void } }
}

export type Answer = readonly Buffer[]

/** Said before a record has a place. */
const NOT_NOW =
  /^(?:BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|NOSCRIPT|OOM|READONLY)\b/

export class Asking {
  readonly #options: AskingOptions

  constructor(options: AskingOptions) {
    this.#options = options
  }

  /** In braces: all keys of a log are in one hash slot. */
  get logKey(): string {
    return logKeyOf(this.#options.prefix)
  }

  get channel(): string {
    return `${this.#options.prefix}:${this.#options.identity}`
  }

  /** With the identity: of a log that was there before, nobody wants anything. */
  keyOf(partition: number, what: string): string {
    return `{${this.#options.prefix}}:${this.#options.identity}:${partition}:${what}`
  }

  /** Sent in the order of the calls. Rejects with what the client rejects with. */
  run(script: Script, partition: number, seen: Bookmark | undefined, more: More = {}): Promise<Answer> {
    const { lines, error } = this.#options.connection
    if (lines === undefined) return Promise.reject(error)
    const { keys = [], values = [] } = more
    const names = [this.logKey, this.keyOf(partition, 'records'), this.keyOf(partition, 'snapshot'), ...keys]
    const proof = [this.#options.identity, partition, seen?.offset ?? 0, seen?.id ?? '']
    const asked = lines.commands.callBuffer('EVALSHA', script.digest, names.length, ...names, ...proof, ...values)
    asked.catch((failure: unknown) => {
      // It was told to forget them: new lines bring them again.
      if (asError(failure).message.startsWith('NOSCRIPT'))
        this.#options.connection.cut(lines, 'the server has forgotten the scripts; they are loaded again')
    })
    return asked as Promise<Answer>
  }

  /** Rejects with a `WarpError`: after `timeoutMs` as well, and with `WARP_E_ORDER_BROKEN`. */
  async ask(doing: string, run: () => Promise<Answer>): Promise<Answer> {
    const answer = await this.request(doing, run)
    if (textOf(answer[0]) === 'broken') throw orderBroken(this.#options.name, textOf(answer[1]))
    return answer
  }

  async request<T>(doing: string, run: () => Promise<T>): Promise<T> {
    const { clock, timeoutMs, name } = this.#options
    let late = (): void => undefined
    const silence = new Promise<never>((_resolve, reject) => {
      late = () => reject(connectionError(`${name}: ${doing} was not answered within ${timeoutMs} ms`, undefined))
    })
    const timer = clock.schedule(timeoutMs, () => late())
    try {
      return await Promise.race([run(), silence])
    } catch (error) {
      if (isWarpError(error)) throw error
      throw connectionError(`${name}: ${doing} did not succeed: ${asError(error).message}`, error)
    } finally {
      timer.cancel()
    }
  }
}

export interface More {
  readonly keys?: readonly string[]
  readonly values?: readonly (string | number | Buffer)[]
}

export function logKeyOf(prefix: string): string {
  return `{${prefix}}:log`
}

/** Certainly nothing was done. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && NOT_NOW.test(error.message)
}

export function isFull(error: unknown): boolean {
  return error instanceof Error && /^OOM\b/.test(error.message)
}

export function textOf(bytes: Buffer | undefined): string {
  return String(bytes ?? '')
}

export function orderBroken(name: string, reason: string): WarpError {
  const message = `${name} is not the log that it was: ${reason}; what was acknowledged may be lost. Restore the server's append-only file, or empty the logs of all replicas and begin with another prefix`
  return new WarpError('WARP_E_ORDER_BROKEN', message, { details: { log: name, reason } })
}
