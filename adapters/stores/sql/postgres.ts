/** PostgreSQL. A batch is one statement, whatever is in it. */
import { type RawBuilder, sql } from 'kysely'
import type { RowChange } from '../../../src/ports/primary-store.ts'
import { bytesIn, type Column, type Dialect, keysOut, type Names, type TableName } from './dialect.ts'
import type { AnyKysely } from './options.ts'

export const postgres: Dialect = {
  splitsBatches: false,
  write,
  forUpdate: sql`FOR UPDATE`,
  key: (key) => key,
  exact: (column) => sql`${column} COLLATE "C"`,
  createTable: ({ rows, key, value, meta, token }, { withValue }) => sql`
    CREATE TABLE IF NOT EXISTS ${rows} (
      ${key} text COLLATE "C" PRIMARY KEY,
      ${withValue ? sql`${value} bytea,` : sql``}
      ${meta} bytea NOT NULL DEFAULT '',
      ${token} bytea NOT NULL DEFAULT ''
    )`,
  columns,
  types: {
    key: ['text', 'character varying'],
    value: ['bytea'],
    meta: ['bytea'],
    token: ['bytea'],
    text: ['text', 'character varying'],
    json: ['json'],
    bytes: ['bytea'],
  },
  begin: [sql`BEGIN ISOLATION LEVEL READ COMMITTED`],
}

/**
 * Rows are locked in the order of their keys before any is changed, and inserted in that order, so
 * that batches of the same keys wait for one another instead of for each other.
 */
async function write(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>> {
  const { rows: table, key, value, meta, token } = names
  const { rows } = await sql<{ key: unknown }>`
    WITH n(k, v, m, t, e, b) AS (VALUES ${sql.join(changes.map(tuple))}),
    locked AS (
      SELECT w.${key} AS k FROM ${table} w JOIN n ON w.${key} = n.k AND w.${token} = n.e
      ORDER BY w.${key} COLLATE "C" FOR UPDATE OF w
    ),
    u AS (
      UPDATE ${table} w SET ${value} = n.v, ${meta} = n.m, ${token} = n.t FROM n JOIN locked l ON l.k = n.k
      WHERE w.${key} = n.k AND w.${token} = n.e AND w.${value} IS NOT DISTINCT FROM n.b
      RETURNING w.${key} AS key
    ),
    i AS (
      INSERT INTO ${table} (${key}, ${value}, ${meta}, ${token})
      SELECT n.k, n.v, n.m, n.t FROM n WHERE n.e IS NULL ORDER BY n.k COLLATE "C"
      ON CONFLICT (${key}) DO NOTHING RETURNING ${key} AS key
    )
    SELECT key FROM u UNION ALL SELECT key FROM i`.execute(database)
  return keysOut(rows)
}

/** Each value says its type: a column of nothing but NULL would be text. */
function tuple({ key, expected, next }: RowChange): RawBuilder<unknown> {
  const bytes = (given: Uint8Array | undefined): RawBuilder<unknown> => sql`${bytesIn(given)}::bytea`
  const wanted = sql`${bytes(expected?.token)}, ${bytes(expected?.value)}`
  return sql`(${key}::text, ${bytes(next.value)}, ${bytes(next.meta)}, ${bytes(next.token)}, ${wanted})`
}

async function columns(database: AnyKysely, { schema, table }: TableName): Promise<Column[]> {
  const quoted = [schema, table].flatMap((name) => (name === undefined ? [] : [`"${name.replaceAll('"', '""')}"`]))
  const { rows } = await sql<{ name: string; type: string; is_unique: boolean }>`
    SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, EXISTS (
      SELECT 1 FROM pg_index i
      WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL
    ) AS is_unique
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass(${quoted.join('.')}) AND a.attnum > 0 AND NOT a.attisdropped`.execute(database)
  return rows.map(({ name, type, is_unique }) => ({ name, type, isUnique: is_unique, isExact: true }))
}
