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
import { platformClock } from './platform-clock.ts'

export interface MemoryNetworkOptions extends MemoryNetworkSettings {
  /** Time and timers. Default: the platform's. */
  readonly env?: NetworkClock
}

export function memoryNetwork({ env, ...settings }: MemoryNetworkOptions = {}): MemoryNetwork {
  return memoryNetworkOn(env ?? platformClock(), settings)
}
