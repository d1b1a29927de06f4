/** A primary store on a server of its own, by the client that a service would have. */
import { Redis } from 'ioredis'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { redisStore } from '../../adapters/redis/index.ts'
import { sqlStore } from '../../adapters/stores/sql/index.ts'
import type { PrimaryStore } from '../../src/ports/primary-store.ts'
import type { PrivateServerName } from './private-server.ts'

export type StoreServer = Extract<PrivateServerName, 'postgres' | 'valkey'>

export interface StoreOn {
  readonly store: PrimaryStore
  close(): Promise<void>
}

export function storeOn(server: StoreServer, url: string): StoreOn {
  switch (server) {
    case 'postgres': {
      const pool = new pg.Pool({ connectionString: url, max: 4 })
      // Otherwise a lost connection would end the process: of one that is idle, and of one that is in use.
      pool.on('error', () => undefined)
      pool.on('connect', (client) => void client.on('error', () => undefined))
      const database = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
      return { store: sqlStore(database, { table: 'warp_rows' }), close: () => database.destroy() }
    }
    case 'valkey': {
      const client = new Redis(url)
      const close = (): Promise<void> => {
        client.disconnect()
        return Promise.resolve()
      }
      return { store: redisStore(client), close }
    }
  }
}
