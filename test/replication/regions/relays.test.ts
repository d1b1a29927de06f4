import { FRAME_KIND } from '../../../src/replication/wire/frames.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { type FederatedReplica, type Federation, twoRegions, type FederationOptions } from '../../support/federation.ts'
import { workers } from '../../support/relay-workers.ts'

const worlds: Federation[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

async function open(options: FederationOptions & { readonly members?: number } = {}): Promise<Federation> {
  const world = await twoRegions(options)
  worlds.push(world)
  await world.env.advance(5000)
  world.crossings.forget()
  return world
}

function expectEqual(world: Federation, texts: readonly string[]): void {
  for (const { name, store } of world.all) expect(store.texts(), name).toEqual([...texts].sort())
}

test('what was lost on its way into a region is asked for, by one replica, and soon', async () => {
  const world = await open({ isWatched: true, members: 4 })
  const plain = world.all.filter(({ region, sits }) => region === 'us' && sits.length === 1)
  const isLost = { now: true }
  // Nobody gossips any more but now and then.
  await world.env.advance(120_000)
  for (const { watched } of plain)
    if (watched !== undefined) watched.loses = (_, kind) => isLost.now && kind === FRAME_KIND.operations
  for (let i = 0; i < 20; i++) {
    world.replica('eu-1').store.write(`${i}`)
    await world.env.advance(10)
  }
  await world.env.advance(200)
  isLost.now = false
  expect(world.replica('us-1').store.texts()).toEqual([])
  await world.env.advance(6000)
  for (const { name, store } of world.all) expect(store.texts(), name).toHaveLength(20)
  expect(world.crossings.most('us')).toBe(2)
})

test('what a relay has to fetch itself, and is much, it leaves to those who ask: one of a region', async () => {
  const world = await open()
  const [relays, plain] = [
    ['ap-relay-1', 'ap-relay-2'],
    ['ap-1', 'ap-2', 'ap-3'],
  ]
  for (const name of relays) await world.join(name, ['ap', 'us'])
  for (const name of plain) await world.join(name, ['ap'])
  await world.env.advance(10_000)
  for (const { name } of world.all) for (const one of relays) if (one !== name) world.network('us').cut(one, name)
  for (let i = 0; i < 9000; i++) world.replica('eu-1').store.write(`${i}`)
  await world.env.advance(20_000)
  world.network('us').heal()
  await world.env.advance(30_000)
  const { replica } = world.replica('eu-1').store
  for (const { name, store } of world.all) expect(store.applied.get(replica), name).toBe(9000)
  let sentCount = 0
  for (const count of world.crossings.into('ap').values()) sentCount += count
  expect(sentCount).toBeLessThanOrEqual(9000 + 4096)
  for (const name of relays) expect(world.replica(name).replicator.stats().relayedOperations).toBeLessThanOrEqual(4096)
})

test('a relay that is started does not carry before it has heard who works', async () => {
  const world = await open()
  world.replica('eu-1').store.write('first')
  await world.env.advance(3000)
  const [working] = workers(world, 'eu', 'us')
  const name = working?.name === 'eu-relay-1' ? 'eu-relay-2' : 'eu-relay-1'
  const { store, sits, kill } = world.replica(name)
  await kill()
  await world.env.advance(20_000)
  world.crossings.forget()
  for (const region of sits) world.network(region).heal(name)
  for (const other of world.all) world.network('us').link(name, other.name).set({ delayMs: 900 })
  await world.join(name, sits, store)
  for (let i = 0; i < 100; i++) {
    world.replica('eu-1').store.write(`${i}`)
    await world.env.advance(50)
  }
  await world.env.advance(5000)
  for (const one of world.all) expect(one.store.texts(), one.name).toHaveLength(101)
  expect(world.crossings.into('us').size).toBe(100)
  expect(world.crossings.most('us')).toBe(1)
})

test('a relay that is started again carries nothing that is known to be there', async () => {
  const world = await twoRegions()
  worlds.push(world)
  for (let i = 0; i < 30; i++) {
    world.replica(i % 2 === 0 ? 'eu-1' : 'us-1').store.write(`${i}`)
    await world.env.advance(100)
  }
  await world.env.advance(30_000)
  for (const { name, store } of world.all) expect(store.texts(), name).toHaveLength(30)
  for (const region of ['eu', 'us']) expect(world.crossings.most(region)).toBeLessThanOrEqual(2)
  world.crossings.forget()
  const sits = world.replica('eu-relay-1').sits
  const { store } = world.replica('eu-relay-1')
  await world.replica('eu-relay-1').kill()
  await world.env.advance(30_000)
  for (const region of sits) world.network(region).heal('eu-relay-1')
  await world.join('eu-relay-1', sits, store)
  await world.env.advance(30_000)
  for (const region of ['eu', 'us']) expect(world.crossings.most(region)).toBe(0)
})

describe.each([{ isWatched: false }, { isWatched: true }])(
  'over networks (who is there is said: $isWatched)',
  (kind) => {
    test('what is written in one region is in the other at once, and crosses once', async () => {
      const world = await open(kind)
      const texts: string[] = []
      for (let i = 0; i < 50; i++) {
        for (const name of ['eu-1', 'us-2']) {
          world.replica(name).store.write(`${name}/${i}`)
          texts.push(`${name}/${i}`)
        }
        await world.env.advance(20)
      }
      await world.env.advance(200)
      expectEqual(world, texts)
      await world.env.advance(60_000)
      for (const region of ['eu', 'us']) {
        expect(world.crossings.into(region).size).toBe(50)
        expect(world.crossings.most(region), region).toBe(1)
      }
    })

    test('one relay of four works each way, and all agree which', async () => {
      const world = await open(kind)
      world.replica('eu-1').store.write('a')
      world.replica('us-1').store.write('b')
      await world.env.advance(3000)
      expect(workers(world, 'eu', 'us')).toHaveLength(1)
      expect(workers(world, 'us', 'eu')).toHaveLength(1)
    })

    test('what a relay writes itself crosses once as well', async () => {
      const world = await open(kind)
      world.replica('eu-1').store.write('first')
      await world.env.advance(3000)
      world.crossings.forget()
      const name = workers(world, 'eu', 'us')[0]?.name === 'eu-relay-1' ? 'eu-relay-2' : 'eu-relay-1'
      // The one that works has it from its own region first.
      for (const other of world.all)
        if (other.name !== name) world.network('us').link(name, other.name, { oneWay: true }).set({ delayMs: 100 })
      const texts = ['first']
      for (let i = 0; i < 20; i++) {
        world.replica(name).store.write(`r/${i}`)
        texts.push(`r/${i}`)
        await world.env.advance(30)
      }
      await world.env.advance(60_000)
      expectEqual(world, texts)
      expect(world.crossings.most('us')).toBe(1)
      expect(world.crossings.most('eu')).toBe(0)
    })

    test('when the working relay dies, another one takes over; each operation crosses twice at most', async () => {
      const world = await open(kind)
      world.replica('eu-1').store.write('first')
      await world.env.advance(3000)
      const [working] = workers(world, 'eu', 'us')
      const texts = ['first']
      for (let i = 0; i < 400; i++) {
        if (i === 100) await working?.kill()
        world.replica('eu-1').store.write(`x/${i}`)
        texts.push(`x/${i}`)
        await world.env.advance(50)
      }
      await world.env.advance(10_000)
      expectEqual(world, texts)
      expect(world.crossings.most('us')).toBeLessThanOrEqual(2)
      expect(workers(world, 'eu', 'us')).toHaveLength(1)
    })

    test('what was being carried when the relay died is carried by the next one', async () => {
      const world = await open(kind)
      world.replica('eu-1').store.write('first')
      await world.env.advance(3000)
      const [working] = workers(world, 'eu', 'us')
      // What it sends into the other region is lost, and then it is gone, in order.
      for (const { name } of world.all) if (name !== working?.name) world.network('us').cut(working?.name ?? '', name)
      for (let i = 0; i < 10; i++) world.replica('eu-1').store.write(`${i}`)
      await world.env.advance(30)
      world.network('us').heal()
      await working?.replicator.close()
      world.all.splice(world.all.indexOf(working as FederatedReplica), 1)
      await world.env.advance(200)
      for (const { name, store } of world.all) expect(store.texts(), name).toHaveLength(11)
    })

    test('a region that was cut off catches up, and what it missed crosses once or twice', async () => {
      const world = await open(kind)
      const relays = world.all.filter(({ sits }) => sits.length > 1)
      const plain = world.all.filter(({ region, sits }) => region === 'us' && sits.length === 1)
      for (const relay of relays) for (const { name } of plain) world.network('us').cut(relay.name, name)
      const texts: string[] = []
      for (let i = 0; i < 300; i++) {
        world.replica('eu-2').store.write(`e/${i}`)
        world.replica('us-1').store.write(`u/${i}`)
        texts.push(`e/${i}`, `u/${i}`)
        await world.env.advance(100)
      }
      expect(world.replica('us-2').store.texts()).toHaveLength(300)
      world.network('us').heal()
      await world.env.advance(30_000)
      expectEqual(world, texts)
      // Once into the cut, and once when somebody asked for it.
      expect(world.crossings.most('us')).toBe(2)
      expect(world.crossings.most('eu')).toBe(1)
    })
  },
)
