/** Ids of replicas that have left go from every vector, and nothing is lost, counted twice or brought back. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { counter, register, set } from '../../crdt/index.ts'
import type { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = {
  'r:*': { strategy: register<number>(), retain: 'latest' as const },
  'count:*': { strategy: counter(), retain: 'latest' as const },
  'set:*': { strategy: set<string>(), retain: 'latest' as const },
  'kept:*': { strategy: set<string>(), retain: 'all' as const },
}

function world(seed = 3) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env, delayMs: 5 })
  const events: WarpEvent[] = []
  let lives = 0
  const open = (name: string, disk?: ReturnType<typeof faultyFiles>) =>
    openWarp({
      ...{ keys, name },
      ...(disk === undefined ? {} : { log: disk.store() }),
      transports: [network.transport(name)],
      env: env.fork({ label: `${name} ${++lives}` }),
      observe: (event) => events.push(event),
    })
  return { env, network, open, events }
}

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
