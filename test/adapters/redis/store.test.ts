import { Cluster, Redis } from 'ioredis'
import { once } from 'node:events'
import { afterAll, describe, expect, test } from 'vitest'
import { primaryStoreSuite } from '../../../adapters/conformance/primary-store/suite.ts'
import { namesOf, patternOf, refusalOf } from '../../../adapters/redis/store/names.ts'
import { redisSettings, type RedisStoreOptions } from '../../../adapters/redis/store/options.ts'
import { redisStore } from '../../../adapters/redis/store/redis-store.ts'
import { freePort } from '../../../tools/servers/state.mjs'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

const { signal } = new AbortController()
const row = (text: string) => ({ value: Buffer.from(text), meta: Buffer.from([1]), token: Buffer.alloc(16, 7) })

describeOn('valkey', 'Valkey', (url) => {
  const clients: Redis[] = []
  const connect = (): Redis => {
    const client = new Redis(url)
    clients.push(client)
    return client
  }
  afterAll(() => {
    for (const client of clients) client.disconnect()
  })

  for (const prefix of ['', 'app:', '{app}:']) {
    describe(`rows under the prefix '${prefix}'`, () => {
      primaryStoreSuite({
        test,
        create: async () => {
          const client = connect()
          await client.flushall()
          await client.rpush(`${prefix}a list`, 'of somebody else')
          return {
            store: redisStore(client, { prefix }),
            another: () => redisStore(connect(), { prefix }),
            rejectedKey: 'a list',
            outsider: async (key, value) => {
              if (value === undefined) await client.del(prefix + key)
              else await client.set(prefix + key, Buffer.from(value))
            },
            dispose: () => client.disconnect(),
          }
        },
      })
    })
  }

  test('other clients read the value as it is, and the server may forget its scripts', async () => {
    const client = connect()
    await client.flushall()
    const store = redisStore(client)
    await client.script('FLUSH')
    expect(await store.compareAndSet([{ key: 'a', expected: undefined, next: row('"one"') }], { signal })).toEqual([
      { kind: 'done' },
    ])
    expect(await client.get('a')).toBe('"one"')
  })

  test('a tombstone goes by itself where it is asked to', async () => {
    const client = connect()
    await client.flushall()
    const store = redisStore(client, { tombstoneMs: 60_000 })
    const gone = { ...row(''), value: undefined }
    await store.compareAndSet([{ key: 'a', expected: undefined, next: gone }], { signal })
    expect(await client.pttl('warp:{a}')).toBeGreaterThan(0)
    await store.compareAndSet([{ key: 'a', expected: gone, next: row('one') }], { signal })
    expect(await client.pttl('warp:{a}')).toBe(-1)
  })

  test('keys of others are not listed, nor are the hashes with meta', async () => {
    const client = connect()
    await client.flushall()
    await client.rpush('k:list', 'x')
    const store = redisStore(client)
    await store.compareAndSet([{ key: 'k:1', expected: undefined, next: row('one') }], { signal })
    expect(await store.listKeys({ prefix: '', limit: 10, signal })).toEqual(['k:1'])
  })
})

describeOn('valkey', 'the connection to Valkey', (url) => {
  test('once it is lost and cannot be made again, requests fail at once, those under way as well; it comes back', async () => {
    const { proxy, url: proxied } = await TcpProxy.before(url)
    // This client would wait for ever.
    const client = new Redis(proxied, { maxRetriesPerRequest: null, retryStrategy: () => 5 })
    const store = redisStore(client, { prefix: 'lost:' })
    await store.readRows(['a'], { signal })
    proxy.holdAnswers()
    const underWay = store.readRows(['a'], { signal })
    proxy.away()
    await expect(underWay).rejects.toMatchObject({ details: { failure: 'transient' }, outcome: 'indeterminate' })
    await expect(store.readRows(['a'], { signal })).rejects.toMatchObject({
      details: { failure: 'transient', isAway: true },
      outcome: 'failed',
    })
    proxy.release()
    proxy.back()
    await once(client, 'ready')
    expect(await store.readRows(['a'], { signal })).toEqual([undefined])
    await store.close?.()
    client.disconnect()
    await proxy.close()
  })

  test('a connection that is lost and made again fails nothing', async () => {
    const { proxy, url: proxied } = await TcpProxy.before(url)
    const client = new Redis(proxied, { maxRetriesPerRequest: null, retryStrategy: () => 5 })
    const store = redisStore(client, { prefix: 'again:' })
    await store.readRows(['a'], { signal })
    proxy.holdAnswers()
    const underWay = store.readRows(['a'], { signal })
    proxy.cut()
    proxy.release()
    expect(await underWay).toEqual([undefined])
    await store.close?.()
    client.disconnect()
    await proxy.close()
  })
})

