/** Keyspaces whose truth is in a primary store: what they say of it, checked once. */
import { isNumberFrom, isWholeFrom } from '../../../crdt/checked-options.ts'
import { shownKind, shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { LIFE_MS_MAX, STORE_BATCH_MAX, STORE_MS_MAX } from '../../limits.ts'
import type { PrimaryStore } from '../../ports/primary-store.ts'
import { functionStore, type StoreFunctions } from '../../ports/stores/function-store.ts'

export type Writes = 'through' | 'behind'

/** What a keyspace with a store says beside its copies. */
export interface StoreOptions {
  /**
   * Where the truth of the keys is: `sqlStore(…)`, `redisStore(…)`, `keyvStore(…)`, `memoryStore(…)`,
   * or functions `{ load, save, remove }`. What these two can compare, and what not, is in
   * docs/stores.md.
   */
  readonly store: PrimaryStore | StoreFunctions
  /**
   * `'behind'` (the default): a write is an operation at once, and goes to the store in a batch some
   * milliseconds later; with `fileLog()` it survives the end of the process. `'through'`: the promise
   * waits for the store, and what the store refuses never becomes visible.
   */
  readonly writes?: Writes
  /** Bounds each request to the store, ms, 1 to 3,600,000. Default 2,000. */
  readonly storeTimeoutMs?: number
  /** So long writes are gathered before they go to the store, ms, 0 to 3,600,000. Default 50. */
  readonly flushDelayMs?: number
  /** Keys that one statement writes at most, 1 to 1,000. Default 100. */
  readonly flushBatch?: number
  /**
   * So long the row of a deleted key stays in the store at least, as a tombstone, ms: longer than any request
   * to the store may be on its way, in clients, proxies and servers. `Infinity`: for ever. Default 24 hours.
   */
  readonly tombstoneMs?: number
}

/** The same with what was left out. */
export interface StoreSource {
  readonly store: PrimaryStore
  readonly writes: Writes
  readonly timeoutMs: number
  readonly flushDelayMs: number
  readonly flushBatch: number
  readonly tombstoneMs: number
}

const TIMEOUT_MS = 2000
const FLUSH_DELAY_MS = 50
const FLUSH_BATCH = 100
const TOMBSTONE_MS = 86_400_000
const TOMBSTONE_MS_MIN = 1000

/** Throws `WARP_E_CONFIG`. */
export function storeSourceOf(what: string, options: StoreOptions): StoreSource {
  const { writes = 'behind' } = options
  if ((writes as unknown) !== 'behind' && (writes as unknown) !== 'through')
    throw refused(what, 'writes', shownKind(writes), "use 'through' or 'behind'")
  return {
    store: storeOf(what, options.store),
    writes,
    timeoutMs: whole(what, 'storeTimeoutMs', options.storeTimeoutMs ?? TIMEOUT_MS, 1, STORE_MS_MAX),
    flushDelayMs: whole(what, 'flushDelayMs', options.flushDelayMs ?? FLUSH_DELAY_MS, 0, STORE_MS_MAX),
    flushBatch: whole(what, 'flushBatch', options.flushBatch ?? FLUSH_BATCH, 1, STORE_BATCH_MAX),
    tombstoneMs: tombstoneMsOf(what, options.tombstoneMs ?? TOMBSTONE_MS),
  }
}

function tombstoneMsOf(what: string, value: unknown): number {
  if (value === Infinity || isNumberFrom(value, TOMBSTONE_MS_MIN, LIFE_MS_MAX)) return value
  const remedy = `give ms from ${TOMBSTONE_MS_MIN} to ${LIFE_MS_MAX}, or Infinity`
  throw refused(what, 'tombstoneMs', shownValue(value), remedy)
}

/** One object for functions that are given twice: who wrote what is remembered there. */
const ofFunctions = new WeakMap<object, PrimaryStore>()

function storeOf(what: string, store: PrimaryStore | StoreFunctions): PrimaryStore {
  if (typeof store !== 'object' || (store as unknown) === null)
    throw refused(what, 'store', shownKind(store), 'give a store, such as sqlStore(…), or { load, save, remove }')
  if ('readRows' in store && typeof (store as { readonly readRows: unknown }).readRows === 'function') return store
  const known = ofFunctions.get(store)
  if (known !== undefined) return known
  const made = functionStore(store as StoreFunctions)
  ofFunctions.set(store, made)
  return made
}

// eslint-disable-next-line max-params -- an option, and its bounds
function whole(what: string, option: string, value: unknown, least: number, most: number): number {
  if (isWholeFrom(value, least, most)) return value
  throw refused(what, option, shownValue(value), `give a whole number from ${least} to ${most}`)
}

function refused(what: string, option: string, shown: string, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${what}: ${option} is ${shown}; ${remedy}`, { details: { option } })
}
