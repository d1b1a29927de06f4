/**
 * The primary stores of an engine: reads of their rows, and writes behind and through. Each store is
 * asked by one client; what is on its way there waits in one queue for each pattern.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Domain } from '../../keys/domain.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { LoadMany, Source } from '../../keys/source/source.ts'
import type { StoreSource } from '../../keys/source/store-source.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env } from '../../ports/env.ts'
import type { LoadTalkPort, StoredRow } from '../../ports/talk/load-talk.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import type { PrimaryStore } from '../../ports/primary-store.ts'
import type { Recorder } from '../../ports/recorder.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { KeyStore, ThroughWrite } from '../../store/key-store.ts'
import type { Entered } from '../../store/write-road/draft.ts'
import type { Invalidations } from '../invalidations.ts'
import type { Keeper } from '../keeper.ts'
import type { Answer } from '../load-request.ts'
import type { Loads } from '../loads.ts'
import { Flusher } from './flusher.ts'
import type { OpenOperation } from './rows/open-operation.ts'
import { StoreClient } from './store-client.ts'
import type { StoredKey } from './stored-key.ts'
import { StoredKeys } from './stored-keys.ts'
import { Through } from './through.ts'
import { Tombstones } from './tombstones.ts'

export interface StoresOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
  readonly loads: Loads
  readonly invalidations: Invalidations
  readonly observe: (event: EngineEvent) => void
  readonly recorder: Recorder | undefined
  /** Settles when what was written here outlives this process, as far as can be waited for. */
  readonly shared: (operations: readonly OpenOperation[]) => Promise<void>
  /** All of a key is in its store: its operations may leave the log. */
  readonly stored: (key: string) => void
  /** Whether every replica has an operation. */
  readonly isStable: (domain: Domain, dot: Dot) => boolean
  /** Other replicas; `undefined`: there are none. */
  readonly talk: LoadTalkPort | undefined
}

/** What is told of one store. */
export interface StoreCounts {
  readonly name: string
  /** Keys with writes that are not known to be in the store. */
  readonly unstoredKeysCount: number
  readonly requestsCount: number
  readonly failuresCount: number
  /** Rows that were written behind. */
  readonly flushedCount: number
  /** Of these attempts, those that found a row that somebody else had written. */
  readonly refusedCount: number
  /** Writes that the store will never take. */
  readonly rejectedCount: number
  /** Tombstones that nothing needed any more, and that were removed from here. */
  readonly purgedCount: number
  /** It fails, and is left alone for a while. */
  readonly isFailing: boolean
}

/** To the store of a pattern, and from there. */
export interface Way {
  readonly client: StoreClient
  readonly flusher: Flusher
  readonly loadMany: LoadMany
}

/** How many engines use a store: the last one closes it. */
const users = new WeakMap<PrimaryStore, number>()
const CLOSE_MS = 2000
/** What rows hold is gathered for so long before others are told. */
const TELL_MS = 50

export class Stores {
  readonly keys: StoredKeys
  readonly #options: StoresOptions
  readonly #through: Through
  readonly #ways = new Map<StoreSource, Way>()
  readonly #clients = new Map<PrimaryStore, StoreClient>()
  /** Those whose stores were opened. */
  readonly #inUse = new Set<StoreClient>()
  readonly #tombstones = new Map<StoreClient, Tombstones>()
  /** Rows of which others have not been told. */
  readonly #untold = new Set<StoredKey>()
  #isClosed = false

