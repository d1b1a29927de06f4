/**
 * Promises that settle without anything to wait for never let the event loop turn: a loop of
 * awaited calls would keep timers, sockets and everybody else waiting for as long as it runs. So
 * after a step's worth of settlements since the loop was last seen to turn, the next one waits for
 * a turn.
 *
 * It is counted, as everywhere (`budget.ts`): no clock is asked on the way of a call. When half of
 * the step is spent a turn is asked for, and the count begins anew with it. Whoever pauses by
 * himself is never held up, and pays for one turn in some five hundred calls.
 *
 * Once the step is spent, one settlement in `HELD_UP_ONE_IN` waits. That stops a loop at once, and
 * a crowd of loops soon. Of calls that are made one after the other without waiting, which nothing
 * can pause, `HELD_UP_MAX` wait and not all: what waits piles up until they are over.
 */
import type { Env } from '../ports/env.ts'
import { STEP } from './budget.ts'

const HELD_UP_ONE_IN = 16
/** Between two microtasks. */
const HELD_UP_MAX = 256
/** When a turn is asked for. */
const HALF = STEP.operations / 2
/** So many bytes cost what an operation does. */
const BYTES_SHIFT = Math.log2(STEP.bytes / STEP.operations)

export class Turns {
  readonly #env: Env
  /** Of the step. */
  #left: number = STEP.operations
  #lateCount = 0
  /** Since the last microtask. */
  #heldUpCount = 0
  /** Settles in the turn that has been asked for. */
  #turn: Promise<void> | undefined

  constructor(env: Env) {
    this.#env = env
  }

  /** What a call did beyond being one: so many operations, and so many bytes of them. */
  spend(operations: number, bytes: number): void {
    this.#left -= operations + (bytes >>> BYTES_SHIFT)
  }

  /** A promise of `value` for a caller who need not wait for anything. */
  settled<T>(value: T): Promise<T> {
    if (--this.#left > HALF) return Promise.resolve(value)
    const turn = this.#turnToWaitFor()
    return turn === undefined ? Promise.resolve(value) : turn.then(() => value)
  }

  /** As `settled`, for what is refused: who tries again and again is a loop too. */
  rejected(error: Error): Promise<never> {
    if (--this.#left > HALF) return Promise.reject(error)
    const turn = this.#turnToWaitFor()
    if (turn === undefined) return Promise.reject(error)
    return turn.then(() => {
      throw error
    })
  }

  /** As `settled`, for what may have to be waited for, and may not. */
  after<T>(promise: Promise<T>): Promise<T> {
    if (--this.#left > HALF) return promise
    const turn = this.#turnToWaitFor()
    return turn === undefined ? promise : promise.then((value) => turn.then(() => value))
  }

  /** Counts one call, for a function that waits by itself: what it has to await, if anything. */
  next(): Promise<void> | undefined {
    return --this.#left > HALF ? undefined : this.#turnToWaitFor()
  }

  #turnToWaitFor(): Promise<void> | undefined {
    this.#turn ??= this.#env.yield().then(() => {
      this.#left = STEP.operations
      this.#lateCount = 0
      this.#turn = undefined
    })
    if (this.#left > 0 || this.#heldUpCount === HELD_UP_MAX) return undefined
    if (this.#lateCount++ % HELD_UP_ONE_IN > 0) return undefined
    if (this.#heldUpCount++ === 0) void Promise.resolve().then(() => (this.#heldUpCount = 0))
    return this.#turn
  }
}
