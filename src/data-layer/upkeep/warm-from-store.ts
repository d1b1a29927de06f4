/** Warm-up from a primary store: what it lists is loaded, by the way of every other load. */
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Source } from '../../keys/source/source.ts'
import type { Loads } from '../loads.ts'
import type { Stores } from '../stored/stores.ts'
import { listedKeys, type StoredTarget } from './stored-targets.ts'
import type { KeyCounts, WarmPage } from './warm-round.ts'

export interface FromStoreOptions {
  readonly loads: Loads
  readonly stores: Stores
  readonly signal: AbortSignal | undefined
}

/** The keys of one target, page by page. */
export async function* fromStore(target: StoredTarget, options: FromStoreOptions): AsyncGenerator<WarmPage> {
  const { keyspace, prefix, isMeant } = target
  const load = (keys: readonly string[]): Promise<KeyCounts> => loaded(keyspace, keys, options)
  for await (const page of listedKeys(options.stores.way(keyspace).client, prefix))
    yield { keys: page.filter(isMeant), load }
}

/** By one request, which begins in the turn in which their loads do. */
async function loaded(
  keyspace: Keyspace,
  keys: readonly string[],
  { loads, stores, signal }: FromStoreOptions,
): Promise<KeyCounts> {
  const { rules } = keyspace.source as Source
  let rows: Promise<ReadonlyMap<string, unknown>> | undefined
  let isSameTurn = true
  const load = async (key: string): Promise<unknown> => {
    // Who loads later must not be given what was read before.
    if (!isSameTurn) return stores.load(key, keyspace)
    rows ??= stores.loadAll(keyspace, keys)
    return (await rows).get(key)
  }
  const reads = keys.map((key) => loads.read({ key, rules, tags: [], signal, load: () => load(key) }))
  isSameTurn = false
  const counts = { loadedCount: 0, presentCount: 0, absentCount: 0, failedCount: 0 }
  let failure: { readonly error: unknown } | undefined
  for (const read of await Promise.allSettled(reads)) {
    if (read.status === 'fulfilled') {
      if (read.value === undefined) counts.absentCount++
      else counts.loadedCount++
    } else if (isOfKey(read.reason)) counts.failedCount++
    else failure ??= { error: read.reason }
  }
  if (failure !== undefined) throw failure.error
  return counts
}

/** Whether it is about one row, and not about the store. */
function isOfKey(error: unknown): boolean {
  if (!isWarpError(error, 'WARP_E_LOAD')) return false
  const { cause } = error
  if (!isWarpError(cause, 'WARP_E_STORE')) return true
  const { failure, key, store } = cause.details
  return failure === 'broken' && (key !== undefined || store === undefined)
}
