/** Newcomers and latecomers meet replicas that have compacted: nothing counts twice, nothing is lost, all agree. */
import { expect, test } from 'vitest'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { counter, custom, set } from '../../crdt/index.ts'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { Joining } from '../../src/replication/members/joining.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'
import { NaiveStore } from '../support/naive-store.ts'

const keys = {
  'count:*': { strategy: counter(), retain: 'latest' as const },
  'list:*': { strategy: custom<string[]>((old, next) => [...old, ...next]), retain: 'latest' as const },
  'set:*': { strategy: set<string>(), retain: 'latest' as const },
}

function world(seed: number, horizonMs = 86_400_000) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env })
  const open = (name: string, observe: (event: WarpEvent) => void = () => undefined) =>
    openWarp({
      keys,
      transports: [network.transport(name)],
      env: env.fork({ label: name }),
      replication: { horizonMs },
      observe,
    })
  return { env, network, open }
}

/** a and c count to 10 and a compacts; b opens, writes at once, and meets them only then. Returns what a and c reported. */
async function writeTooEarly(seed: number): Promise<string[]> {
  const { env, open } = world(seed)
  const kinds: string[] = []
  const observe = (event: WarpEvent): void => void kinds.push(event.kind)
  const [a, c] = [await open('a', observe), await open('c', observe)]
  for (let i = 0; i < 10; i++) await a.key('count:1').increment()
  await env.advance(5000)
  expect((await a.compact()).droppedOperationsCount).toBe(10)
  const b = await open('b')
  await b.key('count:1').increment(100)
  await env.advance(60_000)
  for (const warp of [a, b, c]) expect(await warp.get('count:1')).toBe(110)
  await closeAll(env, [a, b, c])
  return kinds
}

test('what a newcomer writes before it has met the others counts once, everywhere', async () => {
  expect(await writeTooEarly(4)).toContain('peer:up')
})

// A newcomer's write is concurrent with what the others folded: it comes behind it on all of them, in the same place.
test('a custom merge agrees on where the writes of a newcomer belong', async () => {
  const { env, open } = world(5)
  const b = await open('b')
  await b.set('list:1', ['b'])
  const [a, c] = [await open('a'), await open('c')]
  await env.advance(5000)
  for (const name of ['1', '2', '3']) await a.set('list:1', [name])
  await env.advance(5000)
  await a.compact()
  const d = await open('d')
  await d.set('list:1', ['d'])
  await env.advance(60_000)
  const values = await Promise.all([a, b, c, d].map((warp) => warp.get('list:1')))
  for (const value of values) expect(value).toEqual(values[0])
  expect([...(values[0] ?? [])].sort()).toEqual(['1', '2', '3', 'b', 'd'])
  await closeAll(env, [a, b, c, d])
})

test('replicas that meet for the first time, each with writes of its own, keep all of them', async () => {
  const { env, network, open } = world(6)
  network.partition([['a'], ['b'], ['c']])
  const [a, b, c] = [await open('a'), await open('b'), await open('c')]
  await a.key('count:1').increment(1)
  await b.key('count:1').increment(10)
  await c.key('count:1').increment(100)
  await env.advance(10_000)
  network.heal()
  await env.advance(10_000)
  for (const warp of [a, b, c]) expect(await warp.get('count:1')).toBe(111)
  await closeAll(env, [a, b, c])
})

// b is away for longer than the horizon, deletes what it had seen, and comes back when a has compacted and c has not.
test('a delete by a replica that was away for too long means the same everywhere', async () => {
  const { env, network, open } = world(7, 60_000)
  const [a, c, b] = [await open('a'), await open('c'), await open('b')]
  await a.key('set:1').add('x')
  await env.advance(5000)
  network.partition([['a', 'c'], ['b']])
  await b.delete('set:1')
  await a.key('set:1').add('y')
  await env.advance(200_000)
  await a.key('set:1').add('z')
  await env.advance(5000)
  expect((await a.compact()).droppedOperationsCount).toBeGreaterThan(0)
  network.cut('b', 'c')
  network.heal()
  await env.advance(60_000)
  const values = await Promise.all([a, b, c].map(async (warp) => [...((await warp.get('set:1')) ?? [])].sort()))
  for (const value of values) expect(value).toEqual(values[0])
  expect(values[0]).toEqual(expect.arrayContaining(['y', 'z']))
  await closeAll(env, [a, b, c])
})

test('what a replica wrote that was away for too long counts once, everywhere', async () => {
  const { env, network, open } = world(8, 60_000)
  const [a, c, b] = [await open('a'), await open('c'), await open('b')]
  for (const warp of [a, b, c]) await warp.key('count:1').increment(1)
  await env.advance(5000)
  network.partition([['a', 'c'], ['b']])
  await b.key('count:1').increment(1000)
  await a.key('count:1').increment(10)
  await env.advance(200_000)
  await a.key('count:1').increment(10)
  await env.advance(5000)
  expect((await a.compact()).droppedOperationsCount).toBeGreaterThan(0)
  network.heal()
  await env.advance(60_000)
  for (const warp of [a, b, c]) expect(await warp.get('count:1')).toBe(1023)
  await closeAll(env, [a, b, c])
})

