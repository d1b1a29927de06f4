import { sql } from 'kysely'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { seededRandom } from '../../testing/world/random.ts'
import { describeOn } from '../support/servers.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { cycleCount, linesUntilKilled } from './killed-child.ts'
import { connect, openStored } from './store-keys.ts'

/** Starting a process takes a tenth of a second on an idle machine, and there is no telling on a busy one. */
const TIMEOUT_MS = 3_600_000
const BEHIND = 10_000

interface Sums {
  readonly tried: Map<string, number>
  readonly acked: Map<string, number>
}

describeOn('postgres', 'a process that is killed with writes behind a PostgreSQL', (url) => {
  test(
    'loses none of them: after the next opening each is in the store once, and no row ever goes back',
    async () => {
      const path = temporaryFolder()
      const table = `killed_${randomBytes(6).toString('hex')}`
      const random = seededRandom(`store-kill ${process.env['SEED'] ?? ''}`)
      const cycles = cycleCount(9)
      const sums: Sums = { tried: new Map(), acked: new Map() }
      // The first opening makes the table.
      await settle({ url, table, path })
      await keepHistory(url, table)
      for (let cycle = 1; cycle <= cycles; cycle++) {
        const [afterAcked, delayMs] = random.pick([
          [BEHIND, 600_000],
          [random.between(100, 5000), 50],
          [0, 50],
        ]) as readonly [number, number]
        const parameters = [url, table, path, String(random.uint32()), String(delayMs)]
        for (const line of await linesUntilKilled({ program: 'store-writer', arguments: parameters, afterAcked }))
          note(sums, line)
      }
      await settle({ url, table, path })
      await judge(url, table, sums)
      await dropAll(url, table)
    },
    TIMEOUT_MS,
  )
})

function note({ tried, acked }: Sums, line: string): void {
  const [word, key = '', number = ''] = line.split(' ')
  const sum = word === 'tried' ? tried : word === 'acked' ? acked : undefined
  if (sum === undefined) return
  const before = sum.get(key) ?? 0
  sum.set(key, key.startsWith('k:') ? Math.max(before, Number(number)) : before + Number(number))
}

/** Opens the log once more, and waits until nothing is behind. */
async function settle(folder: { readonly url: string; readonly table: string; readonly path: string }): Promise<void> {
  const { warp, close } = await openStored(folder, 10)
  let left = 1
  while (left > 0) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    left = warp.stats().stores?.[0]?.unstoredKeysCount ?? 0
  }
  await close()
}

/** Every value that a row ever had. */
async function keepHistory(url: string, table: string): Promise<void> {
  const database = connect(url)
  await sql`CREATE TABLE ${sql.id(`${table}_history`)} (id bigserial PRIMARY KEY, key text, value bytea)`.execute(
    database,
  )
  await sql`
    CREATE FUNCTION ${sql.id(`${table}_note`)}() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(
      `BEGIN INSERT INTO ${table}_history (key, value) VALUES (NEW.key, NEW.value); RETURN NEW; END`,
    )}`.execute(database)
  await sql`
    CREATE TRIGGER history AFTER INSERT OR UPDATE ON ${sql.id(table)}
    FOR EACH ROW EXECUTE FUNCTION ${sql.id(`${table}_note`)}()`.execute(database)
  await database.destroy()
}

async function judge(url: string, table: string, { tried, acked }: Sums): Promise<void> {
  const database = connect(url)
  const rows = await sql<{ key: string; value: Buffer }>`SELECT key, value FROM ${sql.id(table)}`.execute(database)
  const values = new Map(rows.rows.map(({ key, value }) => [key, numberIn(value)]))
  for (const [key, sum] of acked) {
    expect(values.get(key) ?? 0, `${key} has what was acknowledged`).toBeGreaterThanOrEqual(sum)
    expect(values.get(key) ?? 0, `${key} has nothing twice`).toBeLessThanOrEqual(tried.get(key) ?? 0)
  }
  const history = await sql<{ key: string; value: Buffer }>`
    SELECT key, value FROM ${sql.id(`${table}_history`)} ORDER BY id`.execute(database)
  const last = new Map<string, number>()
  for (const { key, value } of history.rows) {
    expect(numberIn(value), `${key} does not go back`).toBeGreaterThanOrEqual(last.get(key) ?? 0)
    last.set(key, numberIn(value))
  }
  expect(acked.size).toBeGreaterThan(100)
  await database.destroy()
}

function numberIn(value: Buffer): number {
  return JSON.parse(value.toString('utf8')) as number
}

async function dropAll(url: string, table: string): Promise<void> {
  const database = connect(url)
  await sql`DROP TABLE ${sql.id(table)}, ${sql.id(`${table}_history`)}`.execute(database)
  await sql`DROP FUNCTION ${sql.id(`${table}_note`)}()`.execute(database)
  await database.destroy()
}
