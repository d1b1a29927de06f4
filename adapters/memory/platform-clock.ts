/** Time, timers and randomness of the platform, for what lives in memory. */
import type { Env } from '../../src/ports/env.ts'

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
/** Browsers have none. */
const nextTurn = globalThis.setImmediate as typeof setImmediate | undefined
const elapsed = performance.now.bind(performance)

export function platformClock(): Omit<Env, 'stayAlive'> {
  return {
    now: () => Date.now(),
    monotonic: () => elapsed(),
    schedule: (delayMs, callback) => {
      const timer = startTimer(callback, delayMs)
      // A frame under way keeps no process alive. Browsers have numbers for timers.
      if (typeof timer === 'object') timer.unref()
      return { cancel: () => stopTimer(timer) }
    },
    defer: (callback) => queueMicrotask(callback),
    yield: () => new Promise((resolve) => (nextTurn === undefined ? startTimer(resolve, 0) : nextTurn(resolve))),
    random: (count) => crypto.getRandomValues(new Uint8Array(count)),
  }
}
