/** What operators see of ordered logs and relays: figures that rise when something is wrong, and fall when it is mended. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, relay } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import type { Health } from '../../src/api/health/health.ts'
import type { Stats } from '../../src/api/stats.ts'
import { tellObserved } from '../../src/observability/observed.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'
import { StrongWorld } from '../support/strong-world.ts'

const STRONG = { 's:*': { strategy: register<number>(), mode: 'strong' } } as const

/** What is told of the names that begin so, by name and labels. */
function figures(warp: { stats(): Stats; health(): Health }, prefix: string): Record<string, number> {
  const told: Record<string, number> = {}
  tellObserved({ stats: warp.stats(), health: warp.health(), nowMs: 0 }, ({ name }, value, labels) => {
    if (name.startsWith(prefix))
      told[[name.slice(prefix.length), ...Object.values(labels)].join(' ').replace('memory:', '')] = value
  })
  return told
}

const codes = (warp: { health(): Health }): string[] =>
  Object.values(warp.health().parts).flatMap(({ reasons }) => reasons.map(({ code }) => code))

test('an ordered log that goes away is counted from then on, with what waits for it and what it refuses', async () => {
  const world = new StrongWorld({ name: 'log' })
  const { warp } = await world.open('a', STRONG, { strong: { timeoutMs: 60_000 } })
  for (let i = 0; i < 3; i++) await world.drive(warp.set('s:1', i))
  const well = { 'connected log': 1, 'away log': 0, 'failing log': 0, 'lag log 0': 0, 'waiting log 0': 0 }
  expect(figures(warp, 'warp.order.')).toEqual({
    ...well,
    ...{ 'appends log 0 appended': 3, 'appends log 0 refused': 0, 'appends log 0 unknown': 0 },
  })
  await world.env.advance(20_000)
  world.order.disconnect('a')
  await world.env.advance(1000)
  const write = warp.set('s:1', 4)
  await world.env.advance(9000)
  const away = figures(warp, 'warp.order.')
  expect(away).toMatchObject({ 'connected log': 0, 'failing log': 0, 'waiting log 0': 1, 'appends log 0 appended': 3 })
  expect(away['away log']).toBeGreaterThan(9000)
  expect(away['away log']).toBeLessThan(11_000)
  expect((away['appends log 0 refused'] ?? 0) + (away['appends log 0 unknown'] ?? 0)).toBeGreaterThan(5)
  expect(codes(warp)).toEqual(['order-failing'])
  world.order.reconnect('a')
  await world.drive(write)
  expect(figures(warp, 'warp.order.')).toMatchObject({ ...well, 'appends log 0 appended': 4 })
  expect(codes(warp)).toEqual([])
  await world.drive(warp.close())
})

test('a replica that is handed records late is behind the log, as far as it knows, and then is not', async () => {
  const world = new StrongWorld({ name: 'log' })
  const { warp: fast } = await world.open('fast', STRONG)
  const { warp: slow } = await world.open('slow', STRONG)
  await world.drive(fast.set('s:1', 0))
  world.order.troubles({ slowMs: 5000, batchRecords: 1 }, 'slow')
  for (let i = 1; i <= 10; i++) await world.drive(fast.set('s:1', i))
  const own = slow.set('s:2', 1)
  await world.env.advance(100)
  const { lagCount = 0, offset = 0 } = slow.stats().order?.partitions[0] ?? {}
  expect(lagCount).toBeGreaterThan(5)
  expect(fast.stats().order?.partitions[0]?.offset).toBe(offset + lagCount)
  expect(figures(slow, 'warp.order.')['lag log 0']).toBe(lagCount)
  world.order.troubles({ slowMs: 0, batchRecords: 512 }, 'slow')
  await world.drive(own)
  await world.env.advance(10_000)
  expect(slow.stats().order?.partitions[0]?.lagCount).toBe(0)
  for (const warp of [fast, slow]) await world.drive(warp.close())
})

test('a log that has lost what it acknowledged is failing, and is there', async () => {
  const world = new StrongWorld({ name: 'log' })
  const { warp } = await world.open('a', STRONG)
  await world.drive(warp.set('s:1', 1))
  world.order.recreate()
  await world.drive(warp.set('s:1', 2).catch(() => undefined))
  await world.env.advance(10_000)
  expect(figures(warp, 'warp.order.')).toMatchObject({ 'connected log': 1, 'failing log': 1 })
  expect(codes(warp)).toEqual(['order-failing'])
  await world.drive(warp.close())
})

test('of several relays one works each way, and a region that is gone is named', async () => {
  const env = virtualEnv()
  const keys = { 'r:*': register<number>() }
  const networks = { eu: memoryNetwork({ env, seed: 1 }), us: memoryNetwork({ env, seed: 2 }) }
  const open = (name: string, region: 'eu' | 'us', other?: 'eu' | 'us') =>
    openWarp({
      ...{ keys, name, region, env: env.fork({ label: name }), transports: [networks[region].transport(name)] },
      relays:
        other === undefined
          ? []
          : [relay({ from: region, to: { region: other, transports: [networks[other].transport(name)] } })],
    })
  const [eu, us] = [await open('eu', 'eu'), await open('us', 'us')]
  const relays = [await open('relay-1', 'eu', 'us'), await open('relay-2', 'us', 'eu')]
  const working = (): Record<string, number> => {
    const sums: Record<string, number> = {}
    for (const one of relays)
      for (const [way, works] of Object.entries(figures(one, 'warp.relay.'))) sums[way] = (sums[way] ?? 0) + works
    return sums
  }
  await env.advance(1000)
  expect(Object.values(working()).every((count) => count === 0)).toBe(true)
  await env.advance(10_000)
  expect(working()).toEqual({ 'works eu us': 1, 'works us eu': 1 })
  expect(figures(eu, 'warp.relay.')).toEqual({})
  expect(codes(eu)).toEqual([])
  for (const name of ['relay-1', 'relay-2', 'us']) networks.eu.cut('eu', name)
  await env.advance(20_000)
  expect(eu.health().parts.replication.reasons).toContainEqual(
    expect.objectContaining({ code: 'region-down', details: { region: 'us' } }),
  )
  expect(eu.health().ready).toBe(true)
  await closeAll(env, [eu, us, ...relays])
})
