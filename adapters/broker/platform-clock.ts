/** Time, timers and randomness of Node for what speaks to brokers. Timers keep no process alive. */
import { randomBytes } from 'node:crypto'
import type { Env } from '../../src/index.ts'

export type BrokerClock = Pick<Env, 'now' | 'monotonic' | 'schedule' | 'random'>

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const elapsed = performance.now.bind(performance)

export function platformClock(): BrokerClock {
  return {
    now: () => Date.now(),
    monotonic: () => elapsed(),
    schedule: (delayMs, callback) => {
      const timer = startTimer(callback, delayMs).unref()
      return { cancel: () => stopTimer(timer) }
    },
    random: (count) => new Uint8Array(randomBytes(count)),
  }
}

/** `count` random bytes as lower-case hexadecimal digits. */
export function randomHex(clock: BrokerClock, count: number): string {
  return Array.from(clock.random(count), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** `ms` and up to a quarter more: many that lost the same server do not come back in the same moment. */
export function withJitter(clock: BrokerClock, ms: number): number {
  return ms + (ms / 4) * (clock.random(1)[0]! / 256)
}

/** Resolves when the promise has settled, however, or the time is over. */
export function settledWithin(clock: BrokerClock, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.schedule(limitMs, resolve)
    const done = (): void => {
      timer.cancel()
      resolve()
    }
    promise.then(done, done)
  })
}
