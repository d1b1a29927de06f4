/**
 * A circuit breaker (M. Nygard 2007, "Release It!"): after so many failures in a row a store is not
 * asked for a while, and then by one request, until one succeeds. On `Env`, so that the simulator
 * can drive it.
 */
import type { Env } from '../../ports/env.ts'
import { randomShare } from '../../ports/random-word.ts'

const FAILURES_MAX = 5
const PAUSE_MS_MIN = 250
const PAUSE_MS_MAX = 10_000

export class Breaker {
  readonly #env: Env
  #failuresCount = 0
  #pauseMs = PAUSE_MS_MIN
  #opensAtMs = -Infinity
  #isTrying = false

  constructor(env: Env) {
    this.#env = env
  }

  /** The store has failed so often in a row that it is left alone. */
  get isOpen(): boolean {
    return this.#failuresCount >= FAILURES_MAX
  }

  /** Whether a request may be made now. Whoever makes it says how it ended. */
  admits(): boolean {
    if (!this.isOpen) return true
    if (this.#isTrying || this.#env.monotonic() < this.#opensAtMs) return false
    this.#isTrying = true
    return true
  }

  /** In so many milliseconds a request is worth another try. */
  get waitMs(): number {
    return this.isOpen ? Math.max(1, this.#opensAtMs - this.#env.monotonic()) : 0
  }

  /** Returns whether the store has come back. */
  succeeded(): boolean {
    const wasOpen = this.isOpen
    this.#failuresCount = 0
    this.#pauseMs = PAUSE_MS_MIN
    this.#isTrying = false
    return wasOpen
  }

  /** Returns whether the store is left alone from now on. */
  failed(): boolean {
    const wasOpen = this.isOpen
    this.#failuresCount++
    this.#isTrying = false
    if (!this.isOpen) return false
    this.#opensAtMs = this.#env.monotonic() + this.#pauseMs * (1 + randomShare(this.#env) / 2)
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2)
    return !wasOpen
  }
}
