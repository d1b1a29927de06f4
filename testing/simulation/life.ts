/**
 * One process: the `Env` that an engine lives in, and that can be taken from it. When it is dead,
 * no timer fires, no deferred callback runs and no `yield` comes back: what the engine's code was
 * waiting for does not happen, as after a `kill -9`. What runs on to the end of its microtasks
 * reaches nobody, for the disk and the network have been cut off as well.
 *
 * Paused (SIGSTOP), everything due is held and runs at resumption, in order. Slow, each callback
 * costs so much of the process's time. It can be told to die at its n-th use of the Env, which is
 * how it dies in the middle of anything.
 */
import type { Env, Timer } from '../../src/ports/env.ts'
import type { Random } from '../world/random.ts'
import type { TimeLine } from '../world/time-line.ts'
import type { MachineClock } from './machine-clock.ts'

/** As in Node and in browsers: a timer that is due again at once still lets time pass. */
const TIMER_MS_MIN = 1

export interface LifeOptions {
  readonly line: TimeLine
  readonly clock: MachineClock
  readonly random: Random
  /** It has used the Env as often as `dieAfter` said. */
  readonly onDeath: () => void
}

export class Life implements Env {
  /** What a callback costs, in virtual milliseconds. */
  costMs = 0
  readonly #options: LifeOptions
  #state: 'running' | 'paused' | 'dead' = 'running'
  #held: (() => void)[] = []
  #busyUntilMs = 0
  #callsLeft: number = Number.POSITIVE_INFINITY

  constructor(options: LifeOptions) {
    this.#options = options
  }

  get isAlive(): boolean {
    return this.#state !== 'dead'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  now(): number {
    this.#used()
    return this.#options.clock.wallMs
  }

  monotonic(): number {
    return this.#options.clock.monotonicMs
  }

  schedule(delayMs: number, callback: () => void): Timer {
    this.#used()
    let isCancelled = false
    const timer = this.#options.line.schedule(Math.max(TIMER_MS_MIN, delayMs), () =>
      this.run(() => (isCancelled ? undefined : callback())),
    )
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }

  defer(callback: () => void): void {
    this.#used()
    this.#options.line.defer(() => this.run(callback))
  }

  yield(): Promise<void> {
    this.#used()
    return new Promise((resolve) => {
      this.#options.line.defer(() => this.run(resolve))
    })
  }

  random(count: number): Uint8Array {
    return this.#options.random.bytes(count)
  }

  /** Resolves after `delayMs` of this process's life. */
  after(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.line.schedule(delayMs, () => this.run(resolve))
    })
  }

  /** Lets the process do something: now, when it is resumed, when it gets round to it, or never. */
  run(callback: () => void): void {
    switch (this.#state) {
      case 'dead':
        return
      case 'paused':
        this.#held.push(callback)
        return
      case 'running':
        if (this.costMs > 0) this.#runSlowly(callback)
        else callback()
    }
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const callback of held) this.#options.line.defer(() => this.run(callback))
  }

  die(): void {
    this.#state = 'dead'
    this.#held = []
  }

  /** Dies at the n-th use of the Env from now. */
  dieAfter(uses: number): void {
    this.#callsLeft = uses
  }

  #runSlowly(callback: () => void): void {
    const { line } = this.#options
    this.#busyUntilMs = Math.max(line.nowMs, this.#busyUntilMs) + this.costMs
    line.schedule(this.#busyUntilMs - line.nowMs, () => {
      // What was held up by a pause meanwhile comes behind what waited for longer.
      if (this.#state === 'paused') this.#held.push(callback)
      else if (this.#state === 'running') callback()
    })
  }

  #used(): void {
    if (--this.#callsLeft > 0 || this.#state === 'dead') return
    this.#callsLeft = Number.POSITIVE_INFINITY
    this.#options.onDeath()
  }
}
