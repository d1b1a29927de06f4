import { expect, test } from 'vitest'
import { TestEngine } from './engine-fixture.ts'

test('who holds compaction back is listed by name, with when it began', async () => {
  const replica = await TestEngine.open()
  await replica.set('reg:1', 1)
  expect(replica.engine.holds.list()).toEqual([])
  const sinceMs = replica.env.now()
  const source = replica.engine.exportSnapshot(1000)
  const letGo = replica.engine.holds.follow({
    ...{ name: 'projection totals', unseenFrom: replica.engine.end, follows: () => true },
  })
  expect(replica.engine.holds.list()).toEqual([
    { name: 'a snapshot for a peer', sinceMs, from: 0 },
    { name: 'projection totals', sinceMs, from: replica.engine.end },
  ])
  source.close()
  source.close()
  letGo()
  letGo()
  expect(replica.engine.holds.list()).toEqual([])
})

test('who follows from a position on keeps what lies there, and lets go of what lies before', async () => {
  const replica = await TestEngine.open()
  for (let i = 0; i < 10; i++) await replica.write('count:1', 'increment', [1])
  const follower = { name: 'a feed', unseenFrom: replica.engine.end, follows: () => true }
  replica.engine.holds.follow(follower)
  for (let i = 0; i < 5; i++) await replica.write('count:1', 'increment', [1])
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(5)
  follower.unseenFrom = replica.engine.end
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(0)
  expect(replica.get('count:1')).toBe(15)
})
