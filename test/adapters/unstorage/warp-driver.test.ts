import { createStorage, prefixStorage, type Storage, type WatchEvent } from 'unstorage'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { warpDriver, type WarpDriverOptions } from '../../../adapters/unstorage/index.ts'
import { register } from '../../../crdt/register.ts'
import { allOf } from '../../support/all-of.ts'
import { refused } from '../../support/refused.ts'

async function openOne() {
  const keys = {
    'files:*': register<unknown>(),
    'copies:*': { strategy: register<unknown>(), load: 'caller' as const },
  }
  const warp = await openWarp({ keys })
  onTestFinished(() => warp.close())
  return warp
}

async function storageOver(pattern = 'files:*', options: WarpDriverOptions = {}) {
  const warp = await openOne()
  const storage: Storage = createStorage({ driver: warpDriver(warp, pattern, options) })
  onTestFinished(() => storage.dispose())
  return { warp, storage }
}

test('items are set, read, listed below a base, and removed', async () => {
  const { storage } = await storageOver()
  await storage.setItem('a:1', { name: 'Ada' })
  await storage.setItems([
    { key: 'a:2', value: 'two' },
    { key: 'ab:3', value: '3' },
  ])
  expect(await storage.getItem('a:1')).toEqual({ name: 'Ada' })
  expect(await storage.getItems(['a:2', 'nothing'])).toEqual([
    { key: 'a:2', value: 'two' },
    { key: 'nothing', value: null },
  ])
  expect((await storage.getKeys('a')).sort()).toEqual(['a:1', 'a:2'])
  expect(await storage.hasItem('ab:3')).toBe(true)
  await storage.removeItem('ab:3')
  expect([await storage.hasItem('ab:3'), await storage.getItem('ab:3')]).toEqual([false, null])
})

test('raw items are bytes', async () => {
  const { storage } = await storageOver()
  await storage.setItemRaw('picture', new Uint8Array([1, 2, 255]))
  expect(await storage.getItemRaw('picture')).toEqual(new Uint8Array([1, 2, 255]))
  expect(await storage.getItemRaw('nothing')).toBeNull()
})

test('meta is kept beside the item', async () => {
  const { storage } = await storageOver()
  await storage.setItem('a', 1)
  await storage.setMeta('a', { owner: 'Ada' })
  expect(await storage.getMeta('a')).toEqual({ owner: 'Ada' })
})

/** unstorage itself clears whole mounts only; a base comes from who calls the driver. */
test('a clear takes all of a mount, and of a driver what is below its base', async () => {
  const { warp, storage } = await storageOver()
  const whole = createStorage().mount('mounted', warpDriver(warp, 'files:*'))
  for (const key of ['a:1', 'ab:1', '*:1']) await prefixStorage(storage, 'x').setItem(key, 1)
  const { driver } = storage.getMount()
  await driver.clear?.('x:a:', {})
  expect((await storage.getKeys()).sort()).toEqual(['x:*:1', 'x:ab:1'])
  // A star is a character like others.
  await driver.clear?.('x:*:', {})
  expect(await storage.getKeys()).toEqual(['x:ab:1'])
  await whole.clear('mounted')
  expect(await storage.getKeys()).toEqual([])
})

describe('lives, in seconds', () => {
  const lifeOf = async (options: WarpDriverOptions, ttl?: number): Promise<unknown> => {
    const { warp, storage } = await storageOver('files:*', options)
    await storage.setItem('a', 1, ttl === undefined ? {} : { ttl })
    const [operation] = await allOf(warp.log('files:a'))
    return operation?.lifeMs
  }

  test('of the driver, of one item, and none', async () => {
    expect(await lifeOf({ ttl: 60 })).toBe(60_000)
    expect(await lifeOf({ ttl: 60 }, 1.5)).toBe(1_500)
    expect(await lifeOf({})).toBeUndefined()
  })
})

describe('watching', () => {
  test('tells of what another replica writes and removes', async () => {
    const network = memoryNetwork()
    const keys = { 'files:*': register<unknown>() }
    const a = await openWarp({ keys, transports: [network.transport('a')] })
    const b = await openWarp({ keys, transports: [network.transport('b')] })
    onTestFinished(async () => void (await Promise.all([a.close(), b.close()])))
    const [here, there] = [a, b].map((warp) => createStorage({ driver: warpDriver(warp, 'files:*') })) as [
      Storage,
      Storage,
    ]
    const told: [WatchEvent, string][] = []
    let tell: () => void
    const isRemoved = new Promise<void>((resolve) => (tell = resolve))
    const unwatch = await there.watch((event, key) => {
      told.push([event, key])
      if (event === 'remove') tell()
    })
    await here.setItem('a:1', 1)
    await here.removeItem('a:1')
    await isRemoved
    expect(told.at(-1)).toEqual(['remove', 'a:1'])
    await unwatch()
    await there.dispose()
  })
})

describe('over copies', () => {
  test('items are set, read and cleared, and are in no listing', async () => {
    const { storage } = await storageOver('copies:*')
    await storage.setItem('a', 1)
    expect(await storage.getItem('a')).toBe(1)
    await expect(storage.getKeys()).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await storage.clear()
    expect(await storage.getItem('a')).toBeNull()
  })
})

describe('what it does not take', () => {
  test('a pattern that is not registered', async () => {
    const warp = await openOne()
    expect(refused(() => warpDriver(warp, 'other:*'))).toMatchObject({ code: 'WARP_E_UNREGISTERED_KEY' })
  })

  test('options that do not exist, and lives that are none', async () => {
    const warp = await openOne()
    const misspelt = { tll: 1 } as WarpDriverOptions
    expect(refused(() => warpDriver(warp, 'files:*', misspelt))).toMatchObject({
      message: expect.stringContaining("did you mean 'ttl'?"),
    })
    expect(refused(() => warpDriver(warp, 'files:*', { ttl: 0 }))).toMatchObject({ code: 'WARP_E_CONFIG' })
  })
})
