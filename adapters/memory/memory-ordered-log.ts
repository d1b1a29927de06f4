/**
 * The ordered log in memory (`src/ports/ordered-memory`, where the simulator torments the engine
 * with the same one) on the platform's clock and randomness, unless it is given an `Env`. One
 * object is shared by all replicas of a process that are to have the same order, and outlives them.
 */
import type { OrderedLogClock } from '../../src/ports/ordered-memory/log-core.ts'
import {
  type MemoryOrderedLog,
  memoryOrderedLogOn,
  type MemoryOrderedLogSettings,
} from '../../src/ports/ordered-memory/memory-ordered-log.ts'
import { platformClock } from './platform-clock.ts'

export interface MemoryOrderedLogOptions extends MemoryOrderedLogSettings {
  /** Time, timers and randomness. Default: the platform's. */
  readonly env?: OrderedLogClock
}

export function memoryOrderedLog({ env, ...settings }: MemoryOrderedLogOptions = {}): MemoryOrderedLog {
  return memoryOrderedLogOn(env ?? platformClock(), settings)
}
