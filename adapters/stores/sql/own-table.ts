/** Rows in a table of Warp's own: compare-and-set in one statement (the dialect's). */
import { type RawBuilder, sql } from 'kysely'
import type {
  ListRequest,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreRow,
  TombstonePage,
  TombstoneRequest,
} from '../../../src/ports/primary-store.ts'
import { endOfPrefix } from '../../../src/ports/stores/key-order.ts'
import { storeError } from '../../../src/ports/stores/store-error.ts'
import { writeBatch } from './batches.ts'
import { checkColumns, createdTable } from './columns.ts'
import { bytesIn, type Dialect, type Names, namesOf, type RawRow, rowOut, textOut } from './dialect.ts'
import type { AnyKysely, SqlSettings } from './options.ts'
import { type Judge, type NotedRow, type Rows, tombstonePage } from './rows.ts'

export class OwnTable implements Rows {
  readonly #database: AnyKysely
  readonly #dialect: Dialect
  readonly #settings: SqlSettings
  readonly #names: Names

  constructor(database: AnyKysely, dialect: Dialect, settings: SqlSettings) {
    this.#database = database
    this.#dialect = dialect
    this.#settings = settings
    this.#names = namesOf(settings)
  }

  async check(): Promise<void> {
    const { columns, create } = this.#settings
    if (create) await createdTable(this.#database, this.#dialect.createTable(this.#names, { withValue: true }))
    const { key, value, meta, token } = this.#dialect.types
    checkColumns(this.#settings.table, await this.#dialect.columns(this.#database, this.#names), [
      { name: columns.key, types: key, isKey: true },
      { name: columns.value, types: value },
      { name: columns.meta, types: meta },
      { name: columns.token, types: token },
    ])
  }

  async read(keys: readonly string[]): Promise<Map<string, StoreRow>> {
    const { rows: table, key, value, meta, token } = this.#names
    const asked = keys.filter((name) => this.#holds(name))
    if (asked.length === 0) return new Map()
    const { rows } = await sql<RawRow>`
      SELECT ${key} AS ${sql.id('key')}, ${value} AS ${sql.id('value')}, ${meta} AS ${sql.id('meta')},
        ${token} AS ${sql.id('token')}
      FROM ${table} WHERE ${key} IN (${sql.join(asked.map((name) => this.#dialect.key(name)))})`.execute(this.#database)
    return new Map(rows.map((row) => [textOut(row.key), rowOut(row)]))
  }

  async compareAndSet(changes: readonly RowChange[], judge: Judge): Promise<RowOutcome[]> {
    const possible = changes.filter(({ key }) => this.#holds(key))
    const outcomes = await writeBatch(possible, {
      run: (batch) => judge.retried(() => this.#dialect.write(this.#database, this.#names, batch)),
      isRejection: (error) => judge.isRejection(error),
      reject: (error, key) => judge.reject(error, key),
      splits: this.#dialect.splitsBatches,
    })
    const byKey = new Map(possible.map(({ key }, index) => [key, outcomes[index]]))
    return changes.map(({ key }) => byKey.get(key) ?? this.#unholdable(key))
  }

  async purge(rows: readonly PurgedRow[]): Promise<number> {
    const { rows: table, key, value, token } = this.#names
    const held = rows.filter((row) => this.#holds(row.key))
    if (held.length === 0) return 0
    const pairs = held.map((row) => sql`(${this.#dialect.key(row.key)}, ${bytesIn(row.token)})`)
    const { numAffectedRows = 0n } = await sql`
      DELETE FROM ${table} WHERE (${key}, ${token}) IN (${this.#pairs(pairs)}) AND ${value} IS NULL`.execute(
      this.#database,
    )
    return Number(numAffectedRows)
  }

  async list({ prefix, after, limit }: ListRequest): Promise<string[]> {
    const { rows: table, key, value } = this.#names
    const column = this.#dialect.exact(key)
    const end = endOfPrefix(prefix)
    const bounds = [
      sql`${column} >= ${this.#dialect.key(prefix)}`,
      ...(end === undefined ? [] : [sql`${column} < ${this.#dialect.key(end)}`]),
      ...(after === undefined ? [] : [sql`${column} > ${this.#dialect.key(after)}`]),
    ]
    const { rows } = await sql<{ key: unknown }>`
      SELECT ${key} AS ${sql.id('key')} FROM ${table}
      WHERE ${value} IS NOT NULL AND ${sql.join(bounds, sql` AND `)} ORDER BY ${column} LIMIT ${sql.lit(limit)}`.execute(
      this.#database,
    )
    return rows.map((row) => textOut(row.key))
  }

  async listTombstones({ from, limit }: TombstoneRequest): Promise<TombstonePage> {
    const { rows: table, key, value, token } = this.#names
    const column = this.#dialect.exact(key)
    const { rows } = await sql<NotedRow>`
      SELECT ${key} AS ${sql.id('key')}, ${token} AS ${sql.id('token')},
        CASE WHEN ${value} IS NULL THEN 1 ELSE 0 END AS ${sql.id('isGone')}
      FROM ${table} WHERE ${column} > ${this.#dialect.key(from ?? '')} ORDER BY ${column} LIMIT ${sql.lit(limit)}`.execute(
      this.#database,
    )
    return tombstonePage(rows, limit, (name) => name)
  }

  /** SQLite wants a table of pairs, which the others read as well, but MySQL. */
  #pairs(pairs: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
    return this.#settings.dialect === 'sqlite' ? sql`VALUES ${sql.join(pairs)}` : sql.join(pairs)
  }

  /** Texts of PostgreSQL hold every character but this one. */
  #holds(key: string): boolean {
    return this.#settings.dialect !== 'postgres' || !key.includes('\0')
  }

  #unholdable(key: string): RowOutcome {
    const message = `PostgreSQL takes no key with a null character: ${JSON.stringify(key)}; choose another key`
    const store = `sql:${this.#settings.table}`
    return { kind: 'rejected', error: storeError({ store, failure: 'rejected', message, key }) }
  }
}
