/**
 * The clock of `peek`. To ask the time costs as much as the whole read of a value in memory, so
 * a few reads that follow each other share one look at the wall clock: `READS_PER_LOOK` of them at
 * most, and only within one piece of synchronous work, in which nothing else can run. So a value is
 * peeked beyond its life only by code that peeks, lets time pass without giving up the event loop,
 * and peeks again. Everybody else asks the clock itself.
 */
import type { Env } from '../ports/env.ts'

export const READS_PER_LOOK = 32

const READY = Promise.resolve()

export class ReadClock {
  readonly #env: Env
  #nowMs = 0
  #readsLeft = 0
  #isEnding = false

  constructor(env: Env) {
    this.#env = env
  }

  /** Whether a recent look at the clock shows that `atMs` is still to come. */
  showsBefore(atMs: number): boolean {
    return --this.#readsLeft >= 0 && atMs > this.#nowMs
  }

  /** Looks at the clock. */
  look(): number {
    this.#nowMs = this.#env.now()
    this.#readsLeft = READS_PER_LOOK
    if (!this.#isEnding) {
      this.#isEnding = true
      void READY.then(() => this.#end())
    }
    return this.#nowMs
  }

  /** The work in progress is over: time may pass now. */
  #end(): void {
    this.#isEnding = false
    this.#readsLeft = 0
  }
}
