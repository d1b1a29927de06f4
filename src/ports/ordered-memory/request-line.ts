/**
 * One direction between a link and the log: what travels arrives in order, in a later turn of the
 * event loop, and in bounded steps.
 */
import type { Env } from '../env.ts'
import { REQUESTS_PER_TURN_MAX } from './batch-bounds.ts'

export type LineClock = Pick<Env, 'monotonic' | 'schedule' | 'yield'>

interface Travelling {
  readonly dueMs: number
  readonly arrive: () => void
}

export class RequestLine {
  readonly #clock: LineClock
  #travelling: Travelling[] = []
  /** Those before it have arrived. */
  #head = 0
  #lastMs = 0
  #isWoken = false

  constructor(clock: LineClock) {
    this.#clock = clock
  }

  carry(travelMs: number, arrive: () => void): void {
    this.#lastMs = Math.max(this.#lastMs, this.#clock.monotonic() + travelMs)
    this.#travelling.push({ dueMs: this.#lastMs, arrive })
    this.#wake()
  }

  #wake(): void {
    const next = this.#travelling[this.#head]
    if (this.#isWoken || next === undefined) return
    this.#isWoken = true
    const waitMs = next.dueMs - this.#clock.monotonic()
    if (waitMs > 0) this.#clock.schedule(waitMs, () => this.#drain())
    else void this.#clock.yield().then(() => this.#drain())
  }

  #drain(): void {
    this.#isWoken = false
    const nowMs = this.#clock.monotonic()
    const end = Math.min(this.#travelling.length, this.#head + REQUESTS_PER_TURN_MAX)
    while (this.#head < end && this.#travelling[this.#head]!.dueMs <= nowMs) this.#travelling[this.#head++]!.arrive()
    if (this.#head === this.#travelling.length || this.#head >= REQUESTS_PER_TURN_MAX) {
      this.#travelling = this.#travelling.slice(this.#head)
      this.#head = 0
    }
    this.#wake()
  }
}
