/** SQLite, from 3.35 on. A batch is one statement for updates and one for inserts. */
import { type RawBuilder, sql } from 'kysely'
import type { RowChange } from '../../../src/ports/primary-store.ts'
import { bytesIn, type Column, type Dialect, keysOut, type Names, type TableName } from './dialect.ts'
import type { AnyKysely } from './options.ts'

export const sqlite: Dialect = {
  splitsBatches: true,
  write: async (database, names, changes) => {
    const updates = changes.filter(({ expected }) => expected !== undefined)
    return updates.length > 0 ? await update(database, names, updates) : await insert(database, names, changes)
  },
  forUpdate: sql``,
  // Texts end there for some drivers, and for some functions of SQLite.
  isRefused: (key) => key.includes('\u0000'),
  key: (key) => key,
  exact: (column) => sql`${column} COLLATE BINARY`,
  createTable: ({ rows, key, value, meta, token }, { withValue }) => sql`
    CREATE TABLE IF NOT EXISTS ${rows} (
      ${key} TEXT PRIMARY KEY NOT NULL,
      ${withValue ? sql`${value} BLOB,` : sql``}
      ${meta} BLOB NOT NULL DEFAULT x'',
      ${token} BLOB NOT NULL DEFAULT x''
    ) WITHOUT ROWID`,
  columns,
  types: {
    key: ['text', 'varchar'],
    value: ['blob'],
    meta: ['blob'],
    token: ['blob'],
    text: ['text', 'varchar'],
    // A column declared as JSON would take texts that look like numbers for numbers.
    json: ['text'],
    bytes: ['blob'],
  },
  begin: [sql`BEGIN IMMEDIATE`],
}

async function update(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>> {
  const { rows: table, key, value, meta, token } = names
  // A column keeps what it is given: an outsider's text is read as the bytes of it, and has to equal them.
  const { rows } = await sql<{ key: unknown }>`
    WITH n(k, v, m, t, e, b) AS (VALUES ${sql.join(changes.map(updated))})
    UPDATE ${table} AS w SET ${value} = n.v, ${meta} = n.m, ${token} = n.t FROM n
    WHERE w.${key} = n.k AND w.${token} = n.e AND CAST(w.${value} AS BLOB) IS n.b
    RETURNING ${key} AS key`.execute(database)
  return keysOut(rows)
}

async function insert(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>> {
  const { rows: table, key, value, meta, token } = names
  const { rows } = await sql<{ key: unknown }>`
    INSERT INTO ${table} (${key}, ${value}, ${meta}, ${token}) VALUES ${sql.join(changes.map(inserted))}
    ON CONFLICT (${key}) DO NOTHING RETURNING ${key} AS key`.execute(database)
  return keysOut(rows)
}

function updated({ key, expected, next }: RowChange): RawBuilder<unknown> {
  const wanted = sql`${bytesIn(expected?.token)}, ${bytesIn(expected?.value)}`
  return sql`(${key}, ${bytesIn(next.value)}, ${bytesIn(next.meta)}, ${bytesIn(next.token)}, ${wanted})`
}

function inserted({ key, next }: RowChange): RawBuilder<unknown> {
  return sql`(${key}, ${bytesIn(next.value)}, ${bytesIn(next.meta)}, ${bytesIn(next.token)})`
}

async function columns(database: AnyKysely, { schema, table }: TableName): Promise<Column[]> {
  const { rows } = await sql<{ name: string; type: string; pk: number }>`
    SELECT name, type, pk FROM pragma_table_info(${table}${schema === undefined ? sql`` : sql`, ${schema}`})`.execute(
    database,
  )
  const isAlone = rows.filter(({ pk }) => pk > 0).length === 1
  return rows.map(({ name, type, pk }) => ({
    name,
    type: type.toLowerCase().replace(/ *\(.*/, ''),
    isUnique: isAlone && pk > 0,
    isExact: true,
  }))
}
