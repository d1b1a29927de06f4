/**
 * Keyv over Warp: what Keyv stores is a key of the engine, and so on every replica. With it cache-manager,
 * cacheable and NestJS's cache module stand on Warp as well. Keyv's own serialiser makes the texts.
 */
import { EventEmitter } from 'node:events'
import type { KeyvStoreAdapter, StoredData } from 'keyv'
import { type FrontedEngine, KeyspaceFront } from '../../../src/api/front/keyspace-front.ts'

/** Keys of Keyv that begin with its namespace are its own. */
export class WarpKeyv extends EventEmitter implements KeyvStoreAdapter {
  /** Set by Keyv. */
  namespace?: string | undefined
  /** Keyv asks only stores that name one of these dialects for their keys; the list is its own. */
  readonly opts: { readonly dialect: 'redis'; readonly url: string }
  readonly #front: KeyspaceFront

  constructor(warp: FrontedEngine, pattern: string) {
    super()
    this.#front = new KeyspaceFront('warpKeyv', warp, pattern)
    this.opts = { dialect: 'redis', url: `warp:${pattern}` }
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return (await this.#front.get(key)) as StoredData<Value> | undefined // what Keyv has set
  }

  async getMany<Value>(keys: string[]): Promise<StoredData<Value | undefined>[]> {
    return (await this.#front.getMany(keys)) as StoredData<Value | undefined>[] // what Keyv has set
  }

  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    await this.#front.set(key, value, ttl)
  }

  delete(key: string): Promise<boolean> {
    return this.#front.delete(key)
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    const deleted = await Promise.all(keys.map((key) => this.#front.delete(key)))
    return deleted.every(Boolean)
  }

  async has(key: string): Promise<boolean> {
    return (await this.#front.get(key)) !== undefined
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const values = await this.#front.getMany(keys)
    return values.map((value) => value !== undefined)
  }

  clear(): Promise<void> {
    return this.#front.clear(beginningOf(this.namespace))
  }

  iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    return this.#front.entries(beginningOf(namespace)) as AsyncGenerator<[string, Awaited<Value>], void>
  }

  /** The engine stays open: whoever opened it closes it. */
  disconnect(): Promise<void> {
    return Promise.resolve()
  }
}

function beginningOf(namespace: string | undefined): string {
  return namespace === undefined ? '' : `${namespace}:`
}

/**
 * A store for Keyv that keeps its keys in those of an engine, behind the prefix of `pattern`:
 *
 *     const keyv = new Keyv({ store: warpKeyv(warp, 'cache:*'), namespace: 'pages', throwOnErrors: true })
 *
 * `clear` deletes what is in the namespace of the Keyv; with `useKeyPrefix: false`, give
 * `namespace: undefined`. `disconnect` leaves the engine open. Throws `WARP_E_PATTERN`,
 * `WARP_E_UNREGISTERED_KEY` if the engine has no such pattern, and `WARP_E_CONFIG` if its strategy has no
 * `set`; what calls reject with is an error event of Keyv, or with `throwOnErrors` an error.
 */
export function warpKeyv(warp: FrontedEngine, pattern: string): WarpKeyv {
  return new WarpKeyv(warp, pattern)
}