  constructor(options: StoresOptions) {
    this.#options = options
    const { store, env, keeper, invalidations, observe } = options
    this.keys = new StoredKeys(options)
    const tell = (stored: StoredKey): void => this.#tell(stored)
    this.#through = new Through({ store, env, keys: this.keys, keeper, invalidations, observe, tell })
    keeper.catchUp = (key) => this.keys.caughtUp(key)
    keeper.onGone = (key) => this.keys.gone(key)
    store.stored = this.keys
    store.values.ofStored = (key) => this.keys.shown(key)
    store.subscribe((entered) => this.#entered(entered))
  }

  /**
   * Makes ready what the keyspaces name, and looks at what the log holds of their keys. Throws
   * `WARP_E_CONFIG`, `WARP_E_STORE` for a store that no other try can mend.
   */
  async open(): Promise<void> {
    const opened: StoreClient[] = []
    try {
      for (const { source } of this.#options.store.keyspaces.list) {
        if (source?.store === undefined) continue
        const { client } = this.#wayOf(source.store)
        await client.open()
        if (this.#use(client)) opened.push(client)
      }
    } catch (error) {
      // Whoever tries again has the same stores: none is closed, and none is counted twice.
      for (const client of opened) this.#leave(client)
      throw error
    }
    for (const tombstones of this.#tombstones.values()) tombstones.begin()
    void this.#lookAtLog()
  }

  /** After a start nobody knows what of it the stores have. */
  async #lookAtLog(): Promise<void> {
    const { store, env } = this.#options
    const budget = new Budget(env)
    for (let slot = 0; slot < store.keys.slotsUsed && !this.#isClosed; slot++) {
      budget.spend(1, 0)
      if (budget.isSpent) await budget.rest()
      const key = store.keys.keys[slot]
      if (key === undefined) continue
      const keyspace = store.keyspaceFor(key, slot)
      const { source } = keyspace
      if (source?.store !== undefined) this.#wayOf(source.store).flusher.note(this.keys.of(key, keyspace), true)
    }
  }

  /** To the store of a keyspace that has one. */
  way({ source }: Keyspace): Way {
    return this.#wayOf((source as Source).store as StoreSource)
  }

  #wayOf(source: StoreSource): Way {
    const known = this.#ways.get(source)
    if (known !== undefined) return known
    const { env, loads, observe, shared, stored, store } = this.#options
    const client = this.#clientOf(source)
    this.#tombstones.get(client)?.keepFor(source.tombstoneMs)
    const flusher = new Flusher({
      client,
      source,
      env,
      loads,
      observe,
      shared,
      stored,
      keys: this.keys,
      table: store.table,
      turns: store.turns,
      tell: (key) => this.#tell(key),
    })
    const way = { client, flusher, loadMany: (keys: readonly string[]) => this.#loadMany(client, keys) }
    this.#ways.set(source, way)
    return way
  }

  #clientOf({ store, timeoutMs }: StoreSource): StoreClient {
    const known = this.#clients.get(store)
    if (known !== undefined) return known
    const { env, observe, recorder, isStable } = this.#options
    const client = new StoreClient({ store, env, timeoutMs, observe, recorder })
    this.#clients.set(store, client)
    this.#tombstones.set(client, new Tombstones({ client, env, store: this.#options.store, keys: this.keys, isStable }))
    return client
  }

  #entered({ slot, keyspace, replica }: Entered): void {
    const { source } = keyspace
    if (source?.store === undefined) return
    const { store, keeper } = this.#options
    const key = store.keys.keys[slot] as string
    keeper.behind(key)
    this.#wayOf(source.store).flusher.note(this.keys.of(key, keyspace), store.writers.isOwn(replica))
  }

