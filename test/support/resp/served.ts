/** A sidecar of one replica and a client, for the tests of a file. */
import { afterAll, beforeAll } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import type { KeyMap } from '../../../src/index.ts'
import { RawClient, shown } from './raw-client.ts'

export interface Served<K extends KeyMap> {
  /** They are there once the tests run. */
  readonly warp: Warp<K>
  readonly port: number
  readonly client: RawClient
  /** Asks, and gives the reply as text (`shown`). */
  readonly ask: (...words: readonly string[]) => Promise<string>
}

export function served<const K extends KeyMap = { '*': Redis }>(keys: KeyMap = { '*': redis() }): Served<K> {
  let warp: Warp<K>
  let server: RespServer
  let client: RawClient

  beforeAll(async () => {
    warp = (await openWarp({ keys })) as unknown as Warp<K>
    server = await respServer(warp, { port: 0 })
    client = await RawClient.open(server.port)
  })

  afterAll(async () => {
    client.close()
    await server.close()
    await warp.close()
  })

  return {
    get warp() {
      return warp
    },
    get port() {
      return server.port
    },
    get client() {
      return client
    },
    ask: async (...words) => shown(await client.ask(...words)),
  }
}
