/**
 * `getOrSet` before a store: what the store has is read, and what it has not is made by the caller and
 * written, once for all who ask meanwhile.
 */
import { asError, isWarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { NOT_MODIFIED, type CopyRules, type LoadMany } from '../../keys/source/source.ts'
import type { Env } from '../../ports/env.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { NO_OPTIONS, type Writer } from '../../store/write-road/writer.ts'
import { madeBy } from '../batches.ts'
import type { Invalidations } from '../invalidations.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { Answer, LoadRequest } from '../load-request.ts'
import type { Stores } from './stores.ts'

export interface MakingOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
  readonly invalidations: Invalidations
  readonly stores: Stores
  readonly writer: Writer
  readonly observe: (event: EngineEvent) => void
}

export class Making {
  readonly #options: MakingOptions

  constructor(options: MakingOptions) {
    this.#options = options
  }

  /** The value of a write that may be served without its store; otherwise `MISS`. */
  alone(key: string, { source }: Keyspace): unknown {
    const { stores, store, keeper, invalidations } = this.#options
    if (source?.store === undefined || keeper.hides?.(key) === true) return MISS
    const alone = stores.keys.alone(key, store.keyspaceOf(key))
    if (alone === undefined) return MISS
    const { value, tags, lifeMs } = alone
    keeper.keep(key, { value, begin: invalidations.count, rules: source.rules, tags, lifeMs })
    return value
  }

  /** The request of a caller who makes what the store has not. */
  request(keyspace: Keyspace, request: LoadRequest): LoadRequest {
    const { key, tags } = request
    return {
      ...request,
      isMade: true,
      load: async (context) => {
        const begin = this.#options.invalidations.count
        const row = await this.#rowOf(key, keyspace)
        if (row !== undefined) return row
        const made = await request.load(context)
        if (made !== undefined && made !== NOT_MODIFIED) await this.#write(key, made, { begin, tags })
        return made
      },
    }
  }

  /** The same of many keys that the store has not. */
  async many(
    keys: readonly string[],
    load: LoadMany,
    {
      rulesOfKey,
      tags,
    }: { readonly rulesOfKey: (key: string) => CopyRules; readonly tags: readonly string[] | undefined },
  ): Promise<ReadonlyMap<string, unknown>> {
    const [first] = keys
    if (first === undefined) return new Map()
    const begin = this.#options.invalidations.count
    const made = await madeBy(load, keys, rulesOfKey(first), this.#options.env)
    for (const [key, value] of made) if (value !== undefined) await this.#write(key, value, { begin, tags })
    return made
  }

  /** The row, if it has a value. Without an answer of the store the caller makes the value. */
  async #rowOf(key: string, keyspace: Keyspace): Promise<Answer | undefined> {
    try {
      const row = await this.#options.stores.load(key, keyspace)
      return row.value() === undefined ? undefined : row
    } catch (error) {
      if (isWarpError(error, 'WARP_E_STORE') && error.details['failure'] === 'transient') return undefined
      throw error
    }
  }

  /**
   * Writes what was made, unless it was made before an invalidation. Whoever asked has the value; that
   * the store could not take it is told as an event.
   */
  async #write(
    key: string,
    value: unknown,
    { begin, tags }: { readonly begin: number; readonly tags: readonly string[] | undefined },
  ): Promise<void> {
    const { store, writer, observe, invalidations } = this.#options
    if (invalidations.verdict(key, tags, begin) !== 'valid') return
    try {
      await writer.set(key, store.keyspaceOf(key), store.keys.find(key), value, NO_OPTIONS)
    } catch (error) {
      observe({ kind: 'load:failed', key, error: asError(error), isBackground: true })
    }
  }
}
