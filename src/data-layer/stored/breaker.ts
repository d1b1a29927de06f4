/**
 * A circuit breaker (M. Nygard 2007, "Release It!"): after so many failures in a row a store is not
 * asked for a while. Whether it is back is not tried on those who want something: a *trial*, a cheap
 * request of nobody's, is made after each pause, until one succeeds. So a store that nobody asks is found
 * well as soon as one that everybody asks. On `Env`, so that the simulator can drive it.
 */
import type { Env, Timer } from '../../ports/env.ts'
import { randomShare } from '../../ports/random-word.ts'

const FAILURES_MAX = 5
const PAUSE_MS_MIN = 250
const PAUSE_MS_MAX = 2000

/** Asks the store for next to nothing: whether it has answered, in bounds. Never rejects. */
export type Trial = () => Promise<boolean>

export class Breaker {
  readonly #env: Env
  #failuresCount = 0
  #pauseMs = PAUSE_MS_MIN
  #triedAtMs = Infinity
  #timer: Timer | undefined
  #isClosed = false

  constructor(env: Env) {
    this.#env = env
  }

  /** The store has failed so often in a row that it is left alone. */
  get isOpen(): boolean {
    return this.#failuresCount >= FAILURES_MAX
  }

  /** In so many milliseconds a request is worth another try, if the store is back by then. */
  get waitMs(): number {
    if (!this.isOpen) return 0
    const leftMs = this.#triedAtMs - this.#env.monotonic()
    return leftMs > 0 ? leftMs : PAUSE_MS_MIN
  }

  /** A request has been answered. Returns whether the store has come back by that. */
  succeeded(): boolean {
    const wasOpen = this.isOpen
    this.#failuresCount = 0
    this.#pauseMs = PAUSE_MS_MIN
    this.#timer?.cancel()
    return wasOpen
  }

  /**
   * A request has failed. Returns whether the store is left alone from now on: then `trial` is made
   * again and again until the store is back, and `back` is called if it was found out by that.
   */
  failed(trial: Trial, back: () => void): boolean {
    // Those that were under way when it was left alone say nothing new.
    if (this.isOpen) return false
    this.#failuresCount++
    if (!this.isOpen) return false
    this.#tryLater(trial, back)
    return true
  }

  /** Nothing is tried any more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #tryLater(trial: Trial, back: () => void): void {
    if (this.#isClosed) return
    const pauseMs = this.#pauseMs * (1 + randomShare(this.#env) / 2)
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2)
    this.#triedAtMs = this.#env.monotonic() + pauseMs
    this.#timer = this.#env.schedule(pauseMs, () => void this.#try(trial, back))
  }

  async #try(trial: Trial, back: () => void): Promise<void> {
    const timer = this.#timer
    const isBack = await trial()
    // Somebody else's answer may have come meanwhile, and failures after it.
    if (!this.isOpen || timer !== this.#timer) return
    if (!isBack) this.#tryLater(trial, back)
    else if (this.succeeded()) back()
  }
}
