/**
 * The in-memory primary store (`src/ports/stores`, where the simulator torments the engine with the
 * same one) on the platform's clock and timers, unless it is given an `Env`.
 */
import {
  type MemoryStore,
  memoryStoreOn,
  type MemoryStoreSettings,
  type StoreClock,
} from '../../src/ports/stores/memory-store.ts'
import { platformClock } from './platform-clock.ts'

export interface MemoryStoreOptions extends MemoryStoreSettings {
  /** Time and timers. Default: the platform's. */
  readonly env?: StoreClock
}

export function memoryStore({ env, ...settings }: MemoryStoreOptions = {}): MemoryStore {
  return memoryStoreOn(env ?? platformClock(), settings)
}
