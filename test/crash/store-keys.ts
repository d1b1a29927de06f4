/** What `store-writer-process.ts` opens and the test opens again: keys whose truth is in PostgreSQL. */
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp, type Warp, type WarpEvent } from '../../adapters/node/index.ts'
import { sqlStore } from '../../adapters/stores/sql/index.ts'
import { counter, register } from '../../crdt/index.ts'

export const KEYS_COUNT = 500

export interface StoreFolder {
  readonly url: string
  readonly table: string
  readonly path: string
}

export interface Opened {
  readonly warp: Warp<{ 'k:*': ReturnType<typeof register<number>>; 'c:*': ReturnType<typeof counter> }>
  close(): Promise<void>
}

export function connect(url: string): Kysely<Record<string, never>> {
  return new Kysely<Record<string, never>>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 4 }) }),
  })
}

/** `flushDelayMs`: so long what is written stays behind. */
export async function openStored(
  { url, table, path }: StoreFolder,
  flushDelayMs: number,
  observe: (event: WarpEvent) => void = () => undefined,
): Promise<Opened> {
  const database = connect(url)
  const store = sqlStore(database, { table })
  const options = { store, flushDelayMs, ttlMs: 60_000 }
  const warp = await openWarp({
    log: fileLog({ path }),
    keys: { 'k:*': { strategy: register<number>(), ...options }, 'c:*': { strategy: counter(), ...options } },
    observe,
  })
  const close = async (): Promise<void> => {
    await warp.close()
    await database.destroy()
  }
  return { warp: warp as unknown as Opened['warp'], close }
}
