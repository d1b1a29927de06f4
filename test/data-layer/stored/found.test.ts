/** What the simulator of data that is kept elsewhere has found, in the smallest form: see docs/faults-found.md. */
import { afterEach, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { custom } from '../../../crdt/custom.ts'
import { checkLogOn } from '../../../src/audit/check-log.ts'
import type { Finding } from '../../../src/audit/finding.ts'
import { memoryFiles } from '../../../src/log/files/memory-files.ts'
import { FORMAT_VERSION } from '../../../src/operation/envelope/format.ts'
import { faultyFiles } from '../../../testing/world/faulty-files.ts'
import { add, StoreWorld, type AnyWarp } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

test('who looks whether a write of another replica is stored takes no row for news that was read before an invalidation', async () => {
  world = new StoreWorld()
  const [a, b] = (await world.joinAll(['a', 'b'], { strategy: counter() })) as [AnyWarp, AnyWarp]
  await add(b, 'k:1', 1)
  await world.env.advance(80)
  // It is stored by now, and nobody tells a.
  expect(world.row('k:1')).toBe(1)
  world.network.cut('a', 'b')
  await world.env.advance(1000)
  expect(await a.get('k:1')).toBe(1)
  world.put('k:1', 100)
  await a.invalidate('k:1')
  // By now a has looked, with the row that it had read.
  await world.env.advance(6000)
  expect(await a.get('k:1')).toBe(100)
})

test('what the store has taken and the log has not is not said to have failed', async () => {
  world = new StoreWorld()
  const disk = faultyFiles({ seed: 'full', home: 'a' })
  disk.spaceBytes = 2_000_000
  const { warp } = await world.join('a', { alone: true, writes: 'through', log: disk.store() })
  await warp.set('k:1', 'before')
  const large = 'x'.repeat(3_000_000)
  await expect(warp.set('k:1', large)).rejects.toMatchObject({
    ...{ outcome: 'indeterminate', message: expect.stringContaining('could not be written to the log') as string },
  })
  expect(world.row('k:1')).toBe(large)
  expect(await warp.get('k:1')).toBe(large)
})

/** Given up while it is cut off, so that it takes over a state when it is back, and issues its writes again. */
async function givenUp(strategy: Parameters<StoreWorld['join']>[1]): Promise<readonly AnyWarp[]> {
  const warps = (await world.joinAll(['a', 'b', 'c'], strategy)) as [AnyWarp, AnyWarp, AnyWarp]
  const [a, b, c] = warps
  await a.set('own:1', 0)
  world.network.partition([['a', 'c'], ['b']])
  await world.env.advance(20_000)
  await a.evict(b.replica, { force: true })
  for (let i = 0; i < 50; i++) await a.set('own:1', i)
  await world.env.advance(60_000)
  await a.compact()
  await c.compact()
  return warps
}

test('a write that is issued again while it is being flushed is stored once', async () => {
  world = new StoreWorld()
  const [a, b, c] = (await givenUp({ strategy: counter(), storeTimeoutMs: 10_000 })) as [AnyWarp, AnyWarp, AnyWarp]
  // It is read, and the answer is under way until b has another name.
  world.store.set({ replyMs: 8000 })
  await add(b, 'k:1', 5)
  await world.env.advance(100)
  world.network.heal()
  await world.env.advance(5000)
  expect(world.members[1]?.events.map(({ kind }) => kind)).toContain('resync:done')
  world.store.set({ replyMs: 0 })
  await world.env.advance(60_000)
  expect(world.row('k:1')).toBe(5)
  for (const warp of [a, b, c]) expect(await warp.get('k:1')).toBe(5)
})

test('where a row holds a write that was issued again, the row knows its place', async () => {
  world = new StoreWorld()
  const [a, b, c] = (await givenUp({ strategy: register<string>() })) as [AnyWarp, AnyWarp, AnyWarp]
  world.network.partition([['a'], ['b'], ['c']])
  expect(await c.get('k:1')).toBeUndefined()
  await b.set('k:1', 'earlier')
  await world.env.advance(2000)
  await a.set('k:1', 'later')
  await world.env.advance(2000)
  expect(world.row('k:1')).toBe('later')
  world.network.heal()
  await world.env.advance(60_000)
  expect(world.members[1]?.events.map(({ kind }) => kind)).toContain('resync:done')
  expect(world.row('k:1')).toBe('later')
  for (const warp of [a, b, c]) expect(await warp.get('k:1')).toBe('later')
})

test('an audit takes nothing amiss of a key in a store: neither late stamps of writes through nor empty snapshots', async () => {
  world = new StoreWorld()
  const files = memoryFiles({ persistent: true })
  const log = { name: 'memory', open: () => Promise.resolve(files) }
  const strategy = custom<readonly number[]>((old, next) => [...old, ...next])
  const { warp } = await world.join('a', { alone: true, writes: 'through', log, strategy })
  world.store.set({ latencyMs: 50 })
  const slow = warp.set('k:1', [1])
  await world.env.advance(10)
  await warp.set('own:1', 'meanwhile')
  await world.env.advance(200)
  await slow
  const findings: Finding[] = []
  const keys = { 'k:*': { strategy, store: world.store, writes: 'through' }, 'own:*': register() } as const
  await checkLogOn(
    { env: world.env, format: FORMAT_VERSION },
    {
      logs: [{ name: 'a', open: () => Promise.resolve(files.copy()) }],
      keys,
      onFinding: (found) => findings.push(found),
    },
  )
  expect(findings).toEqual([])
})
