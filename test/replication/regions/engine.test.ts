import { describe, expect, test } from 'vitest'
import { memoryNetwork } from '../../../adapters/memory/memory-network.ts'
import type { MemoryNetwork } from '../../../src/ports/memory-network/memory-network.ts'
import { openWarp, relay, type Relay, type WarpOptions } from '../../../adapters/node/index.ts'
import { counter, custom, set } from '../../../crdt/index.ts'
import { tellObserved } from '../../../src/observability/observed.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'
import { closeAll } from '../../support/close-all.ts'
import { refusalOf } from '../../support/refusal-of.ts'

const keys = {
  'visits:*': counter(),
  'cart:*': set<string>(),
  'notes:*': custom<string[]>((old, next) => [...old, ...next]),
}

interface World {
  readonly env: VirtualEnv
  readonly eu: MemoryNetwork
  readonly us: MemoryNetwork
  readonly all: Awaited<ReturnType<typeof open>>[]
}

function open(
  world: Pick<World, 'env'>,
  name: string,
  options: Omit<WarpOptions<typeof keys>, 'keys' | 'env' | 'name'>,
) {
  return openWarp({ keys, name, env: world.env.fork({ label: name }), ...options })
}

/** A plain replica and two relays in each of two regions. */
async function twoRegions(seed: number): Promise<World> {
  const env = virtualEnv({ seed })
  const [eu, us] = [memoryNetwork({ seed, env }), memoryNetwork({ seed: seed + 1, env })]
  const all: World['all'] = []
  for (const [region, home, there, other] of [
    ['eu', eu, us, 'us'],
    ['us', us, eu, 'eu'],
  ] as const) {
    all.push(await open({ env }, region, { region, zone: `${region}-a`, transports: [home.transport(region)] }))
    for (const name of [`${region}-relay-1`, `${region}-relay-2`]) {
      const relays = [relay({ from: region, to: { region: other, transports: [there.transport(name)] } })]
      all.push(await open({ env }, name, { region, transports: [home.transport(name)], relays }))
    }
  }
  await env.advance(5000)
  return { env, eu, us, all }
}

test('counters are exact and custom merges equal over two regions, cut and healed', async () => {
  const world = await twoRegions(1)
  const { env, us, all } = world
  for (let round = 0; round < 20; round++) {
    if (round === 5) for (const a of ['eu-relay-1', 'eu-relay-2', 'us-relay-1', 'us-relay-2']) us.cut(a, 'us')
    if (round === 15) us.heal()
    for (const [i, warp] of all.entries()) {
      await warp.key('visits:home').increment(i + 1)
      await warp.key('cart:1').add(`${round}-${i}`)
      await warp.set('notes:1', [`${round}-${i}`])
    }
    await env.advance(200)
  }
  await env.advance(20_000)
  const values = await Promise.all(
    all.map(async (warp) => ({
      visits: await warp.get('visits:home'),
      cart: [...((await warp.get('cart:1')) ?? [])].sort(),
      notes: await warp.get('notes:1'),
    })),
  )
  expect(values[0]?.visits).toBe(20 * 21)
  expect(values[0]?.cart).toHaveLength(120)
  expect(values[0]?.notes).toHaveLength(120)
  for (const value of values) expect(value).toEqual(values[0])
  await closeAll(env, all)
})

test('a replica that leaves its region is gone in all of them, and compaction goes on', async () => {
  const { env, all } = await twoRegions(2)
  const [eu] = all
  const others = all.slice(1)
  await eu?.key('visits:home').increment(1)
  await env.advance(2000)
  const closing = eu?.close({ leave: true })
  await env.advance(10_000)
  await closing
  for (let i = 0; i < 50; i++) await others[2]?.key('visits:home').increment(1)
  await env.advance(60_000)
  for (const warp of others) expect(warp.stats().compaction.replicas).toEqual([])
  await closeAll(env, others)
})

