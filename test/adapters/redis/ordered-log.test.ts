/** An ordered log in Redis, over what happens to a server that is this test's alone. */
import { Redis } from 'ioredis'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { redisOrderedLog, type RedisOrderedLogOptions } from '../../../adapters/redis/index.ts'
import { promisesOf, type ServerFacts } from '../../../adapters/redis/ordered/fitness.ts'
import type { AppendOutcome } from '../../../src/ports/ordered-log.ts'
import { PrivateServer } from '../../support/private-server.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { LogClient, until } from '../broker/log-client.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const probe = await PrivateServer.startIfAny('valkey')
await probe?.close()

describe.skipIf(probe === undefined)('an ordered log in a Redis', () => {
  let server: PrivateServer
  let redis: Redis
  beforeEach(async () => {
    server = await PrivateServer.start('valkey')
    closing.unshift(() => server.close())
    redis = new Redis(server.url, { retryStrategy: () => 100, maxRetriesPerRequest: null })
    redis.on('error', () => undefined)
    closing.unshift(() => redis.disconnect())
  })

  async function open(options: Partial<RedisOrderedLogOptions> = {}): Promise<LogClient> {
    const client = await LogClient.open(redisOrderedLog({ url: server.url, prefix: 'orders', ...options }))
    closing.unshift(() => client.link.close())
    return client
  }

  test('answers a barrier with a place at or behind all that was acknowledged, whoever has read it', async () => {
    const [a, b] = [await open(), await open()]
    const offset = await b.append('by-another-replica')
    expect(await a.link.barrier(0)).toBeGreaterThanOrEqual(offset)
  })

  test('that is killed and started again with its file has all that was acknowledged', async () => {
    const a = await open()
    const reader = a.follow()
    for (let i = 0; i < 50; i++) await a.append(`before-${i}`)
    await server.kill()
    await until(() => a.connections.at(-1) === false)
    await server.startAgain()
    await until(() => a.connections.at(-1) === true)
    const offset = await a.append('after')
    await until(() => reader.records.at(-1)?.id === 'after')
    expect(offset).toBe(51)
    expect(reader.records.map(({ offset: at }) => at)).toEqual(Array.from({ length: 51 }, (_, i) => i + 1))
    expect(reader.broken).toBeUndefined()
  })

  test('that has lost what was acknowledged is told to be broken, and takes and answers nothing', async () => {
    const a = await open()
    const reader = a.follow()
    await a.append('kept')
    await redis.config('SET', 'appendonly', 'no')
    await a.append('lost')
    await until(() => reader.records.length === 2)
    await server.kill()
    await server.startAgain()
    await until(() => reader.broken !== undefined)
    expect(reader.broken).toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    expect(await a.link.append(0, 'more', Buffer.from('x'))).toMatchObject({
      kind: 'refused',
      error: { code: 'WARP_E_ORDER_BROKEN' },
    })
    await expect(a.link.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
  })

  test('takes what is appended, though a reader has a bookmark of another log', async () => {
    const a = await open()
    const reader = a.follow({ offset: 1_000_000, id: 'another' })
    expect(await a.link.append(0, 'one', Buffer.from('x'))).toEqual({ kind: 'appended', offset: 1 })
    await expect(a.link.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    await until(() => reader.broken !== undefined)
    expect(await a.link.append(0, 'two', Buffer.from('x'))).toEqual({ kind: 'appended', offset: 2 })
  })

  test('that is empty is never taken for the one that was there', async () => {
    const [a, whoHasSeenNothing] = [await open(), await open()]
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.records.length === 1)
    await redis.flushall()
    for (const { link } of [a, whoHasSeenNothing])
      expect(await link.append(0, 'two', Buffer.from('x'))).toMatchObject({
        kind: 'refused',
        error: { code: 'WARP_E_ORDER_BROKEN' },
      })
    await until(() => reader.broken !== undefined)
    expect(await redis.dbsize()).toBe(0)
  })

  test('that is started again without what was in its file is told to be broken by the first message', async () => {
    const [a, whoHasSeenNothing] = [await open(), await open()]
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.records.length === 1)
    await server.kill()
    rmSync(path.join(server.folder, 'appendonlydir'), { recursive: true })
    await server.startAgain()
    // Somebody comes first who takes it for a new log, and so it has a record at each place again.
    await (await open()).append('another')
    for (const { link, connections } of [a, whoHasSeenNothing]) {
      await until(() => connections.at(-1) === true)
      expect(await link.append(0, 'two', Buffer.from('x'))).toMatchObject({
        kind: 'refused',
        error: { code: 'WARP_E_ORDER_BROKEN' },
      })
    }
    await until(() => reader.broken !== undefined)
    expect(reader.broken).toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    expect(reader.records.map(({ id }) => id)).toEqual(['one'])
  })

  test('that comes back without its append-only file is not used', async () => {
    const a = await open()
    await a.append('one')
    await redis.config('SET', 'appendonly', 'no')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(() => a.reports.some(({ error }) => error.code === 'WARP_E_BROKER_UNFIT'))
    expect(a.connections.at(-1)).toBe(false)
    await redis.config('SET', 'appendonly', 'yes')
    await until(() => a.connections.at(-1) === true)
    await a.append('two')
  })

  test('whose answers are lost has an unknown outcome, and what was not sent was refused', async () => {
    const { proxy, url } = await TcpProxy.before(server.url)
    closing.push(() => proxy.close())
    const a = await open({ url, appendsMax: 2, timeoutMs: 60_000 })
    const reader = (await open()).follow()
    proxy.holdAnswers()
    const appends = ['one', 'two', 'three'].map((id) => a.link.append(0, id, Buffer.from(id)))
    await until(() => reader.records.length === 2)
    proxy.away()
    const outcomes: AppendOutcome[] = await Promise.all(appends)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['unknown', 'unknown', 'refused'])
    expect(reader.records.map(({ id }) => id)).toEqual(['one', 'two'])
  })

  test('that stands still is answered by nobody, and given up', async () => {
    const a = await open({ timeoutMs: 300, pingMs: 400 })
    server.stand()
    expect(await a.link.append(0, 'one', Buffer.from('x'))).toMatchObject({ kind: 'unknown' })
    await until(() => a.connections.at(-1) === false)
    server.goOn()
    await until(() => a.connections.at(-1) === true)
    await a.append('two')
  })

  test('that has forgotten the scripts is told them again, and nothing is lost or doubled', async () => {
    const a = await open()
    const reader = a.follow()
    await a.append('one')
    await redis.script('FLUSH')
    // The connection is given up for it, so other answers may be lost as well.
    const { kind } = await a.link.append(0, 'two', Buffer.from('x'))
    expect(kind).not.toBe('appended')
    await until(() => a.connections.at(-1) === true)
    await a.append('two')
    await until(() => reader.records.length === 2)
    expect(reader.records.map(({ id }) => id)).toEqual(['one', 'two'])
  })

  test('that has become a copy of another one answers no barrier and takes no record', async () => {
    const other = await PrivateServer.start('valkey')
    closing.push(() => other.close())
    const a = await open()
    await a.append('one')
    const { hostname, port } = new URL(other.url)
    server.stand()
    const copied = redis.replicaof(hostname, port)
    server.goOn()
    await copied
    expect(await a.link.append(0, 'two', Buffer.from('x'))).toMatchObject({ kind: 'refused' })
    await expect(a.link.barrier(0)).rejects.toMatchObject({
      code: expect.stringMatching(/WARP_E_(?:TRANSPORT|ORDER_BROKEN)/) as string,
    })
  })

  test('that is full says so, and goes on when there is room', async () => {
    const a = await open()
    await a.append('one')
    await redis.config('SET', 'maxmemory', '1')
    expect(await a.link.append(0, 'two', Buffer.from('x'))).toMatchObject({
      kind: 'refused',
      error: { code: 'WARP_E_STORAGE_FULL' },
    })
    await redis.config('SET', 'maxmemory', '0')
    expect(await a.append('two')).toBe(2)
  })

  test('of other partitions is refused', async () => {
    await open({ partitions: 2 })
    await expect(open({ partitions: 3 })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  })

  test('leaves one snapshot behind, and pieces that were given up end by themselves', async () => {
    const a = await open()
    for (const id of ['one', 'two', 'three']) await a.append(id)
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(300_000)
    }
    for (const [offset, id] of [
      [1, 'one'],
      [3, 'three'],
      [2, 'two'],
    ] as const)
      await a.link.saveSnapshot(0, { bookmark: { offset, id }, pieces: pieces() })
    const kept = await redis.keys('*pieces*')
    expect(kept).toHaveLength(1)
    expect(await redis.pttl(kept[0]!)).toBe(-1)
    let lives = 0
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      for (const key of await redis.keys('*pieces*')) lives = Math.max(lives, await redis.pttl(key))
      throw new Error('given up')
    }
    await expect(a.link.saveSnapshot(0, { bookmark: { offset: 3, id: 'three' }, pieces: failing() })).rejects.toThrow(
      'given up',
    )
    expect(lives).toBeGreaterThan(1_000_000)
    expect(await redis.keys('*pieces*')).toEqual(kept)
  })
})

