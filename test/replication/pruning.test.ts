/** Ids of replicas that have left go from every vector, and nothing is lost, counted twice or brought back. */
import { expect, test } from 'vitest'
import { counter, register, set } from '../../crdt/index.ts'
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
