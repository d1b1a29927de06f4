import { Kysely, MysqlDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { afterAll } from 'vitest'
import { describeOn } from '../../support/servers.ts'
import { type Database, sqlSuites } from './sql-suites.ts'

const CONNECTIONS = 8

describeOn('mariadb', 'MariaDB', (uri) => {
  let shared: Database | undefined
  const connect = (): Database => {
    const pool = createPool({ uri, connectionLimit: CONNECTIONS, charset: 'utf8mb4_bin' })
    return new Kysely<Record<string, never>>({ dialect: new MysqlDialect({ pool }) })
  }
  afterAll(() => shared?.destroy())

  sqlSuites({
    database: () => (shared ??= connect()),
    // Two bytes are for the length: of 3,072 that an index may take, four a character.
    id: 'varchar(767) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
    keyBytesMax: 767,
    text: 'longtext CHARACTER SET utf8mb4',
    json: 'json',
    reject: async (database, { table, column, key }) => {
      await sql`ALTER TABLE ${sql.id(table)} ADD CHECK (${sql.id(column)} <> ${sql.lit(key)})`.execute(database)
    },
  })
})