describe('a server', () => {
  const good = {
    redis_version: '7.2.4',
    cluster_enabled: '0',
    role: 'master',
    aof_enabled: '1',
    maxmemory_policy: 'noeviction',
  }
  const facts = (over: Partial<typeof good>, more: Partial<ServerFacts> = {}): ServerFacts => ({
    info: new Map(Object.entries({ ...good, ...over })),
    isWatched: false,
    appendfsync: 'everysec',
    ...more,
  })

  test.each<[Partial<typeof good>, string]>([
    [{ redis_version: '6.0.16' }, 'take 6.2'],
    [{ cluster_enabled: '1' }, 'a server of its own'],
    [{ role: 'slave' }, 'the address of the primary'],
    [{ aof_enabled: '0' }, 'set appendonly yes'],
    [{ maxmemory_policy: 'allkeys-lru' }, 'set noeviction'],
  ])('with %o is refused, with the remedy', (over, remedy) => {
    const open = () => promisesOf('redis:orders', facts(over), true)
    expect(open).toThrow(expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT' }))
    expect(open).toThrow(remedy)
  })

  test('behind Sentinels is refused, unless the loss is accepted, which is shown', () => {
    const watched = facts({}, { isWatched: true })
    expect(() => promisesOf('redis:orders', watched, false)).toThrow('acceptFailoverLoss')
    expect(promisesOf('redis:orders', watched, true).accepted).toEqual(['failover'])
    expect(promisesOf('redis:orders', facts({}), true).accepted).toEqual([])
  })

  test.each([
    ['always', 'power loss'],
    ['everysec', 'kill'],
    ['no', 'kill'],
    [undefined, 'kill'],
  ] as const)('that flushes %s keeps what it acknowledged over a %s', (appendfsync, survives) => {
    expect(promisesOf('redis:orders', facts({}, { appendfsync }), false).survives).toBe(survives)
  })
})
