import { afterEach, describe, expect, test } from 'vitest'
import {
  type FederatedReplica,
  federation,
  type Federation,
  type FederationOptions,
  twoRegions,
} from '../../support/federation.ts'

const worlds: Federation[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

async function open(options: FederationOptions & { readonly members?: number } = {}): Promise<Federation> {
  const world = await twoRegions(options)
  worlds.push(world)
  await world.env.advance(5000)
  return world
}

function writeAll(world: Federation, from: number, to: number): void {
  for (let i = from; i < to; i++) for (const { name, store } of world.all) store.write(`${name}/${i}`)
}

describe.each([{ isWatched: false }, { isWatched: true }])('who is there is said: $isWatched', (kind) => {
  test('compaction goes on, and never beyond what somebody has', async () => {
    const world = await open(kind)
    for (const { store } of world.all) store.compactsAtOnce = true
    for (let round = 0; round < 10; round++) {
      writeAll(world, round * 5, round * 5 + 5)
      await world.env.advance(700)
      for (const { store } of world.all)
        for (const other of world.all) expect(other.store.applied.dominates(store.stable)).toBe(true)
    }
    await world.env.advance(90_000)
    for (const { name, store } of world.all) {
      expect(store.texts(), name).toHaveLength(8 * 50)
      expect(store.stable.compare(store.applied), name).toBe('equal')
      expect(store.recordCount, name).toBe(0)
    }
  })

  test('who says nothing is waited for in all regions, and who has died only for the horizon', async () => {
    const world = await open({ ...kind, replication: { horizonMs: 20_000, peerSilentMs: 5000 } })
    const [silent, killed] = [world.replica('eu-1'), world.replica('eu-2')]
    world.replica('us-1').store.write('a')
    await world.env.advance(300_000)
    const there = world
      .replica('us-1')
      .replicator.members()
      .map(({ replica }) => replica)
    expect(there).toContain(silent.store.replica)
    expect(goneAt(world, 'us-1')).toEqual([])
    await killed.kill()
    world.replica('us-1').store.write('b')
    await world.env.advance(10_000)
    expect(world.replica('us-1').store.stable.includes(world.replica('us-1').store.replica, 2)).toBe(false)
    // Not for the horizon of the relays and then for its own.
    await world.env.advance(18_000)
    expect(goneAt(world, 'us-1')).toEqual([killed.store.replica])
    await world.env.advance(52_000)
    expect(world.replica('us-1').store.stable.includes(world.replica('us-1').store.replica, 2)).toBe(true)
  })
})

function goneAt(world: Federation, name: string): string[] {
  return world.replica(name).events.flatMap((event) => (event.kind === 'member:gone' ? [event.replica] : []))
}

test('names, zones and regions of members elsewhere are known, with their lag', async () => {
  const world = await open()
  world.replica('eu-1').store.write('a')
  await world.env.advance(5000)
  const peers = world.replica('us-1').replicator.peers()
  const distant = peers.filter(({ isRelayed }) => isRelayed === true)
  expect(distant.map(({ name }) => name).sort()).toEqual(['eu-1', 'eu-2'])
  for (const { region, state, lagCount, transport } of distant)
    expect({ region, state, lagCount, transport }).toEqual({
      ...{ region: 'eu', state: 'up', lagCount: 0 },
      transport: 'memory:us-1',
    })
  const relays = peers.filter(({ relayed }) => relayed !== undefined)
  expect(relays).toHaveLength(4)
  expect(relays[0]?.relayed).toHaveLength(2)
})

test('how far a region is behind is told, and that none of it is heard', async () => {
  const world = await open()
  const eu = world.replica('eu-1')
  expect(eu.replicator.regions()).toEqual([
    { region: 'eu', upCount: 3, lagCount: 0, relaysCount: 4, silentMs: expect.any(Number) },
    { region: 'us', upCount: 4, lagCount: 0, relaysCount: 4, silentMs: expect.any(Number) },
  ])
  for (const one of world.all.filter(({ sits }) => sits.length > 1)) await one.kill()
  for (let i = 0; i < 30; i++) {
    eu.store.write(`${i}`)
    await world.env.advance(1000)
  }
  const [, us] = eu.replicator.regions()
  expect(us).toMatchObject({ region: 'us', upCount: 0, lagCount: 30, relaysCount: 0 })
  expect(us?.silentMs).toBeGreaterThan(20_000)
  expect(eu.events.filter(({ kind }) => kind.startsWith('region:'))).toEqual([
    { kind: 'region:up', region: 'us' },
    { kind: 'region:down', region: 'us' },
  ])
  expect(
    world
      .replica('eu-1')
      .replicator.peers()
      .find(({ name }) => name === 'us-1')?.state,
  ).toBe('down')
})

describe.each([{ isWatched: false }, { isWatched: true }])('who is there is said: $isWatched', ({ isWatched }) => {
  /** The networks say it after three seconds; else a replica is down when it has been silent for so long. */
  const SILENT_MS = isWatched ? 3000 : 10_000
  const ROUNDS_MS = 2500

  async function downAfter(world: Federation, name: string, killed: (one: FederatedReplica) => boolean) {
    const { events } = world.replica(name)
    const told = (): unknown[] => events.filter(({ kind }) => kind.startsWith('region:'))
    expect(told()).toEqual([{ kind: 'region:up', region: 'us' }])
    for (const one of world.all.filter(killed)) await one.kill()
    let ms = 0
    for (; told().length === 1 && ms < 60_000; ms += 100) await world.env.advance(100)
    expect(told()[1]).toEqual({ kind: 'region:down', region: 'us' })
    await world.env.advance(60_000)
    expect(told()).toHaveLength(2)
    return ms
  }

  test('a region of which no replica is left is down as soon as its relays know it', async () => {
    const world = await open({ isWatched })
    const ms = await downAfter(world, 'eu-1', ({ region }) => region === 'us')
    expect(ms).toBeLessThanOrEqual(SILENT_MS + ROUNDS_MS)
  })

  test('a region without relays is down as soon as they are, and its own region never is', async () => {
    const world = await open({ isWatched })
    const ms = await downAfter(world, 'eu-1', ({ name }) => name !== 'eu-1')
    expect(ms).toBeLessThanOrEqual(SILENT_MS + ROUNDS_MS)
  })

  test('while one relay takes over from another one, no region is down', async () => {
    const world = await open({ isWatched })
    for (const name of ['eu-relay-1', 'us-relay-1', 'us-relay-2']) {
      await world.replica(name).kill()
      await world.env.advance(30_000)
    }
    const kinds = world.replica('eu-1').events.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind.startsWith('region:'))).toEqual(['region:up'])
  })
})

