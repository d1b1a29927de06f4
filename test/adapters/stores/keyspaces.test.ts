/** Keyspaces before a real PostgreSQL: two replicas that are parted, and a server that stands still. */
import { Kysely, PostgresDialect, sql } from 'kysely'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { memoryNetwork, type MemoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp, type Warp, type WarpEvent } from '../../../adapters/node/index.ts'
import { sqlStore } from '../../../adapters/stores/sql/index.ts'
import { counter, register } from '../../../crdt/index.ts'
import type { StoreOptions } from '../../../src/keys/source/store-source.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

const KEYS_COUNT = 1000

interface Replica {
  readonly warp: Warp<{ 'k:*': ReturnType<typeof register<string>>; 'c:*': ReturnType<typeof counter> }>
  readonly events: WarpEvent[]
}

describeOn('postgres', 'keyspaces in PostgreSQL', (connectionString) => {
  const table = `keys_${randomBytes(6).toString('hex')}`
  const open: { close(): Promise<void> }[] = []

  const connect = (to = connectionString): Kysely<Record<string, never>> => {
    const pool = new pg.Pool({ connectionString: to, max: 4 })
    // The server is stopped on purpose: whoever asks for a connection is told.
    pool.on('error', () => undefined)
    return new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  }

  async function replica(
    name: string,
    network: MemoryNetwork,
    options: Partial<StoreOptions> & { url?: string } = {},
  ): Promise<Replica> {
    const { url, ...others } = options
    const database = connect(url)
    const events: WarpEvent[] = []
    const stored = { store: sqlStore(database, { table }), ttlMs: 60_000, ...others }
    const warp = (await openWarp({
      keys: { 'k:*': { strategy: register<string>(), ...stored }, 'c:*': { strategy: counter(), ...stored } },
      transports: [network.transport(name)],
      observe: (event) => void events.push(event),
    })) as unknown as Replica['warp']
    open.push({
      close: async () => {
        await warp.close()
        await database.destroy()
      },
    })
    return { warp, events }
  }

  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
    const database = connect()
    await sql`DROP TABLE IF EXISTS ${sql.id(table)}`.execute(database)
    await database.destroy()
  })

  async function rows(): Promise<Map<string, unknown>> {
    const database = connect()
    const found = await sql<{ key: string; value: Buffer }>`SELECT key, value FROM ${sql.id(table)}`.execute(database)
    await database.destroy()
    return new Map(found.rows.map(({ key, value }) => [key, JSON.parse(value.toString('utf8')) as unknown]))
  }

  test('two replicas that were parted and wrote the same 1,000 keys agree with each other and with the table', async () => {
    const network = memoryNetwork()
    const [a, b] = [await replica('a', network), await replica('b', network)]
    await until(() => a.warp.stats().peers.length === 1 && a.warp.stats().isJoined && b.warp.stats().isJoined)
    network.cut('a', 'b')
    for (let i = 0; i < KEYS_COUNT; i++) {
      await Promise.all([a.warp.set(`k:${i}`, `a ${i}`), b.warp.set(`k:${i}`, `b ${i}`)])
      await Promise.all([a.warp.key(`c:${i % 50}`).increment(1), b.warp.key(`c:${i % 50}`).increment(10)])
    }
    await until(() => [a, b].every((one) => unstored(one) === 0))
    network.heal()
    await until(() => [a, b].every(({ warp }) => warp.stats().operations.admittedCount >= 2 * KEYS_COUNT))
    await until(() => [a, b].every((one) => unstored(one) === 0))
    const table = await rows()
    for (let i = 0; i < KEYS_COUNT; i++) {
      const key = `k:${i}` as const
      expect([await a.warp.get(key), await b.warp.get(key)]).toEqual([table.get(key), table.get(key)])
    }
    for (let i = 0; i < 50; i++) {
      const key = `c:${i}` as const
      expect([await a.warp.get(key), await b.warp.get(key), table.get(key)]).toEqual([220, 220, 220])
    }
  })

  test('a server that stands still under load: copies are read, loads are bounded, writes behind catch up', async () => {
    const network = memoryNetwork()
    const { proxy, url } = await TcpProxy.before(connectionString)
    const one = await replica('a', network, { storeTimeoutMs: 300, url })
    const { warp, events } = one
    for (let i = 0; i < 100; i++) await warp.set(`k:${i}`, 'before')
    await until(() => unstored(one) === 0)
    proxy.hold()
    for (let i = 0; i < 2000; i++) {
      await warp.set(`k:${i % 200}`, `while stopped ${i}`)
      expect(await warp.get(`k:${i % 200}`)).toBe(`while stopped ${i}`)
    }
    await expect(warp.get('k:unknown')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
    expect(await warp.getOrSet('k:made', () => 'made')).toBe('made')
    await until(() => events.some(({ kind }) => kind === 'primary:failing'))
    expect(warp.peek('k:7')).toBe('while stopped 1807')
    proxy.release()
    await until(() => unstored(one) === 0)
    expect(events.some(({ kind }) => kind === 'primary:recovered')).toBe(true)
    const table = await rows()
    for (let i = 0; i < 200; i++) expect(table.get(`k:${i}`)).toBe(`while stopped ${1800 + i}`)
    expect(table.get('k:made')).toBe('made')
    open.push(proxy)
  })
})

function unstored({ warp }: Replica): number {
  return warp.stats().stores?.[0]?.unstoredKeysCount ?? 0
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20))
}
