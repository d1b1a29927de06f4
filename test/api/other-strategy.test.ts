/**
 * A key that one strategy has written takes no write of another one before it has been deleted, and is
 * never unreadable for ever.
 */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

async function opened(files: MemoryFiles, keys: KeyMap) {
  const env = virtualEnv()
  const warp = await openWarp({ keys, env, log: { name: 'memory', open: () => Promise.resolve(files) } })
  return { warp, env }
}

/** A log in which `a1` is a counter of 3. */
async function counted(retain: 'all' | 'latest' = 'all'): Promise<MemoryFiles> {
  const files = memoryFiles({ persistent: true })
  const { warp, env } = await opened(files, { 'a*': { strategy: counter(), retain } })
  await warp.key('a1')['increment']?.(3)
  await closeAll(env, [warp])
  return files.copy()
}

const REFUSED = {
  code: 'WARP_E_STRATEGY',
  outcome: 'failed',
  details: { key: 'a1', pattern: 'a*', strategy: 'register', written: 'counter' },
}

test('a write by another strategy than the key’s is refused before it is logged, and names key, strategies and remedy', async () => {
  const { warp, env } = await opened(await counted(), { 'a*': register(), 'b*': register() })
  const before = warp.stats().log.bytes
  await expect(warp.set('a1', 1)).rejects.toMatchObject(REFUSED)
  await expect(warp.set('a1', 1)).rejects.toThrow(
    "'a1' was written by the strategy 'counter', and 'a*' is registered as 'register'; nothing was written; " +
      "register 'counter' for the key again, or delete the key and write it anew",
  )
  expect(() => warp.write('a1', 1)).toThrow(expect.objectContaining(REFUSED) as Error)
  await expect(
    warp.setMany([
      ['b1', 1],
      ['a1', 1],
    ]),
  ).rejects.toMatchObject(REFUSED)
  expect(await warp.get('b1')).toBeUndefined()
  expect(warp.stats().log.bytes).toBe(before)
  await expect(warp.get('a1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP', details: { written: 'counter' } })
  await closeAll(env, [warp])
})

test('a touch is refused as well, and not taken for one that need not be written', async () => {
  const life = { ttlMs: 10_000, ttl: 'sliding', sliding: 'replicas' } as const
  const files = memoryFiles({ persistent: true })
  const first = await opened(files, { 'a*': { strategy: counter(), ...life } })
  await first.warp.key('a1')['increment']?.(3)
  await closeAll(first.env, [first.warp])
  const { warp, env } = await opened(files.copy(), { 'a*': { strategy: register(), ...life } })
  await env.advance(7000)
  await expect(warp.key('a1').touch()).rejects.toMatchObject(REFUSED)
  await closeAll(env, [warp])
})

test('a verb that needs no state is refused as well', async () => {
  const files = memoryFiles({ persistent: true })
  const one = await opened(files, { 'a*': register() })
  await one.warp.set('a1', 'text')
  await closeAll(one.env, [one.warp])
  const { warp, env } = await opened(files.copy(), { 'a*': counter() })
  await expect(warp.key('a1')['increment']?.(1)).rejects.toMatchObject({
    code: 'WARP_E_STRATEGY',
    details: { strategy: 'counter', written: 'register' },
  })
  await closeAll(env, [warp])
})

test.each([['all'], ['latest']] as const)(
  'after a delete the key is the new strategy’s, also after the next opening and compaction: retain %s',
  async (retain) => {
    const keys = { 'a*': { strategy: register(), retain } }
    const disk = await counted(retain)
    const first = await opened(disk, keys)
    await first.warp.delete('a1')
    expect(await first.warp.get('a1')).toBeUndefined()
    await first.warp.set('a1', 'new')
    expect(await first.warp.get('a1')).toBe('new')
    await first.warp.set('a1', 'newer')
    await closeAll(first.env, [first.warp])
    const { warp, env } = await opened(disk.copy(), keys)
    expect(await warp.get('a1')).toBe('newer')
    await warp.compact()
    expect(await warp.get('a1')).toBe('newer')
    await warp.set('a1', 'newest')
    await warp.compact()
    expect(warp.peek('a1')).toBe('newest')
    await closeAll(env, [warp])
  },
)