test('a region that joins later has all of it, once for the region; by snapshot behind what was compacted', async () => {
  for (const compacts of [false, true]) {
    const world = await open()
    for (const { store } of world.all) store.compactsAtOnce = compacts
    for (let i = 0; i < 2000; i++) world.replica(i % 2 === 0 ? 'eu-1' : 'us-1').store.write(`${i}`)
    await world.env.advance(60_000)
    expect(world.replica('eu-2').store.recordCount).toBe(compacts ? 0 : 2000)
    for (const name of ['ap-1', 'ap-2', 'ap-3']) await world.join(name, ['ap'])
    for (const name of ['ap-relay-1', 'ap-relay-2']) await world.join(name, ['ap', 'us'])
    world.crossings.forget()
    await world.env.advance(60_000)
    for (const { name, store } of world.all) expect(store.texts(), name).toHaveLength(2000)
    // It takes part from then on, in both directions, through two relays.
    world.crossings.forget()
    world.replica('ap-1').store.write('from ap')
    world.replica('eu-1').store.write('from eu')
    await world.env.advance(300)
    for (const { name, store } of world.all) expect(store.texts(), name).toHaveLength(2002)
    await world.env.advance(30_000)
    for (const region of ['eu', 'us', 'ap']) expect(world.crossings.most(region), region).toBe(1)
  }
})

test('a relay on the wrong transport, or a second region of one name, is told', async () => {
  const world = federation()
  worlds.push(world)
  await world.join('eu-1', ['eu'])
  const network = world.network('eu')
  expect(network).toBeDefined()
  await world.join('eu-relay', ['eu', 'us'])
  // It is at home in 'ap', and sits on the transports of 'eu' without relaying to it.
  await world.join('stray', ['ap'], undefined, 'eu')
  await world.env.advance(5000)
  expect(world.replica('eu-1').events.filter(({ kind }) => kind === 'region:conflict')).toMatchObject([
    { region: 'ap', here: 'eu' },
  ])
})
