import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'
import { openWithLives, Told, TTL_MS } from '../support/expirations.ts'

test('a key that expires is told once, when its life is over, with the version that it had', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.set('plain:1', 'x')
  const writtenMs = env.now()
  await env.advance(TTL_MS - 1)
  expect(told.words).toEqual(['session:1 value', 'plain:1 value'])
  await env.advance(1)
  expect(told.words).toEqual(['session:1 value', 'plain:1 value', 'session:1 expired'])
  expect(told.changes[2]).toMatchObject({ version: 1, value: undefined, expiredAtMs: writtenMs + TTL_MS })
  await env.advance(10 * TTL_MS)
  expect(told.changes).toHaveLength(3)
  await warp.close()
})

test('a life of the write itself ends as one of its pattern does', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('plain:1'))
  await warp.set('plain:1', 'x', { ttlMs: 300 })
  await env.advance(300)
  expect(told.words).toEqual(['plain:1 value', 'plain:1 expired'])
  await warp.close()
})

test('keys that were written before the watch began are told as well, those that were over by then are not', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  await warp.set('session:old', 'x')
  await env.advance(TTL_MS)
  await warp.set('session:new', 'x')
  await env.advance(TTL_MS / 2)
  const told = new Told(warp.watch('session:*'))
  await env.advance(TTL_MS)
  expect(told.words).toEqual(['session:new expired'])
  await warp.close()
})

test('a key without a value has no life that ends: one that was deleted, a set that was emptied', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.delete('session:1')
  await warp.key('set:1').add('x')
  await warp.key('set:1').remove('x')
  await warp.key('set:2').add('x')
  await env.advance(2 * TTL_MS)
  expect(told.words.filter((words) => words.endsWith('expired'))).toEqual(['set:2 expired'])
  await warp.close()
})

test('a write prolongs the life, and so does a read where it slides', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.set('slides:1', 'x')
  await env.advance(600)
  await warp.set('session:1', 'y')
  await warp.get('slides:1')
  await env.advance(600)
  expect(told.words).toEqual(['session:1 value', 'slides:1 value', 'session:1 value'])
  await env.advance(400)
  expect(told.words.slice(3).sort()).toEqual(['session:1 expired', 'slides:1 expired'])
  await warp.close()
})

test('a write that shortens the life is told when that is over, and once', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.set('session:1', 'y', { ttlMs: 100 })
  await env.advance(100)
  expect(told.words).toEqual(['session:1 value', 'session:1 value', 'session:1 expired'])
  await env.advance(2 * TTL_MS)
  expect(told.changes).toHaveLength(3)
  await warp.close()
})

test('however late timers are, the end of a life is told before what is written next', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.set('session:2', 'x')
  // The loop is busy: time goes by, and no timer has had its turn.
  env.jumpWall(TTL_MS)
  await warp.set('session:1', 'y')
  await Promise.resolve()
  await env.runUntilIdle()
  expect(told.words.slice(2)).toEqual(['session:1 expired', 'session:1 value', 'session:2 expired'])
  await warp.close()
})

test('a loop that only writes does not keep the ends of other lives from being told', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('session:*'))
  await warp.set('session:1', 'x')
  env.jumpWall(TTL_MS)
  for (let i = 0; i < 100; i++) await warp.set('plain:1', 'x')
  await env.runUntilIdle()
  expect(told.words).toEqual(['session:1 value', 'session:1 expired'])
  await warp.close()
})

test('every replica tells each end once, also one that hears of the life when it is over', async () => {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  const names = ['a', 'b', 'c'] as const
  const replicas = await Promise.all(
    names.map((name) => openWithLives(env.fork({ label: name }), { transport: network.transport(name) })),
  )
  const [a, , c] = replicas
  await env.advance(5000)
  const told = replicas.map((warp) => new Told(warp.watch('session:*')))
  network.cut('a', 'c')
  network.cut('b', 'c')
  await a?.set('session:1', 'x')
  await env.advance(2 * TTL_MS)
  expect(told.map(({ words }) => words)).toEqual([
    ['session:1 value', 'session:1 expired'],
    ['session:1 value', 'session:1 expired'],
    [],
  ])
  network.heal()
  await env.advance(20_000)
  expect(told[2]?.words).toEqual(['session:1 value', 'session:1 expired'])
  expect(await c?.get('session:1')).toBeUndefined()
  expect(told[0]?.changes).toHaveLength(2)
  await closeAll(env, replicas)
})

test('many thousands of lives that end at once are told in order and in steps', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('session:*'))
  for (let i = 0; i < 20; i++) {
    await warp.setMany(Array.from({ length: 1000 }, (_, j) => [`session:${i * 1000 + j}`, 'x'] as const))
  }
  await env.runUntilIdle()
  told.changes.length = 0
  let [turn, most, before] = [0, 0, 0]
  const original = env.yield.bind(env)
  env.yield = async () => {
    most = Math.max(most, told.changes.length - before)
    before = told.changes.length
    turn++
    return original()
  }
  // More stamps than a millisecond has borrow from the next ones.
  await env.advance(TTL_MS + 50)
  const expected = Array.from({ length: 20_000 }, (_, i) => `session:${i} expired`)
  expect(told.words.length).toBe(20_000)
  expect(told.words.findIndex((words, i) => words !== expected[i])).toBe(-1)
  expect(turn).toBeGreaterThan(100)
  expect(most).toBeLessThan(300)
  await warp.close()
})

