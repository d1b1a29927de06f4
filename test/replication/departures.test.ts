/** Who leaves is not waited for; who closes in order is waited for as long as it says; who is given up is not waited for. */
import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
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

/** Longer than a peer that says nothing counts as up, and than one that was given up is waited for. */
const SILENT_MS = 12_000

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

test('a replica with a folder that dies is waited for for the horizon, and no longer', async () => {
  const at = comingAndGoing(keys, 3, { horizonMs: 20 * 60_000 })
  const [a, b] = [await at.open('a'), await at.open('b')]
  const c = await at.open('c', { disk: faultyFiles({ home: 'c' }) })
  await at.env.advance(3000)
  await c.set('r:c', 1)
  await at.env.advance(3000)
  at.network.partition([['a', 'b'], ['c']])
  await at.env.advance(19 * 60_000)
  expect(await keptAfterWriting(at, a)).toBeGreaterThan(100)
  await at.env.advance(2 * 60_000)
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  at.network.heal()
  await closeAll(at.env, [a, b, c])
})

test('a replica that is given up is waited for no more, and what it wrote meanwhile counts when it is back all the same', async () => {
  const { at, a, b, c } = await three({ disk: faultyFiles({ home: 'c' }) })
  at.network.partition([['a', 'b'], ['c']])
  await at.env.advance(SILENT_MS)
  expect(await keptAfterWriting(at, a)).toBeGreaterThan(100)
  const former = c.replica
  const dot = await a.evict('c')
  expect(dot.replica).toBe(a.replica)
  await c.set('r:back', 7)
  await at.env.advance(SILENT_MS)
  expect(await keptAfterWriting(at, a)).toBeLessThan(10)
  expect(at.events).toContainEqual({ kind: 'member:gone', replica: former, name: 'c', reason: 'evicted' })
  const told = at.events.filter(({ kind }) => kind === 'members:evicted')
  expect(told).toEqual([1, 2].map(() => ({ kind: 'members:evicted', replicas: [former], by: a.replica })))
  at.network.heal()
  await at.env.advance(30_000)
  expect(c.replica).not.toBe(former)
  for (const one of [a, b, c]) expect([await one.get('r:c'), await one.get('r:back')]).toEqual([1, 7])
  await closeAll(at.env, [a, b, c])
})

test('a replica that is up is given up only by force, and goes on under another id without a loss', async () => {
  const { at, a, b, c } = await three({ disk: faultyFiles({ home: 'c' }) })
  const former = c.replica
  await expect(a.evict('c')).rejects.toMatchObject({ code: 'WARP_E_CONFIG', message: /c \(\w+\) is up; close it/ })
  await a.evict(former.slice(0, 8), { force: true })
  await c.set('r:1', 1)
  await at.env.advance(5000)
  await c.set('r:2', 2)
  await at.env.advance(SILENT_MS)
  expect(c.replica).not.toBe(former)
  for (const one of [a, b, c]) expect([await one.get('r:1'), await one.get('r:2')]).toEqual([1, 2])
  expect(await keptAfterWriting(at, b)).toBeLessThan(10)
  await closeAll(at.env, [a, b, c])
})

test('whom nobody means, or more than one is meant by, or who may not be, is not given up', async () => {
  const { at, a, b, c } = await three()
  const refusal = async (said: unknown, options?: unknown): Promise<string> => {
    const error: unknown = await a.evict(said as string, options as never).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'WARP_E_CONFIG' })
    return (error as Error).message
  }
  const long = await at.open('web-3')
  await at.env.advance(3000)
  expect(await refusal('web-4')).toBe("evict: there is no replica 'web-4'; did you mean 'web-3'?")
  expect(await refusal('somebody else')).toMatch(
    /there is no replica 'somebody else'; known are (.* \(\w{16}\),? ?){3}$/,
  )
  expect(await refusal('a')).toMatch(/^evict: a \(\w{16}\) is this replica itself; close it with { leave: true }$/)
  expect(await refusal('')).toMatch(/is no replica; give its name, or its id/)
  expect(await refusal(7)).toMatch(/7 is no replica/)
  expect(await refusal('b', { forced: true })).toMatch(/did you mean 'force'/)
  expect(await refusal('b', { force: 1 })).toMatch(/force is/)
  await closeAll(at.env, [long])
  // It may have been pruned by now.
  expect(await refusal('web-3')).toMatch(/web-3 \(\w{16}\) has left already|there is no replica 'web-3'/)
  const twins = [await at.open('x', { name: 'twin' }), await at.open('y', { name: 'twin' })]
  await at.env.advance(3000)
  expect(await refusal('twin')).toMatch(/'twin' is the name of 2 replicas; give the id: \w{16} \(up\), \w{16} \(up\)/)
  at.network.partition([['c'], ['a', 'b', 'x', 'y']])
  await at.env.advance(SILENT_MS)
  await a.evict('c')
  expect(await refusal('c')).toMatch(/has been evicted already/)
  await closeAll(at.env, [a, b, c, ...twins])
})

test('a replica without transports gives nobody up', async () => {
  const warp = await openWarp({ keys })
  await expect(warp.evict('b')).rejects.toMatchObject({ code: 'WARP_E_CONFIG', message: /without transports/ })
  await warp.close()
  await expect(warp.evict('b')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
})