test('peers, statistics and metrics say how far each region is behind', async () => {
  const { env, all } = await twoRegions(3)
  const [eu] = all
  await eu?.key('visits:home').increment(1)
  await env.advance(3000)
  const us = eu?.peers().find(({ name }) => name === 'us')
  expect(us).toMatchObject({ region: 'us', zone: 'us-a', isRelayed: true, state: 'up', lagCount: 0 })
  expect(eu?.peers().find(({ name }) => name === 'us-relay-1')).toMatchObject({ region: 'us', relayed: ['us', 'eu'] })
  expect(eu?.stats().regions).toMatchObject([
    { region: 'eu', lagCount: 0, upCount: 2, relaysCount: 4 },
    { region: 'us', lagCount: 0, upCount: 3, relaysCount: 4 },
  ])
  expect(eu?.stats().peers.every(({ address }) => address !== 'us')).toBe(true)
  const told = new Map<string, number>()
  const [stats, health] = [eu?.stats(), eu?.health()]
  if (stats === undefined || health === undefined) throw new Error('no engine')
  tellObserved({ stats, health, nowMs: env.now() }, ({ name }, value, { region }) => {
    if (region !== undefined) told.set(`${name} ${region}`, value)
  })
  expect(told.get('warp.region.lag us')).toBe(0)
  expect(told.get('warp.region.replicas us')).toBe(3)
  expect(told.get('warp.region.relays eu')).toBe(4)
  const carried = all.map((warp) => warp.stats().replication?.sent.relayedOperationsCount)
  expect(carried.filter((count) => count === 1)).toHaveLength(1)
  await closeAll(env, all)
})

describe('what is refused', () => {
  const transports = [memoryNetwork().transport('a')]
  const to = { region: 'us', transports }
  const anything = (options: object): never => options as never

  test.each([
    ['without options', () => relay(anything(undefined as never)), 'relay needs options'],
    ['an option that does not exist', () => relay(anything({ form: 'eu', to })), "'form'; did you mean 'from'?"],
    ['keys', () => relay(anything({ from: 'eu', to, keys: ['a:*'] })), "there is no option 'keys'"],
    ['from', () => relay(anything({ to })), 'relay: from is undefined; give the name of a region'],
    ['a region that cannot be shown', () => relay({ from: '\u0007', to }), 'region is "\\u0007"'],
    ['to', () => relay(anything({ from: 'eu' })), 'relay: to needs options'],
    [
      'an option of to',
      () => relay(anything({ from: 'eu', to: { ...to, transport: 1 } })),
      "did you mean 'transports'?",
    ],
    ['no transports', () => relay({ from: 'eu', to: { region: 'us', transports: [] } }), 'at least one transport'],
    [
      'what is no transport',
      () => relay(anything({ from: 'eu', to: { region: 'us', transports: [1] } })),
      'to.transports[0]',
    ],
    ['two regions of one name', () => relay({ from: 'us', to }), 'give two regions, each with a name of its own'],
  ] as const)('by relay: %s', async (_, call, message) => {
    expect(await refusalOf(call)).toContain(message)
  })

  const made = (from: string, region: string): Relay => relay({ from, to: { region, transports } })

  test.each([
    ['an empty region', { region: '' }, 'region is ""'],
    [
      'relays that are no list',
      { region: 'eu', transports, relays: made('eu', 'us') },
      'relays is an object; give a list',
    ],
    ['what is no relay', { region: 'eu', transports, relays: [to] }, 'relays[0] is an object; give relay('],
    [
      'a relay from elsewhere',
      { region: 'eu', transports, relays: [made('ap', 'us')] },
      'is from "ap", and region is "eu"',
    ],
    ['a relay without a region', { transports, relays: [made('eu', 'us')] }, 'region is not given'],
    [
      'two relays to one region',
      { region: 'eu', transports, relays: [made('eu', 'us'), made('eu', 'us')] },
      'to which another one is',
    ],
    ['relays without transports', { region: 'eu', relays: [made('eu', 'us')] }, 'there are relays and no transports'],
    [
      'too many regions',
      { region: 'eu', transports, relays: Array.from({ length: 16 }, (_, i) => made('eu', `r${i}`)) },
      '17 regions exceed the 16 of one replica',
    ],
  ] as const)('by openWarp: %s', async (_, options, message) => {
    expect(await refusalOf(() => openWarp(anything({ keys, ...options })))).toContain(message)
  })
})