// Each of them has folded away what the other one never saw. Nothing can be merged, and nothing is given up.
test('replicas that have both compacted before they met say so, and keep what they have', async () => {
  const { env, network, open } = world(9)
  network.cut('a', 'b')
  const events: string[] = []
  const observe = (event: WarpEvent): void => void events.push(event.kind)
  const [a, b] = [await open('a', observe), await open('b', observe)]
  for (const warp of [a, b]) for (let i = 0; i < 3; i++) await warp.key('count:1').increment()
  await env.advance(5000)
  for (const warp of [a, b]) expect((await warp.compact()).droppedOperationsCount).toBe(3)
  network.heal()
  await env.advance(60_000)
  for (const warp of [a, b]) expect(await warp.get('count:1')).toBe(3)
  expect(events.filter((kind) => kind === 'resync:failed').length).toBeGreaterThanOrEqual(1)
  await closeAll(env, [a, b])
})

// b and d are away together for longer than the horizon, so d has what b wrote, and a and c, who compact, have not. b is to issue it again.
test('what is issued again though somebody has seen it counts once, everywhere', async () => {
  const { env, network, open } = world(9, 60_000)
  const [a, c, b, d] = [await open('a'), await open('c'), await open('b'), await open('d')]
  for (const warp of [a, b, c, d]) await warp.key('count:1').increment(1)
  await env.advance(5000)
  network.partition([
    ['a', 'c'],
    ['b', 'd'],
  ])
  await b.key('count:1').increment(1000)
  await d.key('set:1').add('d')
  await env.advance(5000)
  expect(await d.get('count:1')).toBe(1004)
  await a.key('count:1').increment(10)
  await env.advance(200_000)
  await a.key('count:1').increment(10)
  await env.advance(5000)
  expect((await a.compact()).droppedOperationsCount).toBeGreaterThan(0)
  // b alone meets those who have compacted, and issues again; then d comes.
  network.heal()
  for (const other of ['a', 'b', 'c']) network.cut('d', other)
  await env.advance(60_000)
  expect(await a.get('count:1')).toBe(1024)
  network.heal()
  await env.advance(60_000)
  for (const warp of [a, b, c, d]) {
    expect(await warp.get('count:1')).toBe(1024)
    expect([...((await warp.get('set:1')) ?? [])]).toEqual(['d'])
  }
  await closeAll(env, [a, b, c, d])
})

// A cut longer than the horizon: who hears nobody is the one that is cut off, and must be able to take over what the others have made of it.
test('a replica that hears nobody compacts nothing, and takes over what the others have compacted', async () => {
  const { env, network, open } = world(10, 60_000)
  const [a, c, b] = [await open('a'), await open('c'), await open('b')]
  for (const warp of [a, b, c]) await warp.key('count:1').increment(1)
  await env.advance(5000)
  for (const warp of [a, b, c]) expect((await warp.compact()).droppedOperationsCount).toBe(3)
  network.partition([['a', 'c'], ['b']])
  await env.advance(200_000)
  await b.key('count:1').increment(1000)
  await b.key('count:1').increment(1000)
  await a.key('count:1').increment(10)
  await env.advance(5000)
  expect((await b.compact()).droppedOperationsCount).toBe(0)
  expect((await a.compact()).droppedOperationsCount).toBeGreaterThan(0)
  network.heal()
  await env.advance(60_000)
  for (const warp of [a, b, c]) expect(await warp.get('count:1')).toBe(2013)
  await closeAll(env, [a, b, c])
})

test('a newcomer that writes before it has met the others begins anew itself, and nobody else has to', async () => {
  const kinds = await writeTooEarly(11)
  expect(kinds.filter((kind) => /^(resync|identity)/.test(kind))).toEqual([])
})

// They hear each other as soon as the members, and none of them announces anything.
test('newcomers that come at once let nobody in past what the members have compacted', async () => {
  const { env, open } = world(11)
  const events: WarpEvent[] = []
  const observe = (event: WarpEvent): void => void events.push(event)
  const members = [await open('a', observe), await open('c', observe)]
  for (let i = 0; i < 10; i++) await members[0]?.key('count:1').increment()
  await env.advance(5000)
  for (const member of members) expect((await member.compact()).droppedOperationsCount).toBe(10)
  const newcomers = await Promise.all(Array.from({ length: 8 }, (_, i) => open(`new-${i}`, observe)))
  for (let waited = 0; waited < 100 && !newcomers.every((warp) => warp.stats().isJoined); waited++)
    await env.advance(50)
  for (const warp of newcomers) await warp.key('count:1').increment(100)
  await env.advance(60_000)
  expect(events.filter(({ kind }) => kind === 'identity:changed')).toEqual([])
  expect(events.filter((event) => event.kind === 'resync:required' && event.side === 'peer')).toEqual([])
  for (const warp of [...members, ...newcomers]) expect(await warp.get('count:1')).toBe(810)
  await closeAll(env, [...members, ...newcomers])
})

test('a peer that announces nothing lets a newcomer in only when that has seen what the others announce', () => {
  const store = new NaiveStore(virtualEnv())
  const writer = replicaIdFromBytes(Uint8Array.of(2))
  const announced = VersionVector.from([[writer, 3]])
  const [none, retired] = [new VersionVector(), []]
  const empty = { ...{ reply: false, floor: none, stable: none, heard: [], retired }, applied: new VersionVector() }
  const joining = new Joining(store)
  expect(joining.meet(empty, () => [announced])).toBe('wait')
  store.applied.raise(writer, 3)
  expect(joining.meet(empty, () => [announced])).toBe('joined')
})
