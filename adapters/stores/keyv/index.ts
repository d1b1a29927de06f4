/**
 * `warp-engine/keyv`: rows in anything that Keyv speaks to (one writer a key: docs/stores.md), and Keyv
 * over Warp (docs/fronts.md).
 */
export { keyvStore } from './keyv-store.ts'
export type { KeyvStoreOptions } from './keyv-store.ts'
export { warpKeyv } from './warp-keyv.ts'
export type { WarpKeyv } from './warp-keyv.ts'
export type { FrontedEngine } from '../../../src/api/front/keyspace-front.ts'
