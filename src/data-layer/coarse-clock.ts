/**
 * The time for reads of copies, to the millisecond: asking for it costs as much as the rest of the
 * read. So one look counts for a millisecond, and for `READS_PER_LOOK` reads at most, since timers
 * do not fire in the middle of a loop.
 */
import type { Env } from '../ports/env.ts'

const LOOK_MS = 1
const READS_PER_LOOK = 128

export class CoarseClock {
  readonly #env: Env
  #nowMs = 0
  #readsLeft = 0
  #isEnding = false

  constructor(env: Env) {
    this.#env = env
  }

  /** Milliseconds of the monotonic clock; at most one behind. */
  now(): number {
    return this.#readsLeft-- > 0 ? this.#nowMs : this.#look()
  }

  #look(): number {
    this.#nowMs = this.#env.monotonic()
    this.#readsLeft = READS_PER_LOOK
    if (!this.#isEnding) {
      this.#isEnding = true
      this.#env.schedule(LOOK_MS, () => {
        this.#isEnding = false
        this.#readsLeft = 0
      })
    }
    return this.#nowMs
  }
}
