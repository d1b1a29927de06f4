/** Lives that slide on all replicas. How folds treat touches: property-tests/fold.property.test.ts. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const LIFE_MS = 60_000

const keys = {
  'session:*': { strategy: register<string>(), ttlMs: LIFE_MS, ttl: 'sliding', sliding: 'replicas' },
  'sum:*': { strategy: counter(), ttlMs: LIFE_MS, ttl: 'sliding', sliding: 'replicas' },
  'fixed:*': { strategy: register<string>(), ttlMs: LIFE_MS },
  'here:*': { strategy: register<string>(), ttlMs: LIFE_MS, ttl: 'sliding' },
} as const

function openAlone(env: VirtualEnv, observe?: (event: WarpEvent) => void) {
  return openWarp({ keys, env, ...(observe === undefined ? {} : { observe }) })
}

async function openThree(env: VirtualEnv) {
  const network = memoryNetwork({ env, seed: 1 })
  const open = (name: string) =>
    openWarp({ keys, env: env.fork({ label: name }), transports: [network.transport(name)] })
  const [a, b, c] = await Promise.all([open('a'), open('b'), open('c')])
  await env.advance(5000)
  return { network, a, b, c, all: [a, b, c] }
}

test('what is read on one replica lives on all of them', async () => {
  const env = virtualEnv()
  const { a, b, c, all } = await openThree(env)
  await a.set('session:1', 'x')
  await a.key('sum:1').increment(2)
  await env.advance(1000)
  for (let i = 0; i < 10; i++) {
    await env.advance(LIFE_MS / 2)
    expect([await a.get('session:1'), a.peek('sum:1')]).toEqual(['x', 2])
  }
  await env.advance(LIFE_MS / 2)
  expect([await b.get('session:1'), await c.get('session:1'), await b.get('sum:1')]).toEqual(['x', 'x', 2])
  await env.advance(2 * LIFE_MS)
  for (const warp of all) expect([await warp.get('session:1'), await warp.get('sum:1')]).toEqual([undefined, undefined])
  await closeAll(env, all)
})

test('reads write four operations per life at most, and a value lives for three quarters of its life after a read', async () => {
  const env = virtualEnv()
  const warp = await openAlone(env)
  await warp.set('session:1', 'x')
  const begunMs = env.now()
  for (let i = 0; i < 1000; i++) {
    await env.advance(LIFE_MS / 100)
    expect(await warp.get('session:1')).toBe('x')
  }
  const touches = warp.stats().operations.writtenCount - 1
  expect(touches).toBeLessThanOrEqual((4 * (env.now() - begunMs)) / LIFE_MS)
  expect(touches).toBeGreaterThan(30)
  await env.advance((3 * LIFE_MS) / 4 - 1)
  expect([...(await dead(warp))]).toEqual([])
  await warp.close()
})

async function dead(warp: Awaited<ReturnType<typeof openAlone>>): Promise<string[]> {
  const living = new Set<string>()
  for await (const key of warp.keys('*')) living.add(key)
  const all: string[] = []
  for await (const key of warp.keys('*', { dead: true })) if (!living.has(key)) all.push(key)
  return all
}

test('to list keys, or to compact, touches nothing', async () => {
  const env = virtualEnv()
  const warp = await openAlone(env)
  await warp.set('session:1', 'x')
  await env.advance(LIFE_MS / 2)
  expect(await dead(warp)).toEqual([])
  await warp.compact()
  await env.advance(LIFE_MS / 2)
  expect(await dead(warp)).toEqual(['session:1'])
  await warp.close()
})

test('touch says what it has written: an operation, or nothing where that would not prolong the life by enough', async () => {
  const env = virtualEnv()
  const warp = await openAlone(env)
  await warp.set('session:1', 'x')
  expect((await warp.touch('session:1')).dot).toBeUndefined()
  await env.advance(LIFE_MS / 4)
  expect(await warp.touch('session:1')).toMatchObject({ dot: { replica: warp.replica, sequence: 2 }, version: 2 })
  expect((await warp.key('session:1').touch()).dot).toBeUndefined()
  await env.advance(LIFE_MS / 4)
  expect((await warp.key('session:1').touch()).dot?.sequence).toBe(3)
  await env.advance(LIFE_MS - 1)
  expect(await warp.get('session:1')).toBe('x')
  await warp.close()
})

test('touch writes nothing to a key without a value, whose life is over, or whose write said itself how long it lives', async () => {
  const env = virtualEnv()
  const warp = await openAlone(env)
  await warp.set('session:deleted', 'x')
  await warp.delete('session:deleted')
  await warp.set('session:over', 'x')
  await warp.set('session:own', 'x', { ttlMs: 2 * LIFE_MS })
  await env.advance(LIFE_MS / 2)
  expect((await warp.touch('session:deleted')).dot).toBeUndefined()
  expect((await warp.touch('session:own')).dot).toBeUndefined()
  expect((await warp.touch('session:none')).dot).toBeUndefined()
  await env.advance(LIFE_MS / 2)
  expect((await warp.touch('session:over')).dot).toBeUndefined()
  expect(await warp.get('session:over')).toBeUndefined()
  await warp.close()
})

test('keys whose lives do not slide across replicas are not touched, and no life can be given', async () => {
  const warp = await openAlone(virtualEnv())
  await warp.set('fixed:1', 'x')
  await expect(warp.touch('fixed:1')).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  await expect(warp.key('here:1').touch()).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  await expect(warp.touch('session:1', { ttlMs: 5 } as object)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await warp.close()
  await expect(
    openWarp({ keys: { 'a:*': { strategy: register(), ttlMs: 5, sliding: 'replicas' } } }),
  ).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(
    openWarp({ keys: { 'a:*': { strategy: register(), ttlMs: 5, ttl: 'sliding', sliding: 'all' as 'local' } } }),
  ).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('the history shows touches as what they are', async () => {
  const env = virtualEnv()
  const warp = await openWarp({
    env,
    keys: { '*': { strategy: register<string>(), ttlMs: LIFE_MS, ttl: 'sliding', sliding: 'replicas', retain: 'all' } },
  })
  await warp.set('a', 'x')
  await env.advance(LIFE_MS / 2)
  await warp.touch('a')
  const { operations } = await warp.explain('a')
  expect(operations.map(({ operation, effect }) => [operation.kind, operation.payload, effect])).toEqual([
    ['update', 'x', 'won'],
    ['touch', undefined, 'renewed'],
  ])
  expect(await warp.getAt('a', { timeMs: env.now() + LIFE_MS - 1 })).toBe('x')
  expect(await warp.getAt('a', { timeMs: env.now() + LIFE_MS })).toBeUndefined()
  await warp.close()
})

test('a touch that is under way when a life ends elsewhere finds the value there', async () => {
  const env = virtualEnv()
  const { network, a, b, c, all } = await openThree(env)
  await a.set('session:1', 'x')
  await env.advance(20_000)
  await env.advance(LIFE_MS - 25_000)
  network.cut('b', 'a')
  network.cut('b', 'c')
  expect((await b.touch('session:1')).dot).toBeDefined()
  await env.advance(30_000)
  expect([await a.get('session:1'), await b.get('session:1')]).toEqual([undefined, 'x'])
  await a.compact()
  await c.compact()
  network.heal()
  await env.advance(20_000)
  for (const warp of all) expect(await warp.get('session:1')).toBe('x')
  await closeAll(env, all)
})

test('a key that was touched is forgotten once no touch of its life can come any more', async () => {
  const env = virtualEnv()
  const { a, b, c, all } = await openThree(env)
  await a.set('session:1', 'x')
  await env.advance(LIFE_MS / 2)
  await b.touch('session:1')
  await env.advance(2 * LIFE_MS)
  const known = async (warp: typeof a): Promise<string[]> => {
    await warp.compact()
    const found: string[] = []
    for await (const key of warp.keys('session:*', { dead: true })) found.push(key)
    return found
  }
  expect(await known(a)).toEqual(['session:1'])
  await c.set('fixed:1', 'later than the end')
  await env.advance(60_000)
  await c.set('fixed:2', 'x')
  await env.advance(60_000)
  for (const warp of all) expect(await known(warp)).toEqual([])
  await closeAll(env, all)
})