describeOn('cluster', 'Valkey, as a cluster', (url) => {
  const clients: Cluster[] = []
  const connect = (): Cluster => {
    const client = new Cluster([url])
    clients.push(client)
    return client
  }
  afterAll(() => {
    for (const client of clients) client.disconnect()
  })

  primaryStoreSuite({
    test,
    create: async () => {
      const client = connect()
      await client.flushall()
      return {
        store: redisStore(client, { prefix: '{app}:' }),
        another: () => redisStore(connect(), { prefix: '{app}:' }),
        // A key in a slot of its own is tried below: this prefix keeps odd keys together.
        outsider: async (key, value) => {
          if (value === undefined) await client.del(`{app}:${key}`)
          else await client.set(`{app}:${key}`, Buffer.from(value))
        },
        dispose: () => client.disconnect(),
      }
    },
  })

  test('value and meta of any key are in one slot', async () => {
    const client = connect()
    await client.flushall()
    const store = redisStore(client)
    for (const key of ['a', 'user:1', 'a{b}c', '{b}', 'a{', 'é']) {
      expect(await store.compareAndSet([{ key, expected: undefined, next: row('"x"') }], { signal })).toEqual([
        { kind: 'done' },
      ])
      expect((await store.readRows([key], { signal }))[0]?.value).toEqual(new Uint8Array(Buffer.from('"x"')))
    }
    for (const key of ['a}b', 'a{}']) {
      const [outcome] = await store.compareAndSet([{ key, expected: undefined, next: row('"x"') }], { signal })
      expect(outcome?.kind).toBe('rejected')
    }
  })
})

describe('names', () => {
  const settings = redisSettings(new Redis({ lazyConnect: true }), {})
  const keys = ['a', '{a}', 'a{b}', '{a}{b}', '{}a', 'a}b', 'a{', '}', '{', 'warp', ':a']

  test('no two keys share a name of either kind', () => {
    const names = keys.map((key) => namesOf(key, settings))
    expect(new Set(names.flatMap(({ value, meta }) => [value, meta])).size).toBe(2 * keys.length)
  })

  test("a key that looks like meta's name is refused", () => {
    expect(refusalOf('warp:{a}', settings)).toContain("'warp:'")
    expect(refusalOf('a}b', settings)).toBeUndefined()
    expect(refusalOf('a}b', { ...settings, isCluster: true })).toContain('closing brace')
  })

  test('a pattern stands for the beginning as it is written', () => {
    expect(patternOf('a*[b]?\\')).toBe('a\\*\\[b\\]\\?\\\\*')
  })
})

describe('options', () => {
  const client = new Redis({ lazyConnect: true })
  const refused = (given: unknown, options?: unknown) => () => redisStore(given as Redis, options as RedisStoreOptions)

  test('what does not fit is refused', () => {
    expect(refused({})).toThrow('give a client of ioredis')
    expect(refused(client, { prefx: 'a' })).toThrow("did you mean 'prefix'?")
    expect(refused(client, { keyPrefix: 'a:' })).toThrow("did you mean 'prefix'?")
    expect(refused(client, { metaPrefix: 'a{' })).toThrow('without {')
    expect(refused(client, { tombstoneMs: -1 })).toThrow('tombstoneMs')
    expect(refused(new Redis({ lazyConnect: true, keyPrefix: 'a:' }))).toThrow('keyPrefix')
  })
})

test('a server that was never there fails requests that the client would keep for it', async () => {
  const client = new Redis({ port: await freePort(), maxRetriesPerRequest: null })
  const store = redisStore(client)
  await expect(store.readRows(['a'], { signal })).rejects.toMatchObject({ details: { failure: 'transient' } })
  await expect(store.readRows(['a'], { signal })).rejects.toMatchObject({ outcome: 'failed' })
  await store.close?.()
  client.disconnect()
})

test('a server that is not there fails each request, and nothing else', async () => {
  const client = new Redis({ port: await freePort(), maxRetriesPerRequest: 0, retryStrategy: () => null })
  const store = redisStore(client)
  await expect(store.readRows(['a', 'b'], { signal })).rejects.toMatchObject({
    code: 'WARP_E_STORE',
    details: { failure: 'transient', store: 'redis:rows' },
  })
  await store.close?.()
  client.disconnect()
})