test('a snapshot by another strategy is in the way of a write, and is gone with a delete', async () => {
  const files = memoryFiles({ persistent: true })
  const one = await opened(files, { 'a*': { strategy: counter(), retain: 'latest' } })
  for (let i = 0; i < 5; i++) await one.warp.key('a1')['increment']?.(1)
  await one.warp.compact()
  await closeAll(one.env, [one.warp])
  const keys = { 'a*': { strategy: set<string>(), retain: 'latest' as const } }
  const { warp, env } = await opened(files.copy(), keys)
  await expect(warp.key('a1')['add']?.('x')).rejects.toMatchObject({ code: 'WARP_E_STRATEGY' })
  await warp.delete('a1')
  expect(await warp.get('a1')).toBeUndefined()
  await warp.key('a1')['add']?.('x')
  expect(await warp.get('a1')).toEqual(new Set(['x']))
  await warp.compact()
  expect(await warp.get('a1')).toEqual(new Set(['x']))
  await closeAll(env, [warp])
})

test('a pattern that is registered anew with another strategy refuses the writes of its keys, and takes them when it is as before', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ env, keys: { 'a*': map(counter()) } })
  await warp.key('a1').update('x', 'increment', 1)
  await warp.unregister('a*')
  const other = await warp.register('a*', register())
  await expect(other.set('a1', 1)).rejects.toMatchObject({ code: 'WARP_E_STRATEGY', details: { written: 'map' } })
  await warp.unregister('a*')
  const same = await warp.register('a*', map(counter()))
  await same.key('a1').update('x', 'increment', 1)
  expect(await same.get('a1')).toEqual({ x: 2 })
  await closeAll(env, [warp])
})

test('where the new strategy cannot be deleted, the remedy is the old one', async () => {
  const { warp, env } = await opened(await counted(), { 'a*': boundedCounter({ min: 0 }) })
  await expect(warp.key('a1')['grant']?.(1) ?? warp.key('a1')['increment']?.(1)).rejects.toThrow(
    /nothing was written; register 'counter' for the key again$/,
  )
  await closeAll(env, [warp])
})

interface Pair {
  readonly env: VirtualEnv
  readonly network: ReturnType<typeof memoryNetwork>
  open(name: string, keys: KeyMap): Promise<{ warp: Awaited<ReturnType<typeof openWarp>>; events: WarpEvent[] }>
}

function pair(): Pair {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  return {
    env,
    network,
    async open(name, keys) {
      const events: WarpEvent[] = []
      const observe = (event: WarpEvent): void => void events.push(event)
      const transports = [network.transport(name)]
      return { warp: await openWarp({ keys, env: env.fork({ label: name }), observe, transports }), events }
    },
  }
}

