/**
 * Values in a table of the user's, meta and token in a table beside it. Each row is changed by a
 * transaction of its own: both rows are locked and compared, then written. That is some round trips
 * a row where a table of Warp's own takes one a batch; in return everybody who knows the user's table
 * goes on as before.
 */
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
import { compareKeys, endOfPrefix } from '../../../src/ports/stores/key-order.ts'
import { isAsExpected } from '../../../src/ports/stores/rows.ts'
import { storeError } from '../../../src/ports/stores/store-error.ts'
import { checkColumns, createdTable } from './columns.ts'
import { bytesIn, type Dialect, type Names, namesOf, type RawRow, rowOut, tableOf, textOut } from './dialect.ts'
import type { AnyKysely, SqlSettings } from './options.ts'
import { type Judge, type NotedRow, type Rows, tombstonePage } from './rows.ts'
import { isDuplicate } from './sql-errors.ts'

export type SideSettings = SqlSettings & { readonly beside: NonNullable<SqlSettings['beside']> }

/** What is there while both rows are locked. */
interface Present {
  readonly row: StoreRow | undefined
  readonly hasValue: boolean
  readonly hasMeta: boolean
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class SideTable implements Rows {
  readonly #database: AnyKysely
  readonly #dialect: Dialect
  readonly #settings: SideSettings
  readonly #names: Names
  readonly #users: {
    readonly rows: RawBuilder<unknown>
    readonly id: RawBuilder<unknown>
    readonly value: RawBuilder<unknown>
  }

  constructor(database: AnyKysely, dialect: Dialect, settings: SideSettings) {
    const { beside, schema } = settings
    this.#database = database
    this.#dialect = dialect
    this.#settings = settings
    this.#names = namesOf(settings)
    const rows = tableOf({ schema, table: beside.table })
    this.#users = { rows, id: sql.id(beside.key), value: sql.id(beside.value) }
  }

