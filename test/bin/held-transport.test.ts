import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { HeldTransport } from '../../bin/demo/replicas/held-transport.ts'
import { counter } from '../../crdt/counter.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const KEYS = { 'n:*': counter() }

/** Two replicas that have met; what reaches either from then on is held. */
async function pair() {
  const env = virtualEnv()
  const network = memoryNetwork({ env })
  const open = async (name: string) => {
    const held = new HeldTransport(network.transport(name))
    return { held, warp: await openWarp({ keys: KEYS, env: env.fork({ label: name }), transports: [held] }) }
  }
  const [a, b] = [await open('a'), await open('b')]
  await env.advance(2000)
  expect([a, b].map(({ warp }) => warp.stats().isJoined)).toEqual([true, true])
  for (const { held } of [a, b]) held.hold()
  return {
    a: a.warp.replica,
    held: b.held,
    network,
    write: async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: count }, () => a.warp.key('n:1').increment()))
      await env.runUntilIdle()
    },
    /** What b sees after a while. */
    seen: async (): Promise<number> => {
      await env.advance(5000)
      return (await b.warp.get('n:1')) ?? 0
    },
    [Symbol.asyncDispose]: () => closeAll(env, [a.warp, b.warp]),
  }
}

test('operations wait until they are allowed, each by itself although they came together', async () => {
  await using replicas = await pair()
  const { a, held, write, seen } = replicas
  await write(3)
  expect(await seen()).toBe(0)
  held.allow(a, 2)
  expect(await seen()).toBe(2)
})

test('what is allowed before it comes does not wait', async () => {
  await using replicas = await pair()
  const { a, held, write, seen } = replicas
  held.allow(a, 2)
  await write(3)
  expect(await seen()).toBe(2)
})

test('what was lost on the way is found again once it is allowed', async () => {
  await using replicas = await pair()
  const { a, held, network, write, seen } = replicas
  network.cut('a', 'b')
  await write(2)
  network.heal()
  await write(1)
  expect(await seen()).toBe(0)
  held.allow(a, 2)
  expect(await seen()).toBe(2)
})

test('once everything is let through, nothing waits any more', async () => {
  await using replicas = await pair()
  const { held, write, seen } = replicas
  await write(2)
  held.letAllThrough()
  expect(await seen()).toBe(2)
  await write(1)
  expect(await seen()).toBe(3)
})
