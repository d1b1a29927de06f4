/**
 * The engine's door to the world in Node: the real clocks, timers and random numbers.
 *
 * `defer` is where group commit happens, so the turn it picks matters. The callback has to run
 * after everything that the current turn of the event loop still writes, and before the loop waits
 * for I/O. `process.nextTick` alone runs too early when called from a callback of the loop (before
 * the promises that the callback settled), and `queueMicrotask` alone too early when called from a
 * promise's continuation (before its siblings'). A tick asked for from a microtask runs when the
 * microtasks have drained, whatever the caller was.
 *
 * Timers are unreferenced: an engine that waits for nothing but the next anti-entropy round does
 * not keep the process alive.
 *
 * Tests of users replace timers and clocks (`mock.timers` of node:test, `vi.useFakeTimers()`). Timers
 * that nobody advances would never fire, and `close()` would wait for them, so the functions are
 * those that were there when this module was loaded. The wall clock is asked for where it is now: a
 * test that sets it moves lives.
 */
import { randomFillSync } from 'node:crypto'
import type { Env, Timer } from '../../src/ports/env.ts'

/** The longest wait of one timer in Node, which fires a longer one at once. */
const TIMEOUT_MS_MAX = 2_147_483_647

const { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: nextTurn } = globalThis
const enqueue = globalThis.queueMicrotask
const { nextTick } = process
const elapsed = performance.now.bind(performance)

export function nodeEnv(): Env {
  return {
    now: () => Date.now(),
    monotonic: () => elapsed(),
    schedule,
    defer: (callback) => enqueue(() => nextTick(callback)),
    yield: () => new Promise((resolve) => nextTurn(resolve)),
    random: (count) => randomFillSync(new Uint8Array(count)),
    stayAlive: () => {
      const timer = setInterval(() => undefined, TIMEOUT_MS_MAX)
      return () => clearInterval(timer)
    },
  }
}

function schedule(delayMs: number, callback: () => void): Timer {
  let timer: NodeJS.Timeout
  const wait = (leftMs: number): void => {
    const nowMs = Math.min(leftMs, TIMEOUT_MS_MAX)
    timer = startTimer(() => (leftMs > nowMs ? wait(leftMs - nowMs) : callback()), nowMs)
    timer.unref()
  }
  wait(delayMs)
  return { cancel: () => stopTimer(timer) }
}
