/** The suite that every ordered log passes, on a real server with an append-only file. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { orderedLogSuite } from '../../../adapters/conformance/ordered-log/suite.ts'
import { redisOrderedLog } from '../../../adapters/redis/index.ts'
import { PrivateServer } from '../../support/private-server.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

let count = 0
const server = await PrivateServer.startIfAny('valkey')

describe.skipIf(server === undefined)('an ordered log in Redis', () => {
  let redis: Redis
  beforeAll(() => {
    redis = new Redis(server!.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server!.close()
  })

  const keysOf = async (prefix: string): Promise<string[]> => redis.keys(`{${prefix}}:*`)
  const recordsOf = async (prefix: string, partition: number): Promise<string> =>
    `{${prefix}}:${await redis.hget(`{${prefix}}:log`, 'identity')}:${partition}:records`

  /** As the file of that moment would have it. */
  async function rollBack(prefix: string, partition: number, offset: number): Promise<void> {
    const key = await recordsOf(prefix, partition)
    const records = await redis.xrange(key, '-', String(offset))
    const back = redis.multi().del(key)
    for (const [id, fields] of records) back.xadd(key, id, ...fields)
    await back.hset(`{${prefix}}:log`, `last:${partition}`, offset).exec()
  }

  orderedLogSuite({
    test,
    create: async ({ partitions }) => {
      const prefix = `conformance:${process.pid}:${++count}`
      const { proxy, url } = await TcpProxy.before(server!.url)
      return {
        log: redisOrderedLog({ url, prefix, partitions }),
        operator: {
          recreate: async () => void (await redis.del(await keysOf(prefix))),
          purge: async (partition) => void (await redis.xtrim(await recordsOf(prefix, partition), 'MAXLEN', 0)),
          rollBack: (partition, offset) => rollBack(prefix, partition, offset),
          disconnect: () => proxy.away(),
          reconnect: () => proxy.back(),
        },
        dispose: async () => {
          const keys = await keysOf(prefix)
          if (keys.length > 0) await redis.del(keys)
          await proxy.close()
        },
      }
    },
  })
})

describeOn('valkey', 'a Redis without an append-only file', (url) => {
  test('is refused, with the remedy', async () => {
    const opening = redisOrderedLog({ url, prefix: `unfit:${process.pid}` }).open({ connected: () => undefined })
    await expect(opening).rejects.toMatchObject({ code: 'WARP_E_BROKER_UNFIT' })
    await expect(opening).rejects.toThrow('set appendonly yes')
  })
})
