/**
 * The in-memory network (`src/ports/memory-network`, where the simulator torments replicas with the
 * same one) on the platform's clock and timers, unless it is given an `Env`.
 */
import type { NetworkClock } from '../../src/ports/memory-network/directed-link.ts'
import {
  type MemoryNetwork,
  memoryNetworkOn,
  type MemoryNetworkSettings,
} from '../../src/ports/memory-network/memory-network.ts'

export interface MemoryNetworkOptions extends MemoryNetworkSettings {
  /** Time and timers. Default: the platform's. */
  readonly env?: NetworkClock
}

/** Those of now: tests of users replace them later (adapters/node/node-env.ts). */
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const elapsed = performance.now.bind(performance)

export function memoryNetwork({ env, ...settings }: MemoryNetworkOptions = {}): MemoryNetwork {
  return memoryNetworkOn(env ?? platformClock(), settings)
}

function platformClock(): NetworkClock {
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
