/** What errors of drivers mean: as they come, without a database. */
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { failureOf, isDeadlock, isDuplicate } from '../../../adapters/stores/sql/sql-errors.ts'
import type { AnyKysely } from '../../../adapters/stores/sql/options.ts'
import { sqlStore } from '../../../adapters/stores/sql/sql-store.ts'
import { freePort } from '../../../tools/servers/state.mjs'

const { signal } = new AbortController()

test.each([
  ['PostgreSQL: a check', { code: '23514' }, 'rejected'],
  ['PostgreSQL: a text with a null character', { code: '22021' }, 'rejected'],
  ['PostgreSQL: a key that no index takes', { code: '54000' }, 'rejected'],
  ['PostgreSQL: no table', { code: '42P01' }, 'broken'],
  ['PostgreSQL: may not', { code: '42501' }, 'broken'],
  ['PostgreSQL: shutting down', { code: '57P01' }, 'transient'],
  ['PostgreSQL: too many connections', { code: '53300' }, 'transient'],
  ['PostgreSQL: deadlock', { code: '40P01' }, 'transient'],
  ['a socket: five letters, and no SQLSTATE', { code: 'EPIPE' }, 'transient'],
  ['a socket', { code: 'ECONNREFUSED' }, 'transient'],
  ['MariaDB: a check', { errno: 4025, sqlState: '23000' }, 'rejected'],
  ['MySQL: a check', { errno: 3819, sqlState: 'HY000' }, 'rejected'],
  ['MySQL: too long', { errno: 1406, sqlState: '22001' }, 'rejected'],
  ['MySQL: a packet that is too large', { errno: 1153, sqlState: '08S01' }, 'rejected'],
  ['MySQL: waited too long for a lock', { errno: 1205, sqlState: 'HY000' }, 'transient'],
  ['MySQL: no table', { errno: 1146, sqlState: '42S02' }, 'broken'],
  ['better-sqlite3: a constraint', { code: 'SQLITE_CONSTRAINT_CHECK' }, 'rejected'],
  ['better-sqlite3: busy', { code: 'SQLITE_BUSY_SNAPSHOT' }, 'transient'],
  ['better-sqlite3: no table', { code: 'SQLITE_ERROR' }, 'broken'],
  ['node:sqlite: a constraint', { code: 'ERR_SQLITE_ERROR', errcode: 275 }, 'rejected'],
  ['node:sqlite: busy', { code: 'ERR_SQLITE_ERROR', errcode: 5 }, 'transient'],
  ['what is no error at all', undefined, 'transient'],
])('%s', (_, facts, failure) => {
  expect(failureOf(facts)).toBe(failure)
})

test('deadlocks and duplicates are told from other errors', () => {
  const deadlocks = [{ code: '40P01' }, { sqlState: '40001' }, { code: '23505' }, {}]
  expect(deadlocks.map(isDeadlock)).toEqual([true, true, false, false])
  const duplicates = [{ code: '23505' }, { errno: 1062 }, { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' }, { errcode: 1555 }]
  expect(duplicates.map(isDuplicate)).toEqual([true, true, true, true])
  expect([{ code: '23514' }, { code: 'SQLITE_CONSTRAINT_CHECK' }, {}].map(isDuplicate)).toEqual([false, false, false])
})

describe('a database that is not there', () => {
  const databases: Record<string, (port: number) => AnyKysely> = {
    PostgreSQL: (port) =>
      new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ host: '127.0.0.1', port }) }) }),
    MySQL: (port) => new Kysely({ dialect: new MysqlDialect({ pool: createPool({ host: '127.0.0.1', port }) }) }),
  }

  test.each(Object.keys(databases))('%s: each request fails, another try may succeed', async (name) => {
    const database = databases[name]!(await freePort())
    const store = sqlStore(database)
    const failed = expect.objectContaining({
      code: 'WARP_E_STORE',
      details: expect.objectContaining({ failure: 'transient', store: 'sql:warp_rows' }),
    })
    await expect(store.check?.({ signal })).rejects.toEqual(failed)
    await expect(store.readRows(['a'], { signal })).rejects.toEqual(failed)
    const next = { value: Buffer.from('1'), meta: Buffer.from([1]), token: Buffer.alloc(16) }
    await expect(store.compareAndSet([{ key: 'a', expected: undefined, next }], { signal })).rejects.toEqual(failed)
    await database.destroy()
  })
})

describe('options', () => {
  const database: AnyKysely = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })

  test.each([
    [{ tabel: 'a' }, "did you mean 'table'?"],
    [{ table: '' }, 'give the name of a table or column'],
    [{ columns: { key: 5 } }, 'columns: key is the number 5'],
    [{ beside: { table: 'a', key: 'b', value: 'c', type: 'jsonb' } }, 'text, json, bytes'],
    [{ beside: { table: 'a', key: 'b' } }, 'beside: value is undefined'],
    [{ dialect: 'oracle' }, 'postgres, sqlite, mysql'],
    [{ create: 'yes' }, 'create'],
    [{ codec: 'xml' }, 'codec'],
  ])('%j is refused', (options, message) => {
    expect(() => sqlStore(database, options as object)).toThrow(message)
  })

  test('what is no Kysely is refused', () => {
    const none: unknown = {}
    expect(() => sqlStore(none as AnyKysely)).toThrow('give a Kysely')
  })
})
