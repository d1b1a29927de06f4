/**
 * The replica's hybrid logical clock (Kulkarni et al. 2014): every stamp is greater than every
 * stamp made or admitted before, whatever the wall clock does. Stamps too far ahead of the wall
 * clock may not move it.
 */
import { HLC_LOGICAL_STEPS, nextHlc, type Hlc } from '../../crdt/time/hlc.ts'
import type { Env } from '../ports/env.ts'

export class HybridClock {
  readonly #env: Env
  readonly #driftMax: number
  #last: Hlc = 0

  constructor(env: Env, driftMsMax: number) {
    this.#env = env
    this.#driftMax = driftMsMax * HLC_LOGICAL_STEPS
  }

  get last(): Hlc {
    return this.#last
  }

  /** The stamp of a new local operation. */
  tick(): Hlc {
    this.#last = nextHlc(this.#last, this.#env.now())
    return this.#last
  }

  /** Whether a stamp is further ahead of the wall clock than the drift allowed. */
  isAhead(hlc: Hlc): boolean {
    return hlc > this.#last && hlc > this.#env.now() * HLC_LOGICAL_STEPS + this.#driftMax
  }

  /** Moves past the stamp of an operation that has been admitted or recovered. */
  observe(hlc: Hlc): void {
    if (hlc > this.#last) this.#last = hlc
  }
}
