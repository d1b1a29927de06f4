/** Time and timers of the platform, for what lives in memory. */
import type { NetworkClock } from '../../src/ports/memory-network/directed-link.ts'

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const elapsed = performance.now.bind(performance)

export function platformClock(): NetworkClock {
  return {
    monotonic: () => elapsed(),
    schedule: (delayMs, callback) => {
      const timer = startTimer(callback, delayMs)
      // A frame under way keeps no process alive. Browsers have numbers for timers.
      if (typeof timer === 'object') timer.unref()
      return { cancel: () => stopTimer(timer) }
    },
    defer: (callback) => queueMicrotask(callback),
  }
}
