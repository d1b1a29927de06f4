/**
 * A cache in front of PostgreSQL, right on every replica: reads come from memory, writes go to the table
 * and to the other replica, and what somebody writes past Warp is read after an invalidation.
 *
 *     DATABASE_URL=postgres://localhost/shop node examples/read-through/index.mjs
 *
 * Without DATABASE_URL the table is one in memory.
 */
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { openWarp } from 'warp-engine'
import { counter, register } from 'warp-engine/crdt'
import { memoryNetwork, memoryStore } from 'warp-engine/memory'
import { sqlStore } from 'warp-engine/sql'

const TABLE = 'warp_example_products'
const url = process.env.DATABASE_URL
const database = url === undefined ? undefined : connect(url)
const store = database === undefined ? memoryStore() : sqlStore(database, { table: TABLE })
const network = memoryNetwork()

function connect(connectionString) {
  const pool = new pg.Pool({ connectionString })
  // A connection that breaks would be an uncaught exception, idle or in use. The requests report it.
  pool.on('error', (error) => console.warn(error.message))
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new Kysely({ dialect: new PostgresDialect({ pool }) })
}

/** A replica: a process of its own in life, with `meshPreset` (docs/presets.md). */
function startReplica(name) {
  return openWarp({
    name,
    keys: {
      // The promise of a write waits for the table; what a constraint refuses was never there.
      'product:*': { strategy: register(), store, writes: 'through', ttlMs: 600_000, staleMs: 3_600_000 },
      // Counted at once, and written in batches.
      'views:*': { strategy: counter(), store, writes: 'behind', ttlMs: 600_000 },
    },
    transports: [network.transport(name)],
  })
}

const [one, two] = await Promise.all([startReplica('one'), startReplica('two')])
while (one.peers().every(({ state }) => state !== 'up')) await new Promise(setImmediate)

await one.set('product:1', { name: 'Teapot', price: 20 })
console.log('two reads:', await two.get('product:1'))

console.log('a hundred readers on a cold key, one request:')
two.invalidateLocal('product:*')
await Promise.all(Array.from({ length: 100 }, () => two.get('product:1')))
console.log('  requests:', two.stats().stores[0].requestsCount)

// A script changes the table past Warp, and says so.
await changePastWarp('product:1', { name: 'Teapot', price: 15 })
await one.invalidate('product:1', { acks: { replicas: 2, level: 'memory', timeoutMs: 5_000 } })
console.log('after the sale, two reads:', await two.get('product:1'))

for (let i = 0; i < 50; i++) await (i % 2 === 0 ? one : two).key('views:1').increment()
while ([one, two].some((warp) => warp.stats().stores[0].unstoredKeysCount > 0)) await new Promise(setImmediate)
console.log('views in the store:', await inStore('views:1'))

await Promise.all([one.close(), two.close()])
if (database !== undefined) await sql`DROP TABLE ${sql.id(TABLE)}`.execute(database)
await database?.destroy()

async function changePastWarp(key, value) {
  const bytes = Buffer.from(JSON.stringify(value))
  if (database === undefined) return store.put(key, bytes)
  await sql`UPDATE ${sql.id(TABLE)} SET value = ${bytes} WHERE key = ${key}`.execute(database)
}

async function inStore(key) {
  if (database === undefined) return Number(Buffer.from(store.row(key).value).toString())
  const { rows } = await sql`SELECT value FROM ${sql.id(TABLE)} WHERE key = ${key}`.execute(database)
  return Number(rows[0].value.toString())
}
