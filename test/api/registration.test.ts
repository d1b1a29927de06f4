/** Patterns that come and go while the engine runs. */
import { expect, test } from 'vitest'
import { openWarp, type Env, type KeyMap } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const open = <const K extends KeyMap>(keys: K) => openWarp<KeyMap>({ keys, env: virtualEnv() })

test('a pattern that is registered takes keys that are new', async () => {
  const warp = await openWarp({ keys: { 'a:*': register<number>() }, env: virtualEnv() })
  const wider = await warp.register('hits:*', counter())
  await wider.key('hits:1').increment(2)
  expect(await wider.get('hits:1')).toBe(2)
  expect(wider).toBe(warp)
})

test('what came from others and no pattern matched is read once one is registered', async () => {
  const network = memoryNetwork()
  const options = (name: string) => ({ transports: [network.transport(name)], replication: { digestSoonMs: 1 } })
  await using writer = await openWarp({ keys: { 'hits:*': counter(), 'a:*': register<number>() }, ...options('w') })
  await using reader = await openWarp({ keys: { 'a:*': register<number>() }, ...options('r') })
  const isThere = (async () => {
    for await (const change of reader.watch('a:last')) if (change.kind === 'value') return
  })()
  await writer.key('hits:1').increment(7)
  await writer.set('a:last', 1)
  await isThere
  await expect(reader.get('hits:1' as 'a:1')).rejects.toMatchObject({ code: 'WARP_E_UNREGISTERED_KEY' })
  const wider = await reader.register('hits:*', counter())
  expect(await wider.get('hits:1')).toBe(7)
})

test('a narrower pattern takes keys over from a wider one, with what is in memory of them', async () => {
  const warp = await open({ '*': register<number>() })
  await warp.set('user:1', 5)
  await warp.set('other:1', 6)
  expect(warp.peek('user:1')).toBe(5)
  await warp.register('user:*', { strategy: register<number>(), ttlMs: 1, retain: 'latest' })
  expect(await warp.get('user:1')).toBe(5)
  expect(await warp.get('other:1')).toBe(6)
})

test('a pattern that is unregistered reads nothing more, through handles and from memory neither', async () => {
  const warp = await open({ 'a:*': register<number>(), 'b:*': register<number>() })
  await warp.set('a:1', 5)
  const handle = warp.key('a:1')
  expect([warp.peek('a:1'), handle.peek()]).toEqual([5, 5])
  await warp.unregister('a:*')
  expect(() => warp.peek('a:1')).toThrow(expect.objectContaining({ code: 'WARP_E_UNREGISTERED_KEY' }))
  expect(() => handle.peek()).toThrow(expect.objectContaining({ code: 'WARP_E_UNREGISTERED_KEY' }))
  for (const call of [() => warp.get('a:1'), () => handle.get(), () => handle.delete(), () => warp.set('a:1', 6)])
    await expect(call()).rejects.toMatchObject({ code: 'WARP_E_UNREGISTERED_KEY' })
  expect(warp.stats().log.operationsCount).toBe(1)
  await warp.register('a:*', register<number>())
  expect(await warp.get('a:1')).toBe(5)
  expect(await handle.get().catch(() => 'another handle')).toBe('another handle')
})

test('keys of a pattern that is unregistered fall to the next wider one', async () => {
  const warp = await open({ '*': register<number>(), 'a:*': register<number>() })
  await warp.set('a:1', 5)
  await warp.unregister('a:*')
  expect(await warp.get('a:1')).toBe(5)
})

test('a key that was written does not change its strategy or mode, and nothing is done then', async () => {
  const warp = await open({ '*': register<number>(), 'b:*': set<string>() })
  await warp.set('a:1', 5)
  await warp.key('b:1')['add']?.('x')
  await expect(warp.register('a:*', counter())).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(warp.register('a:*', { strategy: register(), mode: 'local' })).rejects.toThrow("in mode 'local'")
  await expect(warp.unregister('b:*')).rejects.toThrow("'b:1' has been written as 'set'")
  expect(await warp.get('a:1')).toBe(5)
  expect(await warp.get('b:1')).toEqual(new Set(['x']))
  // What no key stands against is accepted, and what was refused has left nothing behind.
  await warp.register('c:*', counter())
  await warp.register('a:*', register())
})

test('a key that is written while a pattern is being registered is asked as well', async () => {
  const base = virtualEnv()
  let meanwhile: (() => void) | undefined
  const env: Env = {
    now: () => base.now(),
    monotonic: () => base.monotonic(),
    schedule: (delayMs, callback) => base.schedule(delayMs, callback),
    defer: (callback) => base.defer(callback),
    random: (count) => base.random(count),
    yield: () => {
      meanwhile?.()
      return base.yield()
    },
  }
  const warp = await openWarp<KeyMap>({ keys: { '*': { strategy: register<number>(), retain: 'latest' } }, env })
  for (let i = 0; i < 3_000; i++) await warp.set(`x:${i}`, i)
  await warp.delete('x:0')
  await warp.compact()
  // The key that is forgotten leaves its place, which the walk has passed, to the next one.
  expect(warp.stats().keysCount).toBe(2_999)
  meanwhile = () => {
    meanwhile = undefined
    void warp.set('a:1', 1)
  }
  await expect(warp.register('a:*', counter())).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(await warp.get('a:1')).toBe(1)
})

test('the rules for patterns are those of opening', async () => {
  const warp = await open({ 'a*b*': register<number>() })
  await expect(warp.register('a*c*', register())).rejects.toMatchObject({ code: 'WARP_E_PATTERN' })
  await expect(warp.register('a*b*', register())).rejects.toThrow('registered twice')
  await expect(warp.register('b:*', { strategy: register(), ttlMS: 1 } as never)).rejects.toThrow(
    "did you mean 'ttlMs'?",
  )
  await expect(warp.unregister('c:*')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('a name and a zone are for people', async () => {
  await using warp = await openWarp({ keys: { '*': counter() }, name: 'web-1', zone: 'eu-1' })
  expect([warp.name, warp.stats().name]).toEqual(['web-1', 'web-1'])
  for (const name of ['', 'a\n', 'x'.repeat(200), 5])
    await expect(openWarp({ keys: { '*': counter() }, name: name as string })).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
})