test('a consumer that is slow is told of a gap where more has ended than it may have pending', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const watch = warp.watch('session:*', { pendingCountMax: 10 })[Symbol.asyncIterator]()
  for (let i = 0; i < 5; i++) await warp.set(`session:${i}`, 'x')
  const words: string[] = []
  for (let i = 0; i < 5; i++) words.push((await watch.next()).value?.kind ?? 'end')
  for (let i = 5; i < 25; i++) await warp.set(`plain:${i}`, 'x')
  await env.advance(TTL_MS)
  for (let i = 0; i < 5; i++) words.push((await watch.next()).value?.kind ?? 'end')
  expect(words.slice(5)).toEqual(Array.from({ length: 5 }, () => 'expired'))
  await warp.setMany(Array.from({ length: 25 }, (_, i) => [`session:${i}`, 'x'] as const))
  await watch.next()
  await env.advance(2 * TTL_MS)
  expect((await watch.next()).value?.kind).toBe('gap')
  await warp.close()
})

test('a watch that resumes, after a restart too, is told what expired meanwhile, each once', async () => {
  const env = virtualEnv()
  const files = memoryFiles({ persistent: true })
  const first = await openWithLives(env, { files })
  const told = new Told(first.watch('*'))
  for (const key of ['kept:1', 'kept:2', 'kept:3', 'kept:4'] as const) await first.set(key, 'x')
  await env.advance(TTL_MS / 2)
  await first.set('kept:5', 'x')
  await env.advance(TTL_MS / 2)
  // Four have ended, at one moment: the cursor stands behind the second.
  expect(told.words.slice(5)).toEqual(['kept:1', 'kept:2', 'kept:3', 'kept:4'].map((key) => `${key} expired`))
  const cursor = told.changes[6]?.cursor as string
  await closing(env, first)

  const second = await openWithLives(env, { files: files.copy() })
  await second.set('kept:6', 'x', { ttlMs: 100 })
  await second.set('kept:4', 'y')
  await env.advance(TTL_MS / 2)
  const resumed = new Told(second.watch('*', { from: cursor }))
  await env.advance(10)
  expect(resumed.words).toEqual(['kept:6 value', 'kept:4 value', 'kept:3 expired', 'kept:5 expired', 'kept:6 expired'])
  const last = resumed.changes.at(-1)?.cursor as string
  await env.advance(TTL_MS)
  expect(resumed.words.slice(5)).toEqual(['kept:4 expired'])
  const again = new Told(second.watch('*', { from: last }))
  await env.advance(10)
  expect(again.words).toEqual(['kept:4 expired'])
  await closing(env, second)
})

test('a watch that resumes behind the change of a life that was over when it came is told of the end', async () => {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  const a = await openWithLives(env.fork({ label: 'a' }), { transport: network.transport('a') })
  const b = await openWithLives(env.fork({ label: 'b' }), { transport: network.transport('b') })
  await env.advance(5000)
  network.cut('a', 'b')
  await a.set('kept:1', 'x')
  await env.advance(2 * TTL_MS)
  const watch = b.watch('*')[Symbol.asyncIterator]()
  const first = watch.next()
  network.heal()
  await env.advance(20_000)
  const value = (await first).value
  expect(value?.kind).toBe('value')
  const [behindValue, expired] = [new Told(b.watch('*', { from: value?.cursor ?? '' })), (await watch.next()).value]
  await env.advance(10)
  expect([expired?.kind, behindValue.words]).toEqual(['expired', ['kept:1 expired']])
  const behindEnd = new Told(b.watch('*', { from: expired?.cursor ?? '' }))
  await env.advance(10)
  expect(behindEnd.words).toEqual([])
  await closeAll(env, [a, b])
})

test('a watch that resumes where compaction has forgotten what expired is told of a gap', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await warp.set('plain:1', 'x')
  await env.advance(10)
  const cursor = told.changes[1]?.cursor as string
  await env.advance(TTL_MS)
  await warp.compact()
  expect(told.words.slice(2)).toEqual(['session:1 expired'])
  const resumed = new Told(warp.watch('*', { from: cursor }))
  await env.advance(10)
  expect(resumed.words).toEqual(['gap'])
  await warp.close()
})

test('compaction forgets no key whose end has not been told', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const told = new Told(warp.watch('*'))
  await warp.set('session:1', 'x')
  await env.runUntilIdle()
  env.jumpWall(TTL_MS)
  expect((await warp.compact()).droppedOperationsCount).toBe(1)
  await env.advance(TTL_MS)
  expect(told.words).toEqual(['session:1 value', 'session:1 expired'])
  await warp.close()
})

test('without a watch or a projection nothing is kept, and no timer waits', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const before = env.timerCount
  const watch = warp.watch('*')
  await warp.set('session:1', 'x')
  expect(env.timerCount).toBeGreaterThan(before)
  watch.close()
  expect(env.timerCount).toBe(before)
  await warp.close()
})

async function closing(env: ReturnType<typeof virtualEnv>, warp: { close(): Promise<void> }): Promise<void> {
  await closeAll(env, [warp])
}
