/**
 * Rows in Redis or Valkey: the value under its own name, as any other client would write it, and
 * meta and token in a hash beside it. Compare-and-set is a script. The client is the user's and
 * stays open.
 */
import type { Cluster, Redis } from 'ioredis'
import type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreCodec,
  StoreRequest,
  StoreRow,
  TombstonePage,
  TombstoneRequest,
} from '../../../src/ports/primary-store.ts'
import { firstKeys } from '../../../src/ports/stores/key-order.ts'
import { allOf } from '../../../src/ports/stores/one-writer.ts'
import { requestError, runRequest, storeError, type StoreFailures } from '../../../src/ports/stores/store-error.ts'
import { keyOfMeta, namesOf, patternOf, refusalOf } from './names.ts'
import { type RedisClient, type RedisSettings, type RedisStoreOptions, redisSettings } from './options.ts'
import { failureOf, isUnknownScript } from './redis-errors.ts'
import { NoConnection, RedisConnection } from './redis-connection.ts'
import { COMPARE_AND_SET, PURGE, READ, type Script } from './scripts.ts'

/** Names that one call of SCAN looks at. */
const SCAN_COUNT = 1000

export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): PrimaryStore {
  return new RedisStore(client, options)
}

type Answered = Buffer | null | undefined

class RedisStore implements PrimaryStore {
  readonly name: string
  readonly comparesAndSets = true
  readonly codec: StoreCodec
  readonly #failures: StoreFailures
  readonly #client: RedisClient
  readonly #settings: RedisSettings
  readonly #connection: RedisConnection

  constructor(client: RedisClient, options: RedisStoreOptions) {
    this.#settings = redisSettings(client, options)
    this.#client = client
    this.name = `redis:${this.#settings.name}`
    const isUndone = (cause: unknown): boolean => cause instanceof NoConnection && cause.isUndone
    const isAway = (cause: unknown): boolean => cause instanceof NoConnection
    this.#failures = { store: this.name, failureOf, isUndone, isAway }
    this.codec = this.#settings.codec
    this.#connection = new RedisConnection(client)
  }

  close(): Promise<void> {
    this.#connection.close()
    return Promise.resolve()
  }

  readRows(keys: readonly string[], { signal }: StoreRequest): Promise<(StoreRow | undefined)[]> {
    return this.#request('reading', signal, () => allOf(keys.map((key) => this.#read(key))))
  }

  compareAndSet(changes: readonly RowChange[], { signal }: StoreRequest): Promise<RowOutcome[]> {
    return this.#request('writing', signal, () => allOf(changes.map((change) => this.#change(change))))
  }

