/**
 * `warp-engine/memory`: a network inside one process, whose links can be cut, delayed and made to
 * lose, repeat and reorder.
 */
export { memoryNetwork } from './memory-network.ts'
export type { MemoryNetworkOptions } from './memory-network.ts'
export type { LinkEnds, MemoryNetwork, MemoryNetworkStats } from '../../src/ports/memory-network/memory-network.ts'
export type { LinkSettings } from '../../src/ports/memory-network/link-settings.ts'