  async check(): Promise<void> {
    const { columns, create, beside, schema, table } = this.#settings
    const { types } = this.#dialect
    checkColumns(beside.table, await this.#dialect.columns(this.#database, { schema, table: beside.table }), [
      { name: beside.key, types: types.key, isKey: true },
      { name: beside.value, types: types[beside.type] },
    ])
    if (create) await createdTable(this.#database, this.#dialect.createTable(this.#names, { withValue: false }))
    checkColumns(table, await this.#dialect.columns(this.#database, this.#names), [
      { name: columns.key, types: types.key, isKey: true },
      { name: columns.meta, types: types.meta },
      { name: columns.token, types: types.token },
    ])
  }

  /** One statement, hence one moment: a value never comes with the meta of another one. */
  async read(keys: readonly string[]): Promise<Map<string, StoreRow>> {
    const ids = keys.flatMap((key) => this.#idOf(key) ?? [])
    if (ids.length === 0) return new Map()
    const { rows: side, key, meta, token } = this.#names
    const { rows: users, id } = this.#users
    const [sideIds, userIds] = [sql.join(ids.map((name) => this.#dialect.key(name))), sql.join(ids)]
    const [asKey, asValue, asMeta, asToken] = ['key', 'value', 'meta', 'token'].map((name) => sql.id(name))
    const { rows } = await sql<RawRow>`
      SELECT m.${key} AS ${asKey}, ${this.#read('c')} AS ${asValue}, m.${meta} AS ${asMeta}, m.${token} AS ${asToken}
      FROM ${side} m LEFT JOIN ${users} c ON c.${id} = m.${key} AND c.${id} IN (${userIds})
      WHERE m.${key} IN (${sideIds})
      UNION ALL
      SELECT ${this.#asKey(sql`c.${id}`)}, ${this.#read('c')}, NULL, NULL FROM ${users} c
      WHERE c.${id} IN (${userIds}) AND NOT EXISTS (
        SELECT 1 FROM ${side} m WHERE m.${key} = c.${id} AND m.${key} IN (${sideIds})
      )`.execute(this.#database)
    return new Map(rows.flatMap((row) => (isNothing(row) ? [] : [[this.#keyOf(textOut(row.key)), rowOut(row)]])))
  }

  async compareAndSet(changes: readonly RowChange[], judge: Judge): Promise<RowOutcome[]> {
    const outcomes = new Map<string, RowOutcome>()
    for (const change of [...changes].sort((a, b) => compareKeys(a.key, b.key)))
      outcomes.set(change.key, await this.#change(change, judge))
    return changes.map(({ key }) => outcomes.get(key)!)
  }

  async purge(rows: readonly PurgedRow[]): Promise<number> {
    const { rows: side, key, token } = this.#names
    const { rows: users, id, value } = this.#users
    const held = rows.flatMap((row) => {
      const name = this.#idOf(row.key)
      return name === undefined ? [] : [{ name, token: row.token }]
    })
    if (held.length === 0) return 0
    const pairs = sql.join(held.map((row) => sql`(${this.#dialect.key(row.name)}, ${bytesIn(row.token)})`))
    const { numAffectedRows = 0n } = await sql`
      DELETE FROM ${side} WHERE (${key}, ${token}) IN (${this.#settings.dialect === 'sqlite' ? sql`VALUES ${pairs}` : pairs})
      AND ${key} NOT IN (
        SELECT ${id} FROM ${users} WHERE ${id} IN (${sql.join(held.map(({ name }) => name))}) AND ${value} IS NOT NULL
      )`.execute(this.#database)
    return Number(numAffectedRows)
  }

  async list({ prefix, after, limit }: ListRequest): Promise<string[]> {
    const own = this.#settings.beside.prefix
    if (!prefix.startsWith(own) && !own.startsWith(prefix)) return []
    const start = prefix.slice(own.length)
    if (after !== undefined && !after.startsWith(own) && compareKeys(after, own) > 0) return []
    const { rows: users, id, value } = this.#users
    const column = this.#dialect.exact(id)
    const end = endOfPrefix(start)
    const bounds = [
      sql`${column} >= ${this.#dialect.key(start)}`,
      ...(end === undefined ? [] : [sql`${column} < ${this.#dialect.key(end)}`]),
      ...(after?.startsWith(own) === true ? [sql`${column} > ${this.#dialect.key(after.slice(own.length))}`] : []),
    ]
    const { rows } = await sql<{ key: unknown }>`
      SELECT ${id} AS ${sql.id('key')} FROM ${users}
      WHERE ${value} IS NOT NULL AND ${sql.join(bounds, sql` AND `)} ORDER BY ${column} LIMIT ${sql.lit(limit)}`.execute(
      this.#database,
    )
    return rows.map(({ key }) => this.#keyOf(textOut(key)))
  }

  async listTombstones({ from, limit }: TombstoneRequest): Promise<TombstonePage> {
    const { rows: side, key, token } = this.#names
    const { rows: users, id, value } = this.#users
    const column = this.#dialect.exact(sql`m.${key}`)
    const { rows } = await sql<NotedRow>`
      SELECT m.${key} AS ${sql.id('key')}, m.${token} AS ${sql.id('token')},
        CASE WHEN c.${value} IS NULL THEN 1 ELSE 0 END AS ${sql.id('isGone')}
      FROM ${side} m LEFT JOIN ${users} c ON c.${id} = m.${key}
      WHERE ${column} > ${this.#dialect.key(from ?? '')} ORDER BY ${column} LIMIT ${sql.lit(limit)}`.execute(
      this.#database,
    )
    return tombstonePage(rows, limit, (name) => this.#keyOf(name))
  }

  async #change(change: RowChange, judge: Judge): Promise<RowOutcome> {
    const id = this.#idOf(change.key)
    if (id === undefined) return this.#unholdable(change.key)
    try {
      return await judge.retried(() => this.#inTransaction((open) => this.#compareAndWrite(open, id, change)))
    } catch (error) {
      if (!judge.isRejection(error)) throw error
      // Somebody may have inserted the row just now; or another constraint of the table is violated.
      const row = isDuplicate(error) ? (await this.read([change.key])).get(change.key) : change.expected
      return isAsExpected(row, change.expected) ? judge.reject(error, change.key) : { kind: 'refused', row }
    }
  }

  async #inTransaction<Answer>(run: (open: AnyKysely) => Promise<Answer>): Promise<Answer> {
    return await this.#database.connection().execute(async (open: AnyKysely) => {
      for (const statement of this.#dialect.begin) await statement.execute(open)
      try {
        const answer = await run(open)
        await sql`COMMIT`.execute(open)
        return answer
      } catch (error) {
        // If that fails too, the connection is gone, and with it the transaction.
        await sql`ROLLBACK`.execute(open).catch(() => undefined)
        throw error
      }
    })
  }

  async #compareAndWrite(open: AnyKysely, id: string, { expected, next }: RowChange): Promise<RowOutcome> {
    const present = await this.#lock(open, id)
    if (!isAsExpected(present.row, expected)) return { kind: 'refused', row: present.row }
    const { rows: side, key, meta, token } = this.#names
    const name = this.#dialect.key(id)
    const [newMeta, newToken] = [bytesIn(next.meta), bytesIn(next.token)]
    if (present.hasMeta)
      await sql`UPDATE ${side} SET ${meta} = ${newMeta}, ${token} = ${newToken} WHERE ${key} = ${name}`.execute(open)
    else
      await sql`
        INSERT INTO ${side} (${key}, ${meta}, ${token}) VALUES (${name}, ${newMeta}, ${newToken})`.execute(open)
    await this.#writeValue(open, { id, value: next.value, isThere: present.hasValue })
    return { kind: 'done' }
  }

  async #writeValue(
    open: AnyKysely,
    {
      id: name,
      value: bytes,
      isThere,
    }: { readonly id: string; readonly value: Uint8Array | undefined; readonly isThere: boolean },
  ): Promise<void> {
    const { rows: users, id, value } = this.#users
    if (bytes === undefined) {
      if (isThere) await sql`DELETE FROM ${users} WHERE ${id} = ${name}`.execute(open)
      return
    }
    const written = this.#written(bytes)
    if (isThere) await sql`UPDATE ${users} SET ${value} = ${written} WHERE ${id} = ${name}`.execute(open)
    else await sql`INSERT INTO ${users} (${id}, ${value}) VALUES (${name}, ${written})`.execute(open)
  }

  async #lock(open: AnyKysely, name: string): Promise<Present> {
    const { rows: side, key, meta, token } = this.#names
    const { rows: users, id } = this.#users
    const lock = this.#dialect.forUpdate
    const { rows: noted } = await sql<{ meta: unknown; token: unknown }>`
      SELECT ${meta} AS meta, ${token} AS token FROM ${side} WHERE ${key} = ${this.#dialect.key(name)} ${lock}`.execute(
      open,
    )
    const { rows: values } = await sql<{ body: unknown }>`
      SELECT ${this.#read('c')} AS body FROM ${users} c WHERE c.${id} = ${name} ${lock}`.execute(open)
    const [[side0], [user0]] = [noted, values]
    const raw = { key: name, value: user0?.body, meta: side0?.meta, token: side0?.token }
    const row = isNothing(raw) ? undefined : rowOut(raw)
    return { row, hasValue: user0 !== undefined, hasMeta: side0 !== undefined }
  }

  /** Drivers parse JSON where they see that a column holds it; what counts is the text. */
  #read(alias: string): RawBuilder<unknown> {
    const column = sql`${sql.raw(alias)}.${this.#users.value}`
    const { dialect, beside } = this.#settings
    if (beside.type !== 'json' || dialect === 'sqlite') return column
    return dialect === 'postgres' ? sql`CAST(${column} AS text)` : sql`CAST(${column} AS CHAR)`
  }

  #asKey(column: RawBuilder<unknown>): RawBuilder<unknown> {
    return this.#settings.dialect === 'mysql' ? sql`CAST(${column} AS BINARY)` : column
  }

  #written(bytes: Uint8Array): RawBuilder<unknown> {
    const { beside, dialect } = this.#settings
    if (beside.type === 'bytes') return sql`${bytesIn(bytes)}`
    const text = DECODER.decode(bytes)
    return beside.type === 'json' && dialect === 'postgres' ? sql`${text}::json` : sql`${text}`
  }

  #idOf(key: string): string | undefined {
    const { prefix } = this.#settings.beside
    const isHeld = key.startsWith(prefix) && (this.#settings.dialect !== 'postgres' || !key.includes('\0'))
    return isHeld ? key.slice(prefix.length) : undefined
  }

  #keyOf(id: string): string {
    return this.#settings.beside.prefix + id
  }

  #unholdable(key: string): RowOutcome {
    const { beside } = this.#settings
    const kept = beside.prefix === '' ? 'no keys with a null character' : `keys that begin with '${beside.prefix}'`
    const message = `the table ${beside.table} holds ${kept}, and the key is ${JSON.stringify(key)}; choose another key`
    return { kind: 'rejected', error: storeError({ store: `sql:${beside.table}`, failure: 'rejected', message, key }) }
  }
}

/** A row of the user's without a value, of which nothing is noted. */
function isNothing({ value, meta }: RawRow): boolean {
  return (value === null || value === undefined) && (meta === null || meta === undefined)
}