  purge(rows: readonly PurgedRow[], { signal }: StoreRequest): Promise<number> {
    return this.#request('purging', signal, async () => {
      const held = rows.filter(({ key }) => refusalOf(key, this.#settings) === undefined)
      const purged = await allOf(held.map(({ key, token }) => this.#run(PURGE, key, [bytesIn(token)])))
      return purged.filter((answer) => answer === 1).length
    })
  }

  /**
   * Redis keeps no order: each page looks at all names, and keeps no more of them in memory than a
   * page.
   */
  listKeys(request: ListRequest): Promise<string[]> {
    return this.#request('listing keys', request.signal, async () => {
      const found = new Set<string>()
      for (const node of this.#nodes()) await this.#scan(node, request, found)
      return firstKeys(found, request)
    })
  }

  /** `from`: which node, and the cursor of its SCAN. */
  listTombstones({ from = '0 0', limit, signal }: TombstoneRequest): Promise<TombstonePage> {
    return this.#request('looking for tombstones', signal, async () => {
      const [number = '0', cursor = '0'] = from.split(' ')
      const nodes = this.#nodes()
      const node = nodes[Number(number)]
      if (node === undefined) return { rows: [] }
      const match = patternOf(this.#settings.metaPrefix)
      const [next, names] = await node.scanBuffer(cursor, 'MATCH', match, 'COUNT', limit, 'TYPE', 'hash')
      const keys = names.flatMap((name) => keyOfMeta(name.toString(), this.#settings) ?? [])
      const rows = await allOf(keys.map((key) => this.#read(key)))
      const gone = keys.flatMap((key, i) =>
        rows[i] === undefined || rows[i].value ? [] : [{ key, token: rows[i].token }],
      )
      const isNodeDone = next.toString() === '0'
      const isDone = isNodeDone && Number(number) === nodes.length - 1
      const following = isNodeDone ? `${Number(number) + 1} 0` : `${number} ${next.toString()}`
      return { rows: gone, next: isDone ? undefined : following }
    })
  }

  async #read(key: string): Promise<StoreRow | undefined> {
    if (refusalOf(key, this.#settings) !== undefined) return undefined
    const [value, meta, token] = (await this.#run(READ, key, [])) as Answered[]
    return rowOut(value, meta, token)
  }

  async #change({ key, expected, next }: RowChange): Promise<RowOutcome> {
    const refusal = refusalOf(key, this.#settings)
    if (refusal !== undefined) {
      const message = `the key '${key}' cannot be kept: ${refusal}; choose another key, or another prefix`
      return { kind: 'rejected', error: storeError({ store: this.name, failure: 'rejected', message, key }) }
    }
    const before = [bytesIn(expected?.token), bytesIn(expected?.value), flag(expected?.value)]
    const after = [bytesIn(next.value), flag(next.value), bytesIn(next.meta), bytesIn(next.token)]
    try {
      const answer = await this.#run(COMPARE_AND_SET, key, [...before, ...after, String(this.#settings.tombstoneMs)])
      const [done, value, meta, token] = answer as [number, Answered, Answered, Answered]
      return done === 1 ? { kind: 'done' } : { kind: 'refused', row: rowOut(value, meta, token) }
    } catch (error) {
      if (failureOf(error) !== 'rejected') throw error
      return { kind: 'rejected', error: requestError(this.#failures, 'writing', error, key) }
    }
  }

  /** By its digest; a server that does not know the script gets it whole. */
  async #run(script: Script, key: string, parameters: readonly (string | Buffer)[]): Promise<unknown> {
    const { value, meta } = namesOf(key, this.#settings)
    try {
      return await this.#client.callBuffer('EVALSHA', script.digest, 2, value, meta, ...parameters)
    } catch (error) {
      if (!isUnknownScript(error)) throw error
      return await this.#client.callBuffer('EVAL', script.source, 2, value, meta, ...parameters)
    }
  }

  #nodes(): readonly Redis[] {
    return this.#settings.isCluster ? (this.#client as Cluster).nodes('master') : [this.#client as Redis]
  }

  async #scan(node: Redis, request: ListRequest, found: Set<string>): Promise<void> {
    const { prefix, metaPrefix } = this.#settings
    const match = patternOf(prefix + request.prefix)
    let cursor = '0'
    do {
      // Only texts can be values: meta is a hash, and other types are other people's.
      const answer = await node.scanBuffer(cursor, 'MATCH', match, 'COUNT', SCAN_COUNT, 'TYPE', 'string')
      const [next, names] = answer
      cursor = next.toString()
      for (const name of names.map((bytes) => bytes.toString()))
        if (!name.startsWith(metaPrefix)) found.add(name.slice(prefix.length))
      if (found.size > 2 * request.limit + SCAN_COUNT) keepFirst(found, request)
    } while (cursor !== '0' && !request.signal.aborted)
  }

  #request<Answer>(doing: string, signal: AbortSignal, run: () => Promise<Answer>): Promise<Answer> {
    return runRequest(this.#failures, doing, signal, () => this.#connection.whileUp(run))
  }
}

function keepFirst(found: Set<string>, request: ListRequest): void {
  const first = firstKeys(found, request)
  found.clear()
  for (const key of first) found.add(key)
}

function rowOut(value: Answered, meta: Answered, token: Answered): StoreRow | undefined {
  if (!value && !meta && !token) return undefined
  return { value: value ? bytesOut(value) : undefined, meta: bytesOut(meta), token: bytesOut(token) }
}

/** A copy: answers are views of what came from the socket. */
function bytesOut(bytes: Answered): Uint8Array {
  return bytes ? new Uint8Array(bytes) : new Uint8Array()
}

function bytesIn(bytes: Uint8Array | undefined): Buffer {
  return bytes === undefined ? Buffer.alloc(0) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function flag(value: Uint8Array | undefined): string {
  return value === undefined ? '0' : '1'
}
