/** `warp-engine/memory`: a network inside one process, whose links can be cut, delayed and made to lose, repeat and reorder. */
export { memoryNetwork } from './memory-network.ts'
export type { LinkEnds, MemoryNetwork, MemoryNetworkOptions, MemoryNetworkStats } from './memory-network.ts'
export type { LinkSettings } from './link-settings.ts'
