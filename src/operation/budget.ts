/**
 * Long work is done in steps, so that nothing holds the event loop for more than 50 ms. Whoever
 * does such work spends from a budget for each operation and its bytes, and pauses when the budget
 * is spent. Counting keys would not do: one key may have a million operations.
 *
 *     for (const position of positions) {
 *       const record = log.record(position)
 *       …
 *       budget.spend(1, record.end - record.start)
 *       if (budget.isSpent) await budget.pause()
 *     }
 */
import type { Env } from '../ports/env.ts'

/**
 * What one step may do. To read and fold an operation takes 1 to 5 µs, to decode 64 KiB about 1 ms;
 * so a step takes some milliseconds, a tenth of what it may, also on a machine that is several
 * times slower. A turn of the event loop costs a few µs.
 */
export const STEP = { operations: 1024, bytes: 262_144 } as const

/** What work that can be done in steps, or in one go, spends from. */
export interface Meter {
  /**
   * So many operations, keys or records have been looked at, and so many bytes of them been read or
   * written.
   */
  spend(operations: number, bytes: number): void
  /** The step is over. */
  readonly isSpent: boolean
}

/** For work whose caller cannot wait: it is never spent. */
export const UNBOUNDED: Meter = {
  spend: () => undefined,
  isSpent: false,
}

/** One step after another, for those who schedule their steps themselves. */
export class Step implements Meter {
  #operations: number = STEP.operations
  #bytes: number = STEP.bytes

  spend(operations: number, bytes: number): void {
    this.#operations -= operations
    this.#bytes -= bytes
  }

  get isSpent(): boolean {
    return this.#operations <= 0 || this.#bytes <= 0
  }

  /** Of this step. */
  get operationsSpent(): number {
    return STEP.operations - this.#operations
  }

  /** The next step begins. */
  begin(): void {
    this.#operations = STEP.operations
    this.#bytes = STEP.bytes
  }
}

/**
 * Lets more be done in a step, for work that would otherwise never come to its end: of what is spent
 * only a part counts.
 */
export class Haste implements Meter {
  /** How many times as much as a step's worth is done in one. */
  times = 1
  readonly #meter: Meter

  constructor(meter: Meter) {
    this.#meter = meter
  }

  spend(operations: number, bytes: number): void {
    this.#meter.spend(operations / this.times, bytes / this.times)
  }

  get isSpent(): boolean {
    return this.#meter.isSpent
  }
}

export class Budget extends Step {
  readonly #env: Env
  readonly #check: () => void

  /** `check` is called after each pause; it throws when the work is to be given up. */
  constructor(env: Env, check: () => void = nothing) {
    super()
    this.#env = env
    this.#check = check
  }

  /** Lets other work proceed, and begins the next step. What was read before may have changed. */
  async pause(): Promise<void> {
    await this.rest()
    this.#check()
  }

  /** A pause in work that is not given up. */
  async rest(): Promise<void> {
    await this.#env.yield()
    this.begin()
  }

  /** Does work that says with each `yield` that its step is over. */
  async finish<Result>(steps: Generator<void, Result>): Promise<Result> {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await this.pause()
    }
  }
}

/** What so many operations cost is spent for each key, however few it has. */
const OPERATIONS_PER_KEY = 16

/** Work in steps between which a check tells how far it is, and can be given up. */
export class PausedWork extends Step {
  readonly #pause: () => Promise<void>

  /** `pause` lets other work proceed, and throws when the work is to be given up. */
  constructor(pause: () => Promise<void>) {
    super()
    this.#pause = pause
  }

  /** Does work that says with each `yield` that its step is over. */
  async finish<Result>(steps: Generator<void, Result>): Promise<Result> {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await this.#rest()
    }
  }

  /** A key has been looked at. */
  async spendKey(): Promise<void> {
    this.spend(OPERATIONS_PER_KEY, 0)
    if (this.isSpent) await this.#rest()
  }

  async #rest(): Promise<void> {
    await this.#pause()
    this.begin()
  }
}

/** Does the same work in one go. It must have been given `UNBOUNDED`. */
export function finishNow<Result>(steps: Generator<void, Result>): Result {
  const step = steps.next()
  if (step.done !== true) throw new Error('work that was to be done in one go was interrupted')
  return step.value
}

function nothing(): void {
  // Nobody gives the work up.
}
