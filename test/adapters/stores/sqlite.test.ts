/** SQLite: node:sqlite where Node has it, else better-sqlite3, which scripts/servers compiles into its cache. */
import { Kysely, sql, SqliteDialect } from 'kysely'
import { createRequire } from 'node:module'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { sqlStore } from '../../../adapters/stores/sql/index.ts'
import { describeOn } from '../../support/servers.ts'
import { type Database, sqlSuites } from './sql-suites.ts'

interface Sqlite {
  prepare(text: string): { all(...parameters: unknown[]): unknown[]; run(...parameters: unknown[]): unknown }
  close(): void
}

const open: Database[] = []

/** One connection for all: a second one would wait for the first and hold up the process that both are in. */
function database(memory: unknown): Database {
  const kysely = new Kysely<Record<string, never>>({ dialect: new SqliteDialect({ database: memory as never }) })
  open.push(kysely)
  return kysely
}

afterAll(async () => {
  for (const kysely of open) await kysely.destroy()
})

function suites(make: () => unknown): void {
  let shared: Database | undefined
  sqlSuites({
    database: () => (shared ??= database(make())),
    id: 'text',
    text: 'text',
    json: 'text',
    reject: async (kysely, { table, column, key }) => {
      await sql`
        CREATE TRIGGER ${sql.id(`reject ${table}`)} BEFORE INSERT ON ${sql.id(table)} WHEN NEW.${sql.id(column)} = ${sql.lit(key)}
        BEGIN SELECT RAISE(ABORT, 'a constraint'); END`.execute(kysely)
    },
  })

  test('a value that an outsider has written as text is replaced like any other', async () => {
    const kysely = (shared ??= database(make()))
    const store = sqlStore(kysely, { table: 'written_as_text' })
    const signal = new AbortController().signal
    await store.check?.({ signal })
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
    for (const [name, written] of [
      ['k:1', '{"of":"an outsider"}'],
      ['k:2', 'ä'],
    ] as const) {
      await sql`INSERT INTO written_as_text (key, value) VALUES (${name}, ${written})`.execute(kysely)
      const [row] = await store.readRows([name], { signal })
      expect(row?.value).toEqual(bytes(written))
      const next = { value: bytes('"ours"'), meta: Uint8Array.of(1), token: Uint8Array.of(2) }
      expect(await store.compareAndSet([{ key: name, expected: row, next }], { signal })).toMatchObject([
        { kind: 'done' },
      ])
      const others = [{ key: name, expected: row, next: { ...next, token: Uint8Array.of(3) } }]
      expect(await store.compareAndSet(others, { signal })).toMatchObject([{ kind: 'refused' }])
    }
  })
}

const builtIn = builtInSqlite()
if (builtIn === undefined) {
  describeOn('sqlite', 'better-sqlite3', (folder) => {
    const load = (): unknown => createRequire(path.join(folder, 'package.json'))('better-sqlite3')
    suites(() => new (load() as new (name: string) => Sqlite)(':memory:'))
  })
} else {
  describe('node:sqlite', () => suites(() => asBetterSqlite(new builtIn(':memory:'))))
}

/** Of Node 22 and later. */
function builtInSqlite(): (new (name: string) => Sqlite) | undefined {
  const { getBuiltinModule } = process as {
    getBuiltinModule?: (name: string) => { DatabaseSync: new (name: string) => Sqlite } | undefined
  }
  return getBuiltinModule?.('node:sqlite')?.DatabaseSync
}

/** What Kysely's dialect asks of better-sqlite3, which node:sqlite calls otherwise. */
function asBetterSqlite(sqlite: Sqlite): unknown {
  return {
    prepare: (text: string) => {
      const statement = sqlite.prepare(text)
      const reader = /^\s*(?:select|with|pragma|values)\b|\breturning\b/i.test(text)
      return {
        reader,
        all: (parameters: unknown[]) => statement.all(...parameters),
        run: (parameters: unknown[]) => statement.run(...parameters),
      }
    },
    close: () => sqlite.close(),
  }
}
