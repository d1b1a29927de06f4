/** `warp-engine/keyv`: rows in anything that Keyv speaks to. One writer a key: docs/stores.md. */
export { keyvStore } from './keyv-store.ts'
export type { KeyvStoreOptions } from './keyv-store.ts'
