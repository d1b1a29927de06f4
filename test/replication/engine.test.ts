import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import type { MemoryNetwork } from '../../src/ports/memory-network/memory-network.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter, custom, register, set } from '../../crdt/index.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = {
  'visits:*': counter(),
  'cart:*': set<string>(),
  'user:*': register<string>(),
  'notes:*': custom<string[]>((old, next) => [...old, ...next]),
}

async function open(name: string, network: MemoryNetwork, env: VirtualEnv) {
  return openWarp({ keys, transports: [network.transport(name)], env: env.fork({ label: name }) })
}

async function three(seed: number, faults: object) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env, ...faults })
  const replicas = await Promise.all(['a', 'b', 'c'].map((name) => open(name, network, env)))
  return { env, network, replicas }
}

type World = Awaited<ReturnType<typeof three>>

async function write({ env, replicas }: World, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [i, warp] of replicas.entries()) {
      await warp.key('visits:home').increment(i + 1)
      await warp.key('cart:1').add(`${round}-${i}`)
      if (round > 3) await warp.key('cart:1').remove(`${round - 3}-${(i + 1) % 3}`)
      await warp.set('user:1', `${round}-${i}`)
      await warp.set('notes:1', [`${round}-${i}`])
    }
    await env.advance(20)
  }
}

async function values(warp: World['replicas'][number]) {
  return {
    visits: await warp.get('visits:home'),
    cart: [...((await warp.get('cart:1')) ?? [])].sort(),
    user: await warp.get('user:1'),
    notes: await warp.get('notes:1'),
  }
}

async function expectEqual({ replicas }: World, rounds: number): Promise<void> {
  const [first, ...rest] = await Promise.all(replicas.map(values))
  expect(first?.visits).toBe(rounds * 6)
  expect(first?.notes).toHaveLength(rounds * 3)
  for (const other of rest) expect(other).toEqual(first)
}

async function close({ env, replicas }: World): Promise<void> {
  await closeAll(env, replicas)
}

test.each([1, 2, 3])(
  'counters are exact, sets, registers and custom merges equal, under loss, repeat and reorder (seed %i)',
  async (seed) => {
    const world = await three(seed, { loss: 0.3, repeat: 0.2, reorder: 0.3, delayMs: 15 })
    await write(world, 40)
    await world.env.advance(30_000)
    await expectEqual(world, 40)
    await close(world)
  },
)

test('writes on both sides of a cut merge after the heal', async () => {
  const world = await three(5, { delayMs: 5 })
  await world.env.advance(1000)
  world.network.partition([['a'], ['b', 'c']])
  await write(world, 100)
  await world.env.advance(60_000)
  world.network.heal()
  await world.env.advance(5000)
  await expectEqual(world, 100)
  await close(world)
})

test('a replica that joins late reads what the others read', async () => {
  const world = await three(6, {})
  await write(world, 50)
  await world.env.advance(5000)
  const late = await open('late', world.network, world.env)
  await world.env.advance(5000)
  expect(await values(late)).toEqual(await values(world.replicas[0] ?? late))
  expect(await late.get('visits:home')).toBe(300)
  await closeAll(world.env, [late])
  await close(world)
})
