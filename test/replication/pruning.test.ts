/** Ids of replicas that have left go from every vector, and nothing is lost, counted twice or brought back. */
import { expect, test } from 'vitest'
import { counter, register, set } from '../../crdt/index.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { closeAll } from '../support/close-all.ts'
import { comingAndGoing } from '../support/coming-and-going.ts'

const keys = {
  'r:*': { strategy: register<number>(), retain: 'latest' as const },
  'count:*': { strategy: counter(), retain: 'latest' as const },
  'set:*': { strategy: set<string>(), retain: 'latest' as const },
  'kept:*': { strategy: set<string>(), retain: 'all' as const },
}

const world = (seed?: number) => comingAndGoing(keys, seed)

test('ids of short-lived replicas are gone from all vectors soon after they have left', async () => {
  const { env, open } = world()
  const [a, b, c] = [await open('a'), await open('b'), await open('c')]
  await env.advance(3000)
  for (let i = 0; i < 20; i++) {
    const short = await open(`short-${i}`)
    await env.advance(2000)
    await short.key('count:1').increment()
    await short.key('kept:1').add(`e${i}`)
    await closeAll(env, [short])
    await env.advance(3000)
  }
  await env.advance(30_000)
  for (const warp of [a, b, c]) {
    expect(await warp.get('count:1')).toBe(20)
    expect((await warp.get('kept:1'))?.size).toBe(20)
    expect(warp.replicas().filter(({ operationsCount }) => operationsCount > 0).length).toBeLessThanOrEqual(3)
  }
  await a.key('count:1').increment(100)
  await b.key('kept:1').remove('e3')
  const d = await open('d')
  await env.advance(10_000)
  await d.key('count:1').increment(1000)
  await d.delete('kept:1')
  await env.advance(10_000)
  for (const warp of [a, b, c, d]) {
    expect(await warp.get('count:1')).toBe(1120)
    expect(await warp.get('kept:1')).toBeUndefined()
    await warp.compact()
    expect(await warp.get('count:1')).toBe(1120)
  }
  await closeAll(env, [a, b, c, d])
})

test('the id of a replica that died is gone from all vectors once compaction has gone past it, and so are former ids', async () => {
  const { env, network, open, events } = comingAndGoing(keys, 3, { horizonMs: 60_000 })
  const [a, b] = [await open('a'), await open('b')]
  let disk = faultyFiles({ home: 'c' })
  let c = await open('c', { disk })
  await env.advance(3000)
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    ids.push(c.replica)
    await c.key('count:1').increment()
    await c.key('kept:1').add(`c${i}`)
    await env.advance(3000)
    network.partition([['a', 'b'], ['c']])
    // A folder that is found elsewhere is a copy, and goes on under another id.
    disk = disk.copy(`c${i}`)
    await closeAll(env, [c])
    network.heal()
    c = await open('c', { disk })
    await env.advance(3000)
  }
  expect(new Set([...ids, c.replica]).size).toBe(4)
  await c.key('count:1').increment()
  await env.advance(90_000)
  for (let i = 0; i < 3; i++) {
    await a.key('r:1').set(i)
    await env.advance(10_000)
    for (const warp of [a, b, c]) await warp.compact()
    await env.advance(10_000)
  }
  for (const warp of [a, b, c]) {
    const named = warp.replicas().filter(({ operationsCount }) => operationsCount > 0)
    // One of those that stay has said that they ended.
    const staying = [a, b, c].map(({ replica }) => replica)
    expect(named.filter(({ replica }) => !staying.includes(replica))).toEqual([])
    expect([await warp.get('count:1'), (await warp.get('kept:1'))?.size]).toEqual([4, 3])
  }
  const pruned = events.flatMap((event) => (event.kind === 'members:pruned' ? event.replicas : []))
  expect(new Set(pruned)).toEqual(new Set(ids))
  await closeAll(env, [a, b, c])
})
