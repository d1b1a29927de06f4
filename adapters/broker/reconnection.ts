/**
 * Lines to a broker that are made and given up together: each try makes all of them anew, so nothing of
 * a lost connection is left that could be sent twice. Tries are made for ever, with a pause between two.
 */
import type { WarpError } from '../../src/index.ts'
import type { Timer } from '../../src/index.ts'
import { type BrokerClock, withJitter } from './platform-clock.ts'

export interface ConnectionListener {
  up(): void
  down(error: WarpError): void
  /** It is down, and the last try failed. */
  failed?(error: WarpError): void
}

export interface ReconnectionSettings<Lines> {
  readonly clock: BrokerClock
  /** Makes lines. What it rejects with is made a `WarpError` by `errorOf`. */
  readonly connect: () => Promise<Lines>
  readonly end: (lines: Lines) => void
  readonly errorOf: (thrown: unknown) => WarpError
  /** Between two tries: at first, and at most. */
  readonly againMs: number
  readonly againMsMax: number
}

export class Reconnection<Lines> {
  readonly #settings: ReconnectionSettings<Lines>
  readonly #listeners = new Set<ConnectionListener>()
  #lines: Lines | undefined
  #error: WarpError | undefined
  #againMs: number
  #timer: Timer | undefined
  #isClosed = false

  constructor(settings: ReconnectionSettings<Lines>) {
    this.#settings = settings
    this.#againMs = settings.againMs
  }

  /** The first try. Rejects with a `WarpError`, and then nothing more is tried. */
  async open(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      this.#isClosed = true
      throw this.#settings.errorOf(error)
    }
  }

  get lines(): Lines | undefined {
    return this.#lines
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Why it is down. */
  get error(): WarpError {
    return this.#error ?? this.#settings.errorOf(new Error('the connection is lost'))
  }

  /** Returns what ends it. */
  listen(listener: ConnectionListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Gives the lines up, if they are still those, and makes new ones. */
  fell(lines: Lines, error: WarpError): void {
    if (lines !== this.#lines) return
    this.#lines = undefined
    this.#settings.end(lines)
    if (this.#isClosed) return
    this.#error = error
    for (const { down } of [...this.#listeners]) down(error)
    this.#again()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#listeners.clear()
    this.#timer?.cancel()
    if (this.#lines !== undefined) this.#settings.end(this.#lines)
    this.#lines = undefined
  }

  async #connect(): Promise<void> {
    const { connect, end, againMs } = this.#settings
    const lines = await connect()
    if (this.#isClosed) {
      end(lines)
      throw new Error('it was closed meanwhile')
    }
    this.#lines = lines
    this.#againMs = againMs
  }

  #again(): void {
    const { clock, againMsMax } = this.#settings
    if (this.#isClosed) return
    const waitMs = this.#againMs
    this.#againMs = Math.min(2 * waitMs, againMsMax)
    this.#timer = clock.schedule(withJitter(clock, waitMs), () => void this.#retry())
  }

  async #retry(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      if (this.#isClosed) return
      this.#error = this.#settings.errorOf(error)
      for (const { failed } of [...this.#listeners]) failed?.(this.#error)
      this.#again()
      return
    }
    for (const { up } of [...this.#listeners]) up()
  }
}
