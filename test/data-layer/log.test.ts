/** Invalidations in the log: they outlive the process, and go when everybody has them. */
import { expect, test } from 'vitest'
import { ALL_PARTS, openWarpOn } from '../../src/index.ts'
import { register } from '../../crdt/register.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { SourceWorld, type AnyWarp } from './world.ts'

const keys = { 'k:*': { strategy: register<string>(), load: 'caller' } } as const

function open(files: MemoryFiles) {
  const env = virtualEnv()
  return openWarpOn(
    { env, parts: ALL_PARTS, segmentBytes: 65_536 },
    { keys, log: { name: 'memory', open: () => Promise.resolve(files) } },
  )
}

test('invalidations that everybody has leave nothing behind, and no number is used twice', async () => {
  const files = memoryFiles({ persistent: true })
  const first = await open(files)
  let last = 0
  for (let i = 0; i < 5000; i++) last = (await first.invalidate(`k:${i}`)).dot.sequence
  const before = first.stats().log
  await first.compact()
  const after = first.stats().log
  expect(after.bytes).toBeLessThan(before.bytes / 2)
  await first.close()
  const second = await open(files.copy())
  expect((await second.invalidate('k:1')).dot).toEqual({ replica: first.replica, sequence: last + 1 })
  await second.close()
})

test('what is not known to all stays in the log, and reaches who was away', async () => {
  const world = new SourceWorld()
  const [a, b] = (await world.joinAll(['a', 'b'])) as [AnyWarp, AnyWarp]
  world.source.set('k:1', 'old')
  await b.get('k:1')
  world.network.partition([['a'], ['b']])
  world.source.set('k:1', 'new')
  await a.invalidate('k:1')
  for (let i = 0; i < 100; i++) await a.set('k:other', i)
  await a.compact()
  await world.env.advance(30_000)
  world.network.heal()
  await world.env.advance(5000)
  expect(b.peek('k:1')).toBeUndefined()
  expect(await b.get('k:1')).toBe('new')
  await world.close()
})

test('who was given up meanwhile takes over a state, drops every copy, and says again what nobody has heard', async () => {
  const world = new SourceWorld()
  const [a, b, c] = (await world.joinAll(['a', 'b', 'c'])) as [AnyWarp, AnyWarp, AnyWarp]
  for (const key of ['k:1', 'k:2']) world.source.set(key, 'old')
  for (const warp of [a, b, c]) for (const key of ['k:1', 'k:2']) await warp.get(key)
  world.network.partition([['a', 'c'], ['b']])
  await world.env.advance(20_000)
  await a.evict(b.replica, { force: true })
  for (let i = 0; i < 50; i++) await a.set('own:1', i)
  world.source.set('k:1', 'new')
  await a.invalidate('k:1')
  await world.env.advance(60_000)
  await a.compact()
  await c.compact()
  world.source.set('k:2', 'new')
  await b.invalidate('k:2')
  await b.set('own:2', 'b')
  world.network.heal()
  await world.env.advance(60_000)
  expect(world.members[1]?.events.map(({ kind }) => kind)).toContain('resync:done')
  for (const warp of [a, b, c]) {
    expect([warp.peek('k:1'), warp.peek('k:2')]).toEqual([undefined, undefined])
    expect([await warp.get('k:1'), await warp.get('k:2'), await warp.get('own:2')]).toEqual(['new', 'new', 'b'])
  }
  await world.close()
})
