/**
 * Time, timers and randomness of Node for the mesh. Timers are unreferenced: what keeps a process
 * alive is the socket. `defer` runs after everything that the turn still writes (promises included)
 * and before I/O, so that a turn's small frames share a datagram.
 */
import { randomFillSync } from 'node:crypto'
import type { MeshClock } from './contacts/contact.ts'

/**
 * Random bytes are drawn in such portions: one call to the system costs as much as a handshake's
 * arithmetic.
 */
const POOL_BYTES = 4096

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const elapsed = performance.now.bind(performance)

export function platformClock(): MeshClock {
  const random = randomPool()
  return {
    now: () => Date.now(),
    monotonic: () => elapsed(),
    schedule: (delayMs, callback) => {
      const timer = startTimer(callback, delayMs).unref()
      return { cancel: () => stopTimer(timer) }
    },
    defer: (callback) => queueMicrotask(() => process.nextTick(callback)),
    random,
  }
}

function randomPool(): (count: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES)
  let at = POOL_BYTES
  return (count) => {
    if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count))
    if (at + count > POOL_BYTES) {
      randomFillSync(pool)
      at = 0
    }
    const bytes = pool.slice(at, at + count)
    // Whoever reads this process's memory later does not learn what was drawn.
    pool.fill(0, at, at + count)
    at += count
    return bytes
  }
}
