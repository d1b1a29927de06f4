/**
 * Makes the state of a projection anew, after the state of the engine has been replaced otherwise than
 * by operations. Nobody has asked for it, so nobody would try again: it does so itself, for as long as
 * the log cannot be read. An error of another kind is the projection's own, and ends it.
 */
import { ignoreOutcome } from '../../crdt/synchronous.ts'
import { asError, isWarpError } from '../../crdt/warp-error.ts'
import type { Env, Timer } from '../ports/env.ts'

export interface RenewalOptions {
  readonly env: Env
  /** Rejects with `WARP_E_STORAGE` where the log cannot be read now. */
  readonly rebuild: () => Promise<void>
  /** The log could not be read, and is tried again. Once, until it could be. */
  readonly delayed: (error: Error) => void
  readonly failed: (error: Error) => void
}

/** Between two tries, twice as long each time. */
const AGAIN_MS = 1000
const AGAIN_MS_MAX = 60_000

export class Renewal {
  readonly #options: RenewalOptions
  /** How often it has been asked for. */
  #askedCount = 0
  #isRunning = false
  #isEnded = false
  #timer: Timer | undefined

  constructor(options: RenewalOptions) {
    this.#options = options
  }

  /** Whoever reads the log already for it begins again. */
  begin(): void {
    this.#askedCount++
    if (this.#isRunning || this.#isEnded) return
    this.#isRunning = true
    ignoreOutcome(this.#run())
  }

  end(): void {
    this.#isEnded = true
    this.#timer?.cancel()
  }

  async #run(): Promise<void> {
    let count: number
    do {
      count = this.#askedCount
      await this.#rebuild()
    } while (count !== this.#askedCount && !this.#isEnded)
    this.#isRunning = false
  }

  async #rebuild(): Promise<void> {
    const { env, rebuild, delayed, failed } = this.#options
    for (let againMs = AGAIN_MS; ; againMs = Math.min(2 * againMs, AGAIN_MS_MAX)) {
      try {
        await rebuild()
        return
      } catch (error) {
        if (this.#isEnded) return
        if (!isWarpError(error, 'WARP_E_STORAGE')) {
          failed(asError(error))
          return
        }
        if (againMs === AGAIN_MS) delayed(error)
      }
      await new Promise<void>((resolve) => (this.#timer = env.schedule(againMs, resolve)))
    }
  }
}
