/** The checks that every database passes: rows of our own, values in a table of the user's, and what is refused. */
import { type Kysely, sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { PrimaryStoreSubject } from '../../../adapters/conformance/primary-store/place.ts'
import { primaryStoreSuite } from '../../../adapters/conformance/primary-store/suite.ts'
import type { SqlStoreOptions } from '../../../adapters/stores/sql/options.ts'
import { sqlStore } from '../../../adapters/stores/sql/sql-store.ts'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the adapter: tables of any shape
export type Database = Kysely<any>

export interface TestedDatabase {
  readonly database: () => Database
  /** A table of the user's: `id` and `body`, of these types. */
  readonly id: string
  /** What an index on such a column takes, if that is less than Warp's keys. */
  readonly keyBytesMax?: number
  readonly text: string
  readonly json: string
  /** Makes the database reject every row of this key. */
  reject(
    database: Database,
    at: { readonly table: string; readonly column: string; readonly key: string },
  ): Promise<void>
}

const REJECTED = 'the row that is rejected'
const { signal } = new AbortController()
let tables = 0

const own = { key: 'key', value: 'value' }

export function sqlSuites(tested: TestedDatabase): void {
  describe('a table of its own', () => {
    primaryStoreSuite({ test, create: () => ownTable(tested, {}) })
  })

  describe('a table of its own with other names', () => {
    const columns = { key: 'Schlüssel', value: 'select', meta: 'a "b" `c`', token: "t'" }
    primaryStoreSuite({ test, create: () => ownTable(tested, { columns }) })
  })

  for (const type of ['text', 'json'] as const) {
    describe(`beside a table of the user's, as ${type}`, () => {
      const without = tested.keyBytesMax === undefined ? [] : (['long keys'] as const)
      primaryStoreSuite({ test, values: 'json', without, create: () => sideTable(tested, type) })
    })
  }

  refusals(tested)
}

async function ownTable(tested: TestedDatabase, options: SqlStoreOptions): Promise<PrimaryStoreSubject> {
  const database = tested.database()
  const table = `rows ${++tables}`
  const store = sqlStore(database, { table, ...options })
  await store.check?.({ signal })
  const { key, value } = { ...own, ...options.columns }
  await tested.reject(database, { table, column: key, key: REJECTED })
  return {
    store,
    another: () => sqlStore(database, { table, ...options }),
    rejectedKey: REJECTED,
    outsider: (name, bytes) => writePast(database, { table, key, value }, name, bytes && Buffer.from(bytes)),
    dispose: () => dropped(database, table),
  }
}

async function sideTable(tested: TestedDatabase, type: 'text' | 'json'): Promise<PrimaryStoreSubject> {
  const database = tested.database()
  const [users, table] = [`users ${++tables}`, `meta ${tables}`]
  const columns = sql`${sql.id('id')} ${sql.raw(tested.id)} PRIMARY KEY, body ${sql.raw(tested[type])}`
  await sql`CREATE TABLE ${sql.id(users)} (${columns})`.execute(database)
  await tested.reject(database, { table: users, column: 'id', key: REJECTED })
  const options: SqlStoreOptions = { table, beside: { table: users, key: 'id', value: 'body', type } }
  return {
    store: sqlStore(database, options),
    another: () => sqlStore(database, options),
    rejectedKey: REJECTED,
    outsider: (name, bytes) =>
      writePast(database, { table: users, key: 'id', value: 'body' }, name, bytes && new TextDecoder().decode(bytes)),
    dispose: async () => {
      await dropped(database, users)
      await dropped(database, table)
    },
  }
}

async function writePast(
  database: Database,
  names: { readonly table: string; readonly key: string; readonly value: string },
  name: string,
  written: Buffer | string | undefined,
): Promise<void> {
  const [table, key, value] = [sql.id(names.table), sql.id(names.key), sql.id(names.value)]
  if (written === undefined) return void (await sql`DELETE FROM ${table} WHERE ${key} = ${name}`.execute(database))
  const { rows } = await sql`SELECT ${key} FROM ${table} WHERE ${key} = ${name}`.execute(database)
  if (rows.length > 0) await sql`UPDATE ${table} SET ${value} = ${written} WHERE ${key} = ${name}`.execute(database)
  else await sql`INSERT INTO ${table} (${key}, ${value}) VALUES (${name}, ${written})`.execute(database)
}

async function dropped(database: Database, table: string): Promise<void> {
  await sql`DROP TABLE IF EXISTS ${sql.id(table)}`.execute(database)
}

function refusals(tested: TestedDatabase): void {
  describe('is refused at opening:', () => {
    const checked = async (columns: string, options: SqlStoreOptions = {}): Promise<unknown> => {
      const table = `other ${++tables}`
      const database = tested.database()
      await sql`CREATE TABLE ${sql.id(table)} (${sql.raw(columns)})`.execute(database)
      const store = sqlStore(database, { table, ...options })
      const error: unknown = await store.check?.({ signal }).catch((thrown: unknown) => thrown)
      await dropped(database, table)
      return error
    }
    const config = (message: string) =>
      expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining(message) })

    test('a table that lacks a column', async () => {
      expect(await checked(`${tested.id.includes('(') ? '`key` varchar(9)' : '"key" text'}, other integer`)).toEqual(
        config('has no column value, but key, other'),
      )
    })

    test('a column of another type', async () => {
      const [quote] = tested.id.includes('(') ? ['`'] : ['"']
      const columns = ['key', 'value', 'meta', 'token'].map((name) => `${quote}${name}${quote} integer`)
      expect(await checked(`${columns.join()}, PRIMARY KEY (${quote}key${quote})`)).toEqual(config('is int'))
    })

    test('a table that is not there and is not to be made', async () => {
      const store = sqlStore(tested.database(), { table: 'nowhere', create: false })
      await expect(store.check?.({ signal })).rejects.toEqual(config('there is no table nowhere'))
    })
  })

  test('a table that has gone is an error that no retry mends', async () => {
    const store = sqlStore(tested.database(), { table: 'nowhere', create: false })
    await expect(store.readRows(['a'], { signal })).rejects.toMatchObject({
      code: 'WARP_E_STORE',
      details: { failure: 'broken', store: 'sql:nowhere' },
    })
  })
}
