import { expect, test } from 'vitest'
import { Holds } from '../../src/log/holds.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from './engine-fixture.ts'

test('who holds compaction back is listed by name, with when it began', async () => {
  const replica = await TestEngine.open()
  await replica.set('reg:1', 1)
  expect(replica.engine.holds.list()).toEqual([])
  const sinceMs = replica.env.now()
  const source = replica.engine.exportSnapshot(1000)
  const hold = replica.engine.holds.take('projection totals', { from: replica.engine.end })
  expect(replica.engine.holds.list()).toEqual([
    { name: 'a snapshot for a peer', sinceMs, from: 0 },
    { name: 'projection totals', sinceMs, from: replica.engine.end },
  ])
  source.close()
  hold.release()
  hold.release()
  expect(replica.engine.holds.list()).toEqual([])
})

test('a hold from a position on keeps what lies there, and lets go of what lies before', async () => {
  const replica = await TestEngine.open()
  for (let i = 0; i < 10; i++) await replica.write('count:1', 'increment', [1])
  const hold = replica.engine.holds.take('a feed', { from: replica.engine.end })
  for (let i = 0; i < 5; i++) await replica.write('count:1', 'increment', [1])
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(5)
  hold.advance(replica.engine.end)
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(0)
  expect(replica.get('count:1')).toBe(15)
})

test('a hold never goes back', () => {
  const hold = new Holds(virtualEnv()).take('a feed', { from: 100 })
  hold.advance(50)
  expect(hold.from).toBe(100)
})

test('a hold that does not advance within its bound is lost, and that is said once', async () => {
  const env = virtualEnv()
  const holds = new Holds(env)
  let lostCount = 0
  const hold = holds.take('a feed', { from: 10, boundMs: 1000, onLost: () => lostCount++ })
  await env.advance(900)
  hold.advance(20)
  await env.advance(900)
  expect([hold.isLost, holds.from]).toEqual([false, 20])
  await env.advance(200)
  expect([hold.isLost, holds.from, lostCount]).toEqual([true, Infinity, 1])
  hold.release()
  await env.advance(5000)
  expect(lostCount).toBe(1)
})
