import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'

type Served = Warp<{ '*': Redis }>

let one: Served
let other: Served
let server: RespServer
let client: RawClient

beforeAll(async () => {
  const network = memoryNetwork()
  one = await openWarp({ keys: { '*': redis() }, name: 'one', transports: [network.transport('one')] })
  other = await openWarp({ keys: { '*': redis() }, name: 'other', transports: [network.transport('other')] })
  server = await respServer(one, { port: 0 })
  client = await RawClient.open(server.port)
})

afterAll(async () => {
  client.close()
  await server.close()
  for (const warp of [one, other]) await warp.close()
})

describe('WAIT', () => {
  test('counts the replicas that hold what was written', async () => {
    await client.ask('SET', 'w', '1')
    expect(shown(await client.ask('WAIT', '1', '10000'))).toBe(':1')
    expect(shown(await client.ask('WAIT', '5', '20'))).toBe(':1')
    expect(shown(await client.ask('WAIT', 'x', '20'))).toMatch(/^-ERR/)
    expect(shown(await client.ask('WAITAOF', '1', '0', '20'))).toMatch(/^-ERR WAITAOF cannot be used/)
  })
})

describe('WARP commands', () => {
  test('show the history of a key, and who replicates', async () => {
    await client.askAll([
      ['SET', 'h', '1'],
      ['SET', 'h', '2'],
    ])
    const log = shown(await client.ask('WARP.LOG', 'h'))
    expect(log.match(/timeMs/g)).toHaveLength(2)
    expect(shown(await client.ask('WARP.LOG', 'h', '1')).match(/timeMs/g)).toHaveLength(1)
    expect(shown(await client.ask('WARP.EXPLAIN', 'h'))).toContain('strategy')
    expect(shown(await client.ask('WARP.STRATEGY', 'h'))).toBe('"redis"')
    expect(shown(await client.ask('WARP.AT', 'h', String(Date.now())))).toContain('2')
    expect(shown(await client.ask('WARP.PEERS'))).toContain('up')
  })
})
