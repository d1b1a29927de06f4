import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter, register, set } from '../../crdt/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = { 'user:*': { strategy: register<string>(), ttlMs: 1000 }, 'hits:*': counter() } as const

async function filled() {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env })
  await warp.set('user:1', 'a')
  await warp.set('user:2', 'b')
  await warp.key('hits:1').increment()
  await warp.delete('user:2')
  return { warp, env }
}

async function listed(listing: AsyncIterable<string>) {
  const found: string[] = []
  for await (const key of listing) found.push(key)
  return found
}

test('keys that match a pattern and have a value are listed', async () => {
  const { warp } = await filled()
  expect(await listed(warp.keys('user:*'))).toEqual(['user:1'])
  expect((await listed(warp.keys('*'))).sort()).toEqual(['hits:1', 'user:1'])
  expect(await listed(warp.keys('hits:1'))).toEqual(['hits:1'])
  expect(await listed(warp.keys('nobody:*'))).toEqual([])
})

test('a set whose elements were all removed is not listed, whether it was looked at or not', async () => {
  const warp = await openWarp({ keys: { 'cart:*': set<string>() }, env: virtualEnv() })
  for (const key of ['cart:1', 'cart:2'] as const) {
    await warp.key(key).add('a')
    await warp.key(key).remove('a')
  }
  expect(await warp.get('cart:1')).toBeUndefined()
  expect(await listed(warp.keys('*'))).toEqual([])
})

test('deleted and expired keys are listed on request only', async () => {
  const { warp, env } = await filled()
  await env.advance(2000)
  expect(await listed(warp.keys('user:*'))).toEqual([])
  expect((await listed(warp.keys('user:*', { dead: true }))).sort()).toEqual(['user:1', 'user:2'])
})

test('keys that are written during a listing do not disturb it', async () => {
  const { warp } = await filled()
  const before = Array.from({ length: 1000 }, (_, i) => `hits:${i}`)
  for (const key of before) await warp.key(key as 'hits:1').increment()
  const seen: string[] = []
  for await (const key of warp.keys('hits:*')) {
    if (seen.length % 10 === 0) await warp.key(`hits:new-${seen.length}`).increment()
    seen.push(key)
    if (seen.length > 5000) break
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toEqual(expect.arrayContaining(before))
})

test('a listing prolongs no life', async () => {
  const env = virtualEnv()
  const sliding = { 'seen:*': { strategy: register<string>(), ttlMs: 1000, ttl: 'sliding' } } as const
  const warp = await openWarp({ keys: sliding, env })
  await warp.set('seen:1', 'a')
  await warp.get('seen:1')
  await env.advance(700)
  expect(await listed(warp.keys('*'))).toEqual(['seen:1'])
  await env.advance(700)
  expect(await warp.get('seen:1')).toBeUndefined()
})

test('keys without a pattern, in a log of other settings, are left out', async () => {
  const log = fileLog({ path: temporaryFolder() })
  const first = await openWarp({ keys, log, env: virtualEnv() })
  await first.set('user:1', 'a')
  await first.key('hits:1').increment()
  await first.close()
  const second = await openWarp({ keys: { 'hits:*': counter() }, log, env: virtualEnv() })
  expect(await listed(second.keys('*'))).toEqual(['hits:1'])
  await second.close()
})

test('a bad pattern, an aborted signal and a closed engine are refused', async () => {
  const { warp } = await filled()
  await expect(listed(warp.keys(''))).rejects.toMatchObject({ code: 'WARP_E_PATTERN' })
  const aborted = warp.keys('*', { signal: AbortSignal.abort() })
  await expect(listed(aborted)).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  const listing = warp.keys('*')
  await warp.close()
  await expect(listed(listing)).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
})
