import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { afterAll } from 'vitest'
import { describeOn } from '../../support/servers.ts'
import { type Database, sqlSuites } from './sql-suites.ts'

const CONNECTIONS = 8

describeOn('postgres', 'PostgreSQL', (connectionString) => {
  let shared: Database | undefined
  const connect = (): Database => {
    const pool = new pg.Pool({ connectionString, max: CONNECTIONS })
    return new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  }
  afterAll(() => shared?.destroy())

  sqlSuites({
    database: () => (shared ??= connect()),
    id: 'text',
    text: 'text',
    json: 'json',
    reject: async (database, { table, column, key }) => {
      await sql`ALTER TABLE ${sql.id(table)} ADD CHECK (${sql.id(column)} <> ${sql.lit(key)})`.execute(database)
    },
  })
})
