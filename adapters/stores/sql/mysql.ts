/**
 * MySQL and MariaDB. Neither says which rows an UPDATE has changed, only how many: if that are not
 * all, the tokens tell, in the same transaction.
 */
import { type RawBuilder, sql } from 'kysely'
import type { RowChange } from '../../../src/ports/primary-store.ts'
import { bytesIn, type Column, type Dialect, keysOut, type Names, type TableName } from './dialect.ts'
import type { AnyKysely } from './options.ts'
import { isDuplicate } from './sql-errors.ts'

const NOBODY: ReadonlySet<string> = new Set()

export const mysql: Dialect = {
  splitsBatches: true,
  write: async (database, names, changes) => {
    const updates = changes.filter(({ expected }) => expected !== undefined)
    return updates.length > 0 ? await update(database, names, updates) : await insert(database, names, changes)
  },
  forUpdate: sql`FOR UPDATE`,
  key: (key) => Buffer.from(key),
  exact: (column) => sql`CAST(${column} AS BINARY)`,
  createTable: ({ rows, key, value, meta, token }, { withValue }) => sql`
    CREATE TABLE IF NOT EXISTS ${rows} (
      ${key} varbinary(1024) NOT NULL PRIMARY KEY,
      ${withValue ? sql`${value} longblob,` : sql``}
      ${meta} mediumblob NOT NULL DEFAULT (''),
      ${token} varbinary(16) NOT NULL DEFAULT ''
    )`,
  columns,
  types: {
    key: ['varbinary', 'varchar'],
    value: ['longblob', 'mediumblob', 'blob'],
    meta: ['mediumblob', 'longblob', 'blob'],
    token: ['varbinary', 'binary', 'blob'],
    text: ['longtext', 'mediumtext', 'text', 'varchar'],
    // MySQL rewrites JSON as jsonb does; MariaDB keeps it as it is, and calls it longtext.
    json: ['longtext'],
    bytes: ['longblob', 'mediumblob', 'blob'],
  },
  // A stricter level would lock the gaps around keys that are not there: inserts would lock each other out.
  begin: [sql`SET TRANSACTION ISOLATION LEVEL READ COMMITTED`, sql`START TRANSACTION`],
}

async function update(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>> {
  const { rows: table, key, value, meta, token } = names
  const all = new Set(changes.map((change) => change.key))
  const statement = sql`
    UPDATE ${table} w JOIN (${sql.join(changes.map(selected), sql` UNION ALL `)}) n ON w.${key} = n.k
    SET w.${value} = n.v, w.${meta} = n.m, w.${token} = n.t
    WHERE w.${token} = n.e AND w.${value} <=> n.b`
  if (changes.length === 1) {
    const { numAffectedRows = 0n } = await statement.execute(database)
    return numAffectedRows > 0n ? all : NOBODY
  }
  return database.transaction().execute(async (transaction) => {
    const { numAffectedRows = 0n } = await statement.execute(transaction)
    if (numAffectedRows === BigInt(changes.length)) return all
    if (numAffectedRows === 0n) return NOBODY
    const pairs = changes.map(({ key: name, next }) => sql`(${Buffer.from(name)}, ${bytesIn(next.token)})`)
    const { rows } = await sql<{ key: unknown }>`
      SELECT ${key} AS ${sql.id('key')} FROM ${table} WHERE (${key}, ${token}) IN (${sql.join(pairs)})`.execute(
      transaction,
    )
    return keysOut(rows)
  })
}

/**
 * A plain INSERT: IGNORE would hide other errors, and what ON DUPLICATE KEY counts depends on how
 * the connection was opened. If one of several keys is there already, they go one by one.
 */
async function insert(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>> {
  const { rows: table, key, value, meta, token } = names
  try {
    await sql`
      INSERT INTO ${table} (${key}, ${value}, ${meta}, ${token}) VALUES ${sql.join(changes.map(inserted))}`.execute(
      database,
    )
    return new Set(changes.map((change) => change.key))
  } catch (error) {
    if (!isDuplicate(error)) throw error
    if (changes.length === 1) return NOBODY
  }
  const done = new Set<string>()
  const middle = Math.ceil(changes.length / 2)
  for (const half of [changes.slice(0, middle), changes.slice(middle)])
    for (const one of await insert(database, names, half)) done.add(one)
  return done
}

function selected({ key, expected, next }: RowChange): RawBuilder<unknown> {
  const row = sql`${Buffer.from(key)} AS k, ${bytesIn(next.value)} AS v, ${bytesIn(next.meta)} AS m, ${bytesIn(next.token)} AS t`
  return sql`SELECT ${row}, ${bytesIn(expected?.token)} AS e, ${bytesIn(expected?.value)} AS b`
}

function inserted({ key, next }: RowChange): RawBuilder<unknown> {
  return sql`(${Buffer.from(key)}, ${bytesIn(next.value)}, ${bytesIn(next.meta)}, ${bytesIn(next.token)})`
}

async function columns(database: AnyKysely, { schema, table }: TableName): Promise<Column[]> {
  const { rows } = await sql<Record<'name' | 'type' | 'unique_key' | 'collation', unknown>>`
    SELECT column_name AS name, data_type AS type, column_key AS unique_key, collation_name AS collation
    FROM information_schema.columns
    WHERE table_schema = ${schema === undefined ? sql`DATABASE()` : schema} AND table_name = ${table}`.execute(database)
  return rows.map(({ name, type, unique_key: unique, collation }) => ({
    name: String(name),
    type: String(type).toLowerCase(),
    isUnique: unique === 'PRI' || unique === 'UNI',
    // Other collations take capitals for small letters, or do not see spaces at the end.
    isExact: typeof collation !== 'string' || /_nopad_bin$|^binary$|0900_bin$/.test(collation),
  }))
}
