/**
 * Rows of keys that were deleted stay as *tombstones*, so that a late write does not bring a value back. They leave
 * the store when nothing can need them: `tombstoneMs` after this process has first seen one, by its own clock, for
 * so long may a request live that was made when there was no row (C15 of the model); and when every operation
 * of the key that is known has reached every replica and is in the store. A row names writes that went through by
 * names of their own, which nobody can look up; what they have become is in the log as long as somebody lacks it.
 *
 * A tombstone is seen when it is written or read here. Those that no process remembers are found by walking through
 * the store, a page each second. Whoever purges names the token, so a row that has changed stays.
 */
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Domain } from '../../keys/domain.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { PurgedRow, StoreRow } from '../../ports/primary-store.ts'
import { equalBytes } from '../../ports/stores/rows.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { decodeMeta } from './rows/row-meta.ts'
import type { StoreClient } from './store-client.ts'
import type { StoredKey } from './stored-key.ts'
import type { StoredKeys } from './stored-keys.ts'

export interface TombstonesOptions {
  readonly client: StoreClient
  readonly env: Env
  readonly store: KeyStore
  readonly keys: StoredKeys
  /** Whether every replica has an operation. */
  readonly isStable: (domain: Domain, dot: Dot) => boolean
}

interface Seen {
  readonly token: Uint8Array
  readonly dueMs: number
}

/** Remembered; more are found by the next walk. */
const SEEN_MAX = 100_000
/** Rows that one request removes. */
const BATCH_ROWS = 100
/** Rows that one request of a walk looks at, and the pause behind it. */
const PAGE_ROWS = 1000
const PAGE_MS = 1000
/** The first walk begins so long after the opening, or after `tombstoneMs` if that is less. */
const FIRST_WALK_MS = 3_600_000
/** A store that failed is asked again so much later. */
const AGAIN_MS = 60_000

export class Tombstones {
  purgedCount = 0
  readonly #options: TombstonesOptions
  /** In the order in which they are due. */
  readonly #seen = new Map<string, Seen>()
  #lastsMs = 0
  #timer: Timer | undefined
  #walkTimer: Timer | undefined
  #isClosed = false

  constructor(options: TombstonesOptions) {
    this.#options = options
    options.client.onRow = (key, row) => this.#note(key, row)
  }

  /** Patterns that share a store keep its tombstones for as long as the most careful one says. */
  keepFor(tombstoneMs: number): void {
    this.#lastsMs = Math.max(this.#lastsMs, tombstoneMs)
  }

  begin(): void {
    this.#walkIn(Math.min(FIRST_WALK_MS, this.#lastsMs))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#walkTimer?.cancel()
  }

  #note(key: string, row: StoreRow | undefined): void {
    const isTombstone = row !== undefined && row.value === undefined && row.meta.length > 0
    if (isTombstone) this.#see({ key, token: row.token })
    else if (this.#seen.size > 0) this.#seen.delete(key)
  }

  #see({ key, token }: PurgedRow): void {
    const known = this.#seen.get(key)
    if (known !== undefined && equalBytes(known.token, token)) return
    this.#seen.delete(key)
    if (this.#seen.size < SEEN_MAX) this.#wait(key, token)
    this.#schedule(0)
  }

  #wait(key: string, token: Uint8Array): void {
    this.#seen.delete(key)
    this.#seen.set(key, { token, dueMs: this.#options.env.monotonic() + this.#lastsMs })
  }

  #schedule(leastMs: number): void {
    const [first] = this.#seen.values()
    if (first === undefined || first.dueMs === Infinity || this.#timer !== undefined || this.#isClosed) return
    const { env } = this.#options
    this.#timer = env.schedule(Math.max(leastMs, first.dueMs - env.monotonic()), () => {
      void this.#purgeDue().then((pauseMs) => {
        this.#timer = undefined
        this.#schedule(pauseMs)
      })
    })
  }

  /** Says how long to wait at least. */
  async #purgeDue(): Promise<number> {
    const { client, env } = this.#options
    const due: string[] = []
    for (const [key, { dueMs }] of this.#seen) {
      if (dueMs > env.monotonic() || due.length === BATCH_ROWS) break
      due.push(key)
    }
    if (due.length === 0) return 0
    try {
      const rows = await client.readRows(due)
      const needless = due.flatMap((key, i) => this.#needless(key, rows[i]))
      if (needless.length > 0) this.purgedCount += await client.purge(needless)
      for (const { key } of needless) this.#purged(key)
      return 0
    } catch (error) {
      if (!isWarpError(error)) throw error
      return AGAIN_MS
    }
  }

  #purged(key: string): void {
    this.#seen.delete(key)
    const stored = this.#options.keys.find(key)
    if (stored?.isBusy === false) stored.row = undefined
  }

  /** What may go. A tombstone that may be needed waits for the whole time again. */
  #needless(key: string, row: StoreRow | undefined): PurgedRow[] {
    const seen = this.#seen.get(key)
    // Reading it has said what it is now.
    if (seen === undefined || row === undefined || !equalBytes(seen.token, row.token)) return []
    if (this.#isSettled(key, row)) return [{ key, token: row.token }]
    this.#wait(key, row.token)
    return []
  }

  #isSettled(key: string, row: StoreRow): boolean {
    const { store, keys, isStable } = this.#options
    try {
      const keyspace = this.#keyspaceOf(key)
      if (keyspace === undefined) return false
      const isKnownToAll = (dot: Dot): boolean => isStable(keyspace.domain, dot)
      const stored = keys.find(key)
      if (stored === undefined ? store.keys.find(key) !== undefined : !isAtRest(stored, keys)) return false
      if (stored !== undefined && !keys.isAllInLog(stored, isKnownToAll)) return false
      return this.#isEach(decodeMeta(key, row.meta, store.table).vector, isKnownToAll)
    } catch {
      // Of a later version of this program.
      return false
    }
  }

  /** Whether it is so of all operations of replicas from which anything has come. */
  #isEach(vector: VersionVector, is: (dot: Dot) => boolean): boolean {
    const { applied, table } = this.#options.store
    for (const [replica, sequence] of vector.entries()) {
      const isReplica = applied.get(replica) > 0 && !table.ended.includes(replica, sequence)
      if (isReplica && !is({ replica, sequence })) return false
    }
    return true
  }

  /** Others may keep what is none of our keys in the same store. */
  #keyspaceOf(key: string): Keyspace | undefined {
    const { store, client } = this.#options
    const keyspace = store.keyspaceOf(key)
    return keyspace.source?.store?.store === client.store ? keyspace : undefined
  }

  #walkIn(delayMs: number): void {
    const { client, env } = this.#options
    if (this.#isClosed || delayMs === Infinity || client.store.listTombstones === undefined) return
    this.#walkTimer = env.schedule(delayMs, () => void this.#walk(undefined))
  }

  async #walk(from: string | undefined): Promise<void> {
    const { client, env } = this.#options
    try {
      const { rows, next } = await client.listTombstones(from, PAGE_ROWS)
      for (const row of rows) this.#see(row)
      if (next === undefined || this.#seen.size >= SEEN_MAX) this.#walkIn(this.#lastsMs)
      else if (!this.#isClosed) this.#walkTimer = env.schedule(PAGE_MS, () => void this.#walk(next))
    } catch (error) {
      if (!isWarpError(error)) throw error
      this.#walkIn(this.#lastsMs)
    }
  }
}

/** Nothing of it is on its way to the store, or waits to go there. */
function isAtRest(stored: StoredKey, keys: StoredKeys): boolean {
  return !stored.isBusy && !stored.isRejected && keys.gather(stored) && !stored.isDirty
}
