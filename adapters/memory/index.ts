/**
 * `warp-engine/memory`: a network inside one process, whose links can be cut, delayed and made to
 * lose, repeat and reorder; a primary store that can be slow, fail and hang; and an ordered log for
 * the strong keys of all replicas of a process.
 */
export { memoryNetwork } from './memory-network.ts'
export type { MemoryNetworkOptions } from './memory-network.ts'
export type { LinkEnds, MemoryNetwork, MemoryNetworkStats } from '../../src/ports/memory-network/memory-network.ts'
export type { LinkSettings } from '../../src/ports/memory-network/link-settings.ts'
export { memoryOrderedLog } from './memory-ordered-log.ts'
export type { MemoryOrderedLogOptions } from './memory-ordered-log.ts'
export type { MemoryOrderedLog, MemoryOrderedLogStats } from '../../src/ports/ordered-memory/memory-ordered-log.ts'
export type { OrderedLogClock } from '../../src/ports/ordered-memory/log-core.ts'
export type { OrderedLogTroubles } from '../../src/ports/ordered-memory/log-troubles.ts'
export { memoryStore } from './memory-store.ts'
export type { MemoryStoreOptions } from './memory-store.ts'
export type { MemoryStore, MemoryStoreStats, RowRule, StoreClock } from '../../src/ports/stores/memory-store.ts'
export type { StoreTroubles } from '../../src/ports/stores/store-troubles.ts'
