/** Who leaves is not waited for; who closes in order is waited for as long as it says; who is given up is not waited for. */
import { expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { closeAll } from '../support/close-all.ts'
import { comingAndGoing, type Opening } from '../support/coming-and-going.ts'

const keys = { 'r:*': { strategy: register<number>(), retain: 'latest' as const } }
const HOUR_MS = 3_600_000

const world = (seed?: number) => comingAndGoing(keys, seed)

type World = ReturnType<typeof world>
type Replica = Awaited<ReturnType<World['open']>>

/** Writes for some seconds, and says how many operations are left in the log after a compaction. */
async function keptAfterWriting({ env }: World, writer: Replica, seconds = 10): Promise<number> {
  for (let i = 0; i < 100; i++) await writer.set('r:1', i)
  await env.advance(seconds * 1000)
  await writer.compact()
  return writer.stats().log.operationsCount
}

async function three(opening: Opening = {}) {
  const at = world()
  const [a, b] = [await at.open('a'), await at.open('b')]
  const c = await at.open('c', opening)
  await at.env.advance(3000)
  await c.set('r:c', 1)
  await at.env.advance(3000)
  return { at, a, b, c }
}

test('compaction goes on within 10 s after a replica with its log in memory was closed', async () => {
  const { at, a, b, c } = await three()
  await closeAll(at.env, [c])
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  expect(at.events).toContainEqual({ kind: 'member:gone', replica: c.replica, name: 'c', reason: 'left' })
  expect(await b.get('r:c')).toBe(1)
  await closeAll(at.env, [a, b])
})

test('compaction goes on within 10 s after a replica with a folder has left for good, and the folder begins anew', async () => {
  const disk = faultyFiles({ home: 'c' })
  const { at, a, b, c } = await three({ disk })
  const closing = c.close({ leave: true })
  await at.env.advance(5000)
  await closing
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  const again = await at.open('c', { disk: disk.kill() })
  expect(again.replica).not.toBe(c.replica)
  await at.env.advance(10_000)
  await again.set('r:c', 2)
  await at.env.advance(5000)
  expect([await a.get('r:c'), await b.get('r:c')]).toEqual([2, 2])
  await closeAll(at.env, [a, b, again])
})

test('a replica that was closed in order is waited for as long as it said, and no longer', async () => {
  const disk = faultyFiles({ home: 'c' })
  const { at, a, b, c } = await three({ disk })
  await closeAll(at.env, [c])
  expect(await keptAfterWriting(at, a)).toBeGreaterThan(100)
  const again = await at.open('c', { disk: disk.kill() })
  expect(again.replica).toBe(c.replica)
  await at.env.advance(5000)
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  await closeAll(at.env, [again])
  await at.env.advance(HOUR_MS)
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  expect(at.events).toContainEqual({ kind: 'member:gone', replica: c.replica, name: 'c', reason: 'away' })
  await closeAll(at.env, [a, b])
})

test('a replica with its log in memory that dies is waited for for 10 minutes', async () => {
  const { at, a, b } = await three()
  at.network.partition([['a', 'b'], ['c']])
  await at.env.advance(9 * 60_000)
  expect(await keptAfterWriting(at, a)).toBeGreaterThan(100)
  await at.env.advance(2 * 60_000)
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  at.network.heal()
  await closeAll(at.env, [a, b])
})

test('a close with an unknown option is refused, and nothing is closed', async () => {
  const { at, a, b, c } = await three()
  await expect(c.close({ leaves: true } as never)).rejects.toMatchObject({ message: /did you mean 'leave'/ })
  await c.set('r:c', 3)
  await closeAll(at.env, [a, b, c])
})
