/** One call for a cluster over a broker; and strong is strong, or it is refused. */
import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { kafkaPreset } from '../../../adapters/kafka/index.ts'
import { natsPreset } from '../../../adapters/nats/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { meshPreset } from '../../../adapters/presets/index.ts'
import { redisPreset } from '../../../adapters/redis/index.ts'
import { register } from '../../../crdt/register.ts'
import { set } from '../../../crdt/set.ts'
import type { Warp } from '../../../src/index.ts'
import { PrivateServer } from '../../support/private-server.ts'
import { refused } from '../../support/refused.ts'
import { describeOn } from '../../support/servers.ts'
import { until } from '../broker/log-client.ts'

const keys = { 'cart:*': set<string>(), 'page:*': register<string>() }
const strongKeys = { ...keys, 'stock:*': { strategy: register<number>(), mode: 'strong' } } as const

const PRESETS = { natsPreset, redisPreset, kafkaPreset }
type AnyPreset = (options: object) => ReturnType<typeof natsPreset>

describe.each(Object.entries(PRESETS) as [string, AnyPreset][])('%s', (name, preset) => {
  test('sets what meshPreset sets', () => {
    const given = { keys, name: 'shop', zone: 'a', persist: './data', logger: false } as const
    const { transports: mine, ...options } = preset(given)
    const { transports: _, ...ofMesh } = meshPreset({ ...given, keyring: '5bd1e995'.repeat(8) })
    expect({ ...options, log: undefined }).toEqual({ ...ofMesh, log: undefined })
    expect([options.log?.constructor, mine.length]).toEqual([ofMesh.log?.constructor, 1])
  })

  test('has an ordered log only where it is asked for', () => {
    expect(preset({ keys }).order).toBeUndefined()
    expect(preset({ keys, strong: true }).order).toBeDefined()
  })

  test.each([
    ['an option that does not exist', { keys, strnog: true }, "did you mean 'strong'?"],
    ['what would soften strong', { keys, strong: true, acceptFailoverLoss: true }, 'acceptFailoverLoss'],
    ['strong that is neither', { keys, strong: 'yes' }, 'strong is'],
    ['a cluster that is no name', { keys, cluster: 'a.b' }, 'cluster is'],
    ['a folder that is none', { keys, persist: 5 }, 'persist is'],
    ['nothing at all', undefined, 'needs options'],
  ])('does not take %s', (_, options, message) => {
    expect(refused(() => preset(options as object))).toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringMatching(new RegExp(`${name}.*${message.replaceAll('?', '\\?')}`)),
    })
  })
})

/** Two replicas by the same call meet, and agree on eventual and on strong keys. */
async function meet(options: (strong: boolean) => object, preset: AnyPreset): Promise<void> {
  const open = async (name: string): Promise<Warp<typeof strongKeys>> => {
    const given = { ...options(true), keys: strongKeys, name, logger: false }
    const warp = (await openWarp(preset(given) as never)) as unknown as Warp<typeof strongKeys>
    onTestFinished(() => warp.close())
    return warp
  }
  const [a, b] = [await open('a'), await open('b')]
  await a.key('cart:1').add('apples')
  await until(() => b.peek('cart:1')?.has('apples') === true)
  expect(await a.set('stock:1', 5)).toMatchObject({ ack: 'broker', version: 1 })
  expect(await b.get('stock:1')).toBe(5)
  expect(await b.tryCompareAndSet('stock:1', { version: 1 }, 4)).toMatchObject({ kind: 'ok' })
  expect(await a.get('stock:1')).toBe(4)
}

const fresh = (): string => `preset-${randomUUID().slice(0, 8)}`

describeOn('nats-cluster', 'natsPreset on three servers', (url) => {
  test('opens replicas that meet, and whose strong keys are strong', async () => {
    const given = { servers: url.split(','), cluster: fresh() }
    await meet((strong) => ({ ...given, strong }), natsPreset as AnyPreset)
  })
})

describeOn('nats', 'natsPreset on a single server', (servers) => {
  test('is refused where it is to be strong', async () => {
    const opening = openWarp(natsPreset({ keys: strongKeys, servers, cluster: fresh(), strong: true, logger: false }))
    await expect(opening).rejects.toMatchObject({ code: 'WARP_E_BROKER_UNFIT' })
  })
})

describeOn('valkey', 'redisPreset', (url) => {
  test('is refused where it is to be strong and the server keeps no file', async () => {
    const opening = openWarp(redisPreset({ keys: strongKeys, url, cluster: fresh(), strong: true, logger: false }))
    await expect(opening).rejects.toMatchObject({ code: 'WARP_E_BROKER_UNFIT' })
  })

  test('opens replicas that meet, and whose strong keys are strong', async () => {
    const server = await PrivateServer.start('valkey')
    onTestFinished(() => server.close())
    const given = { url: server.url, cluster: fresh() }
    await meet((strong) => ({ ...given, strong }), redisPreset as AnyPreset)
  })
})

describeOn('kafka', 'kafkaPreset on three brokers', (brokers) => {
  test('opens replicas that meet, and whose strong keys are strong', async () => {
    const given = { brokers, cluster: fresh() }
    await meet((strong) => ({ ...given, strong }), kafkaPreset as AnyPreset)
  })
})
