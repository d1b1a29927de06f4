/** A sidecar of one replica and a client, for the tests of a file. */
import { afterAll, beforeAll } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { RawClient, shown } from './raw-client.ts'

/** Asks, and gives the reply as text (`shown`). */
export type Ask = (...words: readonly string[]) => Promise<string>

export function served(): Ask {
  let warp: Warp<{ '*': Redis }>
  let server: RespServer
  let client: RawClient

  beforeAll(async () => {
    warp = await openWarp({ keys: { '*': redis() } })
    server = await respServer(warp, { port: 0 })
    client = await RawClient.open(server.port)
  })

  afterAll(async () => {
    client.close()
    await server.close()
    await warp.close()
  })

  return async (...words) => shown(await client.ask(...words))
}
