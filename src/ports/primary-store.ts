/**
 * The port of a primary store: rows by key, and compare-and-set. A store knows nothing of
 * operations; it keeps what the engine hands it, and refuses a write that was made from a row
 * which somebody has changed since. `memoryStore` (src/ports/stores) is the executable
 * specification; `adapters/conformance` holds the suite that every implementation passes.
 *
 * Every request takes an `AbortSignal` and rejects with `WARP_E_ABORTED` as soon as it fires. The
 * request may be executed all the same. Time limits, retries and the circuit breaker are the
 * engine's.
 *
 * Requests that fail reject with `WARP_E_STORE`, whose `details.failure` says whether another try
 * can help (src/ports/stores/store-error.ts). What is wrong with one row only is an outcome, not a
 * rejection.
 */

/**
 * A row as a store holds it. Both sides may keep the arrays that they hand over or get, and change
 * none of them.
 */
export interface StoreRow {
  /** Absent: a tombstone. The key was deleted; meta and token stay. */
  readonly value: Uint8Array | undefined
  /** What the engine notes about the value. Empty where somebody else made the row. */
  readonly meta: Uint8Array
  /** 16 random bytes, new with every write of the engine. Empty where somebody else made the row. */
  readonly token: Uint8Array
}

export interface RowChange {
  readonly key: string
  /** The row as it was read, or written last. Absent: there was no row. */
  readonly expected: StoreRow | undefined
  readonly next: StoreRow
}

export type RowOutcome =
  | { readonly kind: 'done' }
  /**
   * Somebody else wrote since the row was read, so nothing was changed. `row` is there where the
   * store brings the present row along; `'row' in outcome` with the value `undefined` says that
   * there is none now.
   */
  | { readonly kind: 'refused'; readonly row?: StoreRow | undefined }
  /** The store will never take this row: a constraint, a value that is too large. */
  | { readonly kind: 'rejected'; readonly error: Error }

/** Values to bytes and back. The bytes are what the store holds and others may read. */
export interface StoreCodec {
  readonly name: string
  /** Throws `WARP_E_UNENCODABLE` for a value that would not come back equal. */
  encode(value: unknown): Uint8Array
  /** Throws for bytes that `encode` cannot have made. Others may have written them. */
  decode(bytes: Uint8Array): unknown
}

export interface StoreRequest {
  readonly signal: AbortSignal
}

export interface ListRequest extends StoreRequest {
  readonly prefix: string
  /** Keys beyond this one. */
  readonly after?: string | undefined
  readonly limit: number
}

/** A tombstone to remove, named by the token that it was read with. */
export interface PurgedRow {
  readonly key: string
  readonly token: Uint8Array
}

/** Some rows of a store have been looked at. */
export interface TombstonePage {
  /** The tombstones among them that the engine has made. */
  readonly rows: readonly PurgedRow[]
  /** Where the next page begins, a text of the store's own; absent: all have been looked at. */
  readonly next?: string | undefined
}

export interface TombstoneRequest extends StoreRequest {
  /** The `next` of the page before. */
  readonly from?: string | undefined
  /** Rows to be looked at, about. */
  readonly limit: number
}

export interface PrimaryStore {
  /** Shown to people: `sql:warp_users`. */
  readonly name: string
  /** `false`: the store cannot compare. Only one replica at a time may write a key. */
  readonly comparesAndSets: boolean
  /**
   * `false`: meta and token do not outlive the process. After a restart a row looks like an
   * outsider's, so only strategies for which a repeated write changes nothing are safe (a
   * register is, a counter is not). Default `true`.
   */
  readonly keepsMeta?: boolean
  readonly codec: StoreCodec
  /** In the order of `keys`; `undefined` where there is no row. No key is there twice. */
  readRows(keys: readonly string[], request: StoreRequest): Promise<(StoreRow | undefined)[]>
  /**
   * Each change on its own: all or nothing per row, not per batch. The row must have the token
   * **and** the value of `expected`. No key is there twice. Outcomes come in the order of `changes`.
   */
  compareAndSet(changes: readonly RowChange[], request: StoreRequest): Promise<RowOutcome[]>
  /** Removes those of the rows that are tombstones with this token; answers how many. */
  purge(rows: readonly PurgedRow[], request: StoreRequest): Promise<number>
  /**
   * Looks at some rows, in an order of its own, and names the tombstones among them. Rows that come or go
   * meanwhile may be missed. Without it, tombstones that no process has seen are not purged.
   */
  listTombstones?(request: TombstoneRequest): Promise<TombstonePage>
  /**
   * Keys that have a value (no tombstones) in the order of their code points, which is that of
   * their bytes in UTF-8.
   */
  listKeys(request: ListRequest): Promise<string[]>
  /**
   * Makes what the store needs, or checks it: called once, at opening. Rejects with
   * `WARP_E_CONFIG` if what is there does not fit.
   */
  check?(request: StoreRequest): Promise<void>
  /** Closes what the adapter itself opened, never a client of the user's. */
  close?(): Promise<void>
}