  /** Tells other replicas what the row of a key holds, a little later with others. */
  #tell(stored: StoredKey): void {
    const { talk, env } = this.#options
    if (talk === undefined || this.#isClosed) return
    if (this.#untold.size === 0) env.schedule(TELL_MS, () => this.#tellAll(talk))
    this.#untold.add(stored)
  }

  #tellAll(talk: LoadTalkPort): void {
    const rows = [...this.#untold].map(({ key, stored }) => ({ key, vector: stored }))
    this.#untold.clear()
    if (!this.#isClosed) talk.tellStored(rows)
  }

  /** Another replica has written rows. */
  told(rows: readonly StoredRow[]): void {
    for (const { key, vector } of rows) {
      const stored = this.keys.find(key)
      const source = stored?.keyspace.source?.store
      if (stored === undefined || source === undefined) continue
      if (this.keys.told(stored, vector)) this.#wayOf(source).flusher.told(stored)
    }
  }

  /** The row of a key, to be taken in. */
  async load(key: string, keyspace: Keyspace): Promise<Answer> {
    const { client } = this.way(keyspace)
    const row = await client.read(key)
    const { recorder } = this.#options
    const fill = async (): Promise<Answer> => {
      await this.keys.gatherSteps(this.keys.of(key, keyspace))
      return this.keys.answer(key, keyspace, row)
    }
    return recorder === undefined ? fill() : recorder.span(INSTRUMENTS.storeFill, fill)
  }

  /** The same of many, by one request. */
  async loadAll(keyspace: Keyspace, keys: readonly string[]): Promise<ReadonlyMap<string, Answer>> {
    return new Map(await this.#loadMany(this.way(keyspace).client, keys))
  }

  /** What does that for whoever loads many. */
  loadManyOf(keyspace: Keyspace): LoadMany {
    return this.way(keyspace).loadMany
  }

  async #loadMany(client: StoreClient, keys: readonly string[]): Promise<(readonly [string, Answer])[]> {
    const rows = await client.readRows(keys)
    const answers: (readonly [string, Answer])[] = []
    for (const [i, key] of keys.entries()) {
      const keyspace = this.#options.store.keyspaceOf(key)
      await this.keys.gatherSteps(this.keys.of(key, keyspace))
      answers.push([key, this.keys.answer(key, keyspace, rows[i])])
    }
    return answers
  }

  writeThrough<Result>(write: ThroughWrite<Result>, keyspace: Keyspace): Promise<Result> {
    return this.#through.write(write, keyspace, this.way(keyspace))
  }

  /** A state has been taken over. */
  reset(): void {
    this.keys.forgetAll()
    for (const { flusher } of this.#ways.values()) flusher.forgetAll()
    void this.#lookAtLog()
  }

  counts(): StoreCounts[] {
    return [...this.#clients.values()].map((client) => {
      const flushers = [...this.#ways.values()].filter((way) => way.client === client).map(({ flusher }) => flusher)
      const sum = (of: (flusher: Flusher) => number): number => flushers.reduce((total, one) => total + of(one), 0)
      return {
        name: client.store.name,
        unstoredKeysCount: sum(({ waitingCount }) => waitingCount),
        requestsCount: client.requestsCount,
        failuresCount: client.failuresCount,
        flushedCount: sum(({ flushedCount }) => flushedCount),
        refusedCount: sum(({ refusedCount }) => refusedCount),
        rejectedCount: sum(({ rejectedCount }) => rejectedCount),
        purgedCount: this.#tombstones.get(client)?.purgedCount ?? 0,
        isFailing: client.breaker.isOpen,
      }
    })
  }

  /** Brings what it can to the stores, in bounds; says what is left. */
  async close(): Promise<void> {
    const { env, observe } = this.#options
    const untilMs = env.monotonic() + CLOSE_MS
    const letGo = env.stayAlive?.()
    await Promise.all([...this.#ways.values()].map(({ flusher }) => flusher.drain(untilMs)))
    letGo?.()
    this.#isClosed = true
    this.#through.close()
    for (const { name, unstoredKeysCount } of this.counts())
      if (unstoredKeysCount > 0) observe({ kind: 'primary:left', store: name, keysCount: unstoredKeysCount })
    for (const { flusher } of this.#ways.values()) flusher.close()
    for (const tombstones of this.#tombstones.values()) tombstones.close()
    for (const client of this.#clients.values()) {
      client.close()
      await this.#closeStore(client)
    }
  }

  /** Returns whether the store was not in use here before. */
  #use(client: StoreClient): boolean {
    if (this.#inUse.has(client)) return false
    this.#inUse.add(client)
    users.set(client.store, (users.get(client.store) ?? 0) + 1)
    return true
  }

  /** Returns how many engines still use the store. */
  #leave(client: StoreClient): number {
    this.#inUse.delete(client)
    const left = (users.get(client.store) ?? 1) - 1
    users.set(client.store, left)
    return left
  }

  /** The last engine that uses it closes it. */
  async #closeStore(client: StoreClient): Promise<void> {
    if (!this.#inUse.has(client) || this.#leave(client) > 0) return
    const closing = client.store.close?.()
    if (closing === undefined) return
    ignoreOutcome(closing)
    await closing.catch(() => undefined)
  }
}
