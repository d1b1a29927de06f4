/** Keyv over Warp, and what stands on Keyv: cache-manager (and so NestJS's cache module), and cacheable. */
import { createCache } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Keyv } from 'keyv'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memoryNetwork, memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { warpKeyv } from '../../../adapters/stores/keyv/index.ts'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { allOf } from '../../support/all-of.ts'
import { refused } from '../../support/refused.ts'

const KINDS = {
  'keys whose truth is here': { 'cache:*': register<string>() },
  copies: { 'cache:*': { strategy: register<string>(), load: 'caller' as const } },
}

async function openOne(kind: keyof typeof KINDS = 'keys whose truth is here') {
  const warp = await openWarp({ keys: { ...KINDS[kind], 'visits:*': counter() } })
  onTestFinished(() => warp.close())
  return warp
}

async function openTwo() {
  const network = memoryNetwork()
  const keys = { 'cache:*': register<string>() }
  const a = await openWarp({ keys, transports: [network.transport('a')] })
  const b = await openWarp({ keys, transports: [network.transport('b')] })
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])))
  return { a, b }
}

/** `options` are those of Keyv. */
async function keyvOver(kind?: keyof typeof KINDS, options: object = {}) {
  const warp = await openOne(kind)
  return { warp, keyv: new Keyv<unknown>({ store: warpKeyv(warp, 'cache:*'), throwOnErrors: true, ...options }) }
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('Keyv over %s', (kind) => {
  test('gives what was set, one and many', async () => {
    const { keyv } = await keyvOver(kind)
    expect(await keyv.set('a', { name: 'Ada' })).toBe(true)
    await keyv.setMany([
      { key: 'b', value: [1] },
      { key: 'c', value: false },
    ])
    expect(await keyv.get('a')).toEqual({ name: 'Ada' })
    expect(await keyv.get(['b', 'nothing', 'c'])).toEqual([[1], undefined, false])
    expect(await keyv.has('c')).toBe(true)
    expect(await keyv.hasMany(['a', 'nothing'])).toEqual([true, false])
  })

  test('deletes one and many', async () => {
    const { keyv } = await keyvOver(kind)
    for (const key of ['a', 'b', 'c']) await keyv.set(key, key)
    expect(await keyv.delete('a')).toBe(true)
    expect(await keyv.delete(['b', 'c'])).toBe(true)
    expect(await keyv.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
  })

  test('clears its namespace, and what is in another one stays', async () => {
    const warp = await openOne(kind)
    const [pages, page] = ['pages', 'page'].map((namespace) => {
      return new Keyv({ store: warpKeyv(warp, 'cache:*'), namespace })
    }) as [Keyv, Keyv]
    await pages.set('a', 1)
    await page.set('a', 2)
    await page.clear()
    expect([await pages.get('a'), await page.get('a')]).toEqual([1, undefined])
  })

  test('without prefixes it clears all keys of its pattern', async () => {
    const { keyv, warp } = await keyvOver(kind, { namespace: undefined, useKeyPrefix: false })
    await keyv.set('a', 1)
    expect(warp.peek('cache:a')).toBe('{"value":1}')
    await keyv.clear()
    expect(await keyv.get('a')).toBeUndefined()
  })
})

test('what one replica sets, the other one gets', async () => {
  const { a, b } = await openTwo()
  const [here, there] = [a, b].map((warp) => new Keyv({ store: warpKeyv(warp, 'cache:*') })) as [Keyv, Keyv]
  const watch = b.watch('cache:*')
  await here.set('a', 'from a')
  await watch[Symbol.asyncIterator]().next()
  expect(await there.get('a')).toBe('from a')
  watch.close()
})

describe('lives', () => {
  test('a life is the engine’s: the key is gone everywhere when it is over', async () => {
    const { keyv, warp } = await keyvOver()
    await keyv.set('a', 1, 5_000)
    const [operation] = await allOf(warp.log('cache:keyv:a'))
    expect(operation).toMatchObject({ lifeMs: 5_000 })
  })

  test('a life that is over when it begins is a delete', async () => {
    const { keyv } = await keyvOver()
    await keyv.set('a', 1)
    await keyv.set('a', 2, -1)
    expect(await keyv.has('a')).toBe(false)
  })

  test('one without an end is as the pattern says', async () => {
    const { keyv } = await keyvOver()
    await keyv.set('a', 1, Infinity)
    expect(await keyv.get('a')).toBe(1)
  })
})

describe('keys are listed', () => {
  test('with their values, those of the namespace only', async () => {
    const { keyv, warp } = await keyvOver()
    for (let at = 0; at < 300; at++) await keyv.set(`key:${at}`, at)
    await warp.set('cache:other:1', '{"value":"of another namespace"}')
    const entries = await allOf(keyv.iterator?.({}) as AsyncIterable<[string, number]>)
    expect(new Map(entries).get('key:299')).toBe(299)
    expect(entries).toHaveLength(300)
  })

  test('copies are in no listing, which is an error', async () => {
    const { keyv } = await keyvOver('copies')
    await keyv.set('a', 1)
    await expect(allOf(keyv.iterator?.({}) as AsyncIterable<unknown>)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining('without load'),
    })
  })
})

describe('what it does not take', () => {
  test.each([
    ['a pattern that is not registered', 'page:*', 'WARP_E_UNREGISTERED_KEY', "keys: { 'page:*': register() }"],
    ['a pattern without a star', 'cache:', 'WARP_E_PATTERN', "such as 'cache:*'"],
    ['a star in the middle', 'cache:*:v1', 'WARP_E_PATTERN', "such as 'cache:*'"],
    ['a question mark', 'cache:?*', 'WARP_E_PATTERN', "such as 'cache:*'"],
    ['a strategy without set', 'visits:*', 'WARP_E_CONFIG', 'register the pattern with register()'],
  ])('%s', async (_, pattern, code, message) => {
    const warp = await openOne()
    const error = refused(() => warpKeyv(warp, pattern))
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test('a pattern with a store, whose rows a clear would leave', async () => {
    const warp = await openWarp({ keys: { 'cache:*': { strategy: register<string>(), store: memoryStore() } } })
    onTestFinished(() => warp.close())
    const refusal = { code: 'WARP_E_CONFIG', message: expect.stringContaining('without store') }
    expect(refused(() => warpKeyv(warp, 'cache:*'))).toMatchObject(refusal)
  })

  test('what is no engine', () => {
    const given = Promise.resolve() as unknown as Parameters<typeof warpKeyv>[0]
    expect(refused(() => warpKeyv(given, 'cache:*'))).toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining('give what openWarp has opened'),
    })
  })
})

test('an error of the engine is an error of Keyv, and to disconnect closes nothing', async () => {
  const { keyv, warp } = await keyvOver()
  await keyv.disconnect()
  expect(await keyv.set('a', 1)).toBe(true)
  await warp.close()
  await expect(keyv.get('a')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
})

describe('what stands on Keyv', () => {
  /** NestJS: `CacheModule.register({ stores: [keyv] })` makes this very cache. */
  test('cache-manager sets, wraps, loads once, lists a life, deletes and clears', async () => {
    const warp = await openOne()
    const cache = createCache({ stores: [new Keyv({ store: warpKeyv(warp, 'cache:*') })], ttl: 60_000 })
    await cache.set('a', { id: 1 })
    await cache.mset([{ key: 'b', value: 2 }])
    expect(await cache.mget(['a', 'b', 'c'])).toEqual([{ id: 1 }, 2, undefined])
    let loads = 0
    const load = (): number => ++loads
    expect([await cache.wrap('d', load), await cache.wrap('d', load)]).toEqual([1, 1])
    expect(await cache.ttl('a')).toBeGreaterThan(Date.now())
    await cache.del('a')
    await cache.mdel(['b'])
    expect(await cache.get('a')).toBeUndefined()
    await cache.clear()
    expect(await allOf(warp.keys('cache:*'))).toEqual([])
  })

  test('cacheable has it as the second layer, which its replicas share', async () => {
    const { a, b } = await openTwo()
    const [here, there] = [a, b].map((warp) => {
      return new Cacheable({ secondary: new Keyv({ store: warpKeyv(warp, 'cache:*') }) })
    }) as [Cacheable, Cacheable]
    const watch = b.watch('cache:*')
    await here.set('user:1', { name: 'Ada' }, '1h')
    await watch[Symbol.asyncIterator]().next()
    watch.close()
    expect(await there.get('user:1')).toEqual({ name: 'Ada' })
    expect(await there.getMany(['user:1', 'user:2'])).toEqual([{ name: 'Ada' }, undefined])
  })
})
