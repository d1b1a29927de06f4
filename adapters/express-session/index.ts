/** `warp-engine/express-session`: sessions of Express on every replica (docs/fronts.md). */
export { WarpSessionStore } from './warp-session-store.ts'
export type { SessionEngine, WarpSessionStoreOptions } from './warp-session-store.ts'