test('of concurrent writes by two strategies the first in canonical order counts everywhere; the other is set aside and named', async () => {
  const { env, network, open } = pair()
  const a = await open('a', { 'x*': counter() })
  const b = await open('b', { 'x*': register() })
  const c = await open('c', { 'x*': counter() })
  await env.advance(5000)
  network.partition([['a', 'c'], ['b']])
  await a.warp.key('x1')['increment']?.(1)
  await env.advance(10)
  await b.warp.set('x1', 'other')
  await env.advance(10)
  await a.warp.key('x1')['increment']?.(1)
  network.heal()
  await env.advance(10_000)
  expect(await a.warp.get('x1')).toBe(2)
  expect(await c.warp.get('x1')).toBe(2)
  expect(a.events.filter(({ kind }) => kind === 'strategy:differs')).toMatchObject([
    { key: 'x1', strategy: 'counter', writerStrategy: 'register' },
  ])
  await expect(b.warp.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP' })
  await expect(b.warp.set('x1', 'again')).rejects.toMatchObject({ code: 'WARP_E_STRATEGY' })
  await c.warp.key('x1')['increment']?.(1)
  await env.advance(5000)
  expect(await a.warp.get('x1')).toBe(3)
  const { operations } = await a.warp.explain('x1')
  expect(operations.map(({ effect }) => effect)).toEqual(['merged', 'set-aside', 'merged', 'merged'])

  // A delete that has seen everything makes the key free for either.
  await b.warp.delete('x1')
  await b.warp.set('x1', 'mine')
  await env.advance(5000)
  expect(await b.warp.get('x1')).toBe('mine')
  await expect(a.warp.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP', details: { written: 'register' } })
  await a.warp.delete('x1')
  await a.warp.key('x1')['increment']?.(7)
  await env.advance(5000)
  expect([await a.warp.get('x1'), await c.warp.get('x1')]).toEqual([7, 7])
  await expect(b.warp.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP' })
  await closeAll(env, [a.warp, b.warp, c.warp])
})

test('a newcomer that reads a key by another strategy takes over what compaction has left of it, and can have it after a delete', async () => {
  const { env, open } = pair()
  const keys = { 'x*': { strategy: counter(), retain: 'latest' as const } }
  const a = await open('a', keys)
  const b = await open('b', keys)
  await env.advance(5000)
  for (let i = 0; i < 5; i++) await a.warp.key('x1')['increment']?.(1)
  await env.advance(60_000)
  await a.warp.compact()
  await b.warp.compact()
  const c = await open('c', { 'x*': { strategy: register(), retain: 'latest' } })
  await env.advance(60_000)
  await expect(c.warp.set('x1', 1)).rejects.toMatchObject({ code: 'WARP_E_STRATEGY' })
  await c.warp.delete('x1')
  await c.warp.set('x1', 'mine')
  await env.advance(60_000)
  await c.warp.compact()
  expect(await c.warp.get('x1')).toBe('mine')
  await expect(a.warp.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP' })
  await closeAll(env, [a.warp, b.warp, c.warp])
})

test('an export carries a key of two strategies to where it is read in the same way', async () => {
  const one = await opened(await counted(), { 'a*': register() })
  await one.warp.delete('a1')
  await one.warp.set('a1', 'new')
  const lines: string[] = []
  for await (const line of one.warp.export()) lines.push(line)
  const { warp, env } = await opened(memoryFiles({ persistent: true }), { 'a*': register() })
  await warp.import(
    (async function* () {
      yield* lines
    })(),
  )
  expect(await warp.get('a1')).toBe('new')
  await closeAll(one.env, [one.warp])
  await closeAll(env, [warp])
})

test('a key of two strategies is known as such from a checkpoint too', async () => {
  const { env, network, open } = pair()
  const files = memoryFiles({ persistent: true })
  const log = { name: 'memory', open: () => Promise.resolve(files) }
  const own = env.fork({ label: 'a' })
  const a = await openWarp({ keys: { 'x*': register() }, env: own, log, transports: [network.transport('a')] })
  const b = await open('b', { 'x*': counter() })
  await env.advance(5000)
  network.partition([['a'], ['b']])
  await b.warp.key('x1')['increment']?.(1)
  await env.advance(10)
  await a.set('x1', 'mine')
  network.heal()
  await env.advance(10_000)
  await expect(a.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP', details: { written: 'counter' } })
  await closeAll(env, [a, b.warp])
  const again = await opened(files.copy(), { 'x*': register() })
  // Its greatest operation is a register's, and does not count.
  await expect(again.warp.get('x1')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP' })
  await expect(again.warp.set('x1', 'more')).rejects.toMatchObject({ code: 'WARP_E_STRATEGY' })
  await closeAll(again.env, [again.warp])
})
