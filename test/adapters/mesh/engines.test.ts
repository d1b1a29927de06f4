/** Engines over the whole mesh on virtual time: what a user sees of it. */
import { afterEach, describe, expect, test } from 'vitest'
import { meshTransport, type MeshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import type { MeshOptions } from '../../../adapters/mesh/options.ts'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { set } from '../../../crdt/set.ts'
import { ALL_PARTS, openWarpOn, type Transport, type Warp, type WarpEvent } from '../../../src/index.ts'
import { FakeMeshNetwork, type FakeMeshNetworkOptions } from '../../support/fake-mesh-network.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'
import { listen } from '../../channels/world.ts'
import { KEY_TEXT, OTHER_KEY_TEXT } from './contact-fixture.ts'

const KEYS = { 'user:*': register<string>(), 'visits:*': counter(), 'cart:*': set<string>() }
const CHANNELS = { 'kept:*': { replay: { count: 2 } } } as const
const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3']

interface Place {
  readonly host: string
  readonly env: VirtualEnv
  readonly transport: MeshTransport
  readonly warp: Warp<typeof KEYS>
  readonly events: WarpEvent[]
  /** What the transport told the engine. */
  readonly ups: string[]
}

class Cluster {
  readonly env: VirtualEnv
  readonly network: FakeMeshNetwork
  readonly places: Place[] = []

  constructor(settings: Omit<FakeMeshNetworkOptions, 'clock'> = {}) {
    this.env = virtualEnv({ seed: settings.seed ?? 1 })
    this.network = new FakeMeshNetwork({ clock: this.env, delayMs: 1, ...settings })
  }

  async open(host: string, options: Partial<MeshOptions> = {}, wallOffsetMs = 0): Promise<Place> {
    const env = this.env.fork({ label: `${host} ${this.env.monotonic()}`, wallOffsetMs })
    const network = this.network.machine(host)
    const transport = meshTransport({
      ...{ host, peers: HOSTS, clusterKey: KEY_TEXT, multicast: false, network, clock: env },
      ...options,
    })
    const events: WarpEvent[] = []
    const ups: string[] = []
    const overheard: Transport = {
      ...transport,
      open: (receiver) =>
        transport.open({
          receive: (from, bytes) => receiver.receive(from, bytes),
          peerUp: (peer) => {
            ups.push(peer)
            receiver.peerUp?.(peer)
          },
          peerDown: (peer) => receiver.peerDown?.(peer),
          report: (report) => receiver.report?.(report),
        }),
    }
    const warp = await openWarpOn(
      { env, parts: ALL_PARTS },
      { keys: KEYS, channels: CHANNELS, transports: [overheard], observe: (event) => events.push(event) },
    )
    const place = { host, env, transport, warp, events, ups }
    this.places.push(place)
    return place
  }

  async openAll(options: Partial<MeshOptions> = {}): Promise<Place[]> {
    for (const host of HOSTS) await this.open(host, options)
    return this.places
  }

  /** Lets time pass until it holds; virtual seconds. */
  async until(holds: () => boolean | Promise<boolean>, secondsMax = 60): Promise<void> {
    for (let i = 0; i < secondsMax * 10; i++) {
      if (await holds()) return
      await this.env.advance(100)
    }
    expect(await holds()).toBe(true)
  }

  async close(): Promise<void> {
    const closing = Promise.all(this.places.map(({ warp }) => warp.close()))
    await this.env.advance(5000)
    await closing
  }
}

let cluster: Cluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

function started(settings: Omit<FakeMeshNetworkOptions, 'clock'> = {}): Cluster {
  cluster = new Cluster(settings)
  return cluster
}

async function isEverywhere(places: readonly Place[], key: `visits:${string}`, value: number): Promise<boolean> {
  const values = await Promise.all(places.map(({ warp }) => warp.get(key)))
  return values.every((one) => one === value)
}

function upCount({ warp }: Place): number {
  return warp.peers().filter(({ state }) => state === 'up').length
}

function isDown({ warp }: Place, host: string): boolean {
  return warp.peers().some(({ address, state }) => address.startsWith(`${host}:`) && state === 'down')
}

describe('three replicas', () => {
  test('converge over a network that loses a fifth, repeats and reorders', async () => {
    const world = started({ seed: 3, loss: 0.2, repeat: 0.1, reorder: 0.2, delayMs: 3, jitterMs: 3 })
    const places = await world.openAll()
    for (let round = 0; round < 50; round++) {
      for (const [i, { warp }] of places.entries()) {
        await warp.key('visits:home').increment(1)
        await warp.key('cart:1').add(`item ${round} of ${i}`)
        // Larger than a datagram: this goes by stream.
        if (round % 10 === 0) await warp.set('user:1', 'x'.repeat(3000) + `${round} of ${i}`)
      }
      await world.env.advance(20)
    }
    await world.until(() => isEverywhere(places, 'visits:home', 150))
    const [cart] = await Promise.all(places.map(async ({ warp }) => (await warp.get('cart:1'))?.size))
    expect(cart).toBe(150)
    const users = await Promise.all(places.map(({ warp }) => warp.get('user:1')))
    expect(new Set(users).size).toBe(1)
  })

  test('know their peers: state, zone, roles, round trip and clock', async () => {
    const world = started()
    const a = await world.open('10.0.0.1', { zone: 'east' })
    await world.open('10.0.0.2', { zone: 'west', roles: ['writer'] }, 400)
    await world.env.advance(10_000)
    expect(a.warp.peers()).toMatchObject([
      { transport: 'mesh', address: '10.0.0.2:7946', state: 'up', zone: 'west', roles: ['writer'], queuedBytes: 0 },
    ])
    const [peer] = a.warp.peers()
    expect(peer?.roundTripMs).toBeCloseTo(2, 0)
    expect(Math.abs((peer?.clockSkewMs ?? 0) - 400)).toBeLessThan(20)
    expect(a.events).toContainEqual(expect.objectContaining({ kind: 'peer:skewed', address: '10.0.0.2:7946' }))
    expect(a.transport.members()).toMatchObject([{ address: '10.0.0.2:7946', state: 'alive', zone: 'west' }])
  })

  test('find each other by multicast, without being told of anybody', async () => {
    const world = started({ loss: 0.2 })
    const places = await world.openAll({ peers: [], multicast: {} })
    await world.until(() => places.every((place) => upCount(place) === 2))
  })

  test('find each other through one that all know', async () => {
    const world = started()
    const places = await world.openAll({ peers: ['10.0.0.1'] })
    await world.until(() => places.every((place) => upCount(place) === 2))
  })

  test('go on without multicast where there is none, and say so', async () => {
    const world = started({ hasMulticast: false })
    const places = await world.openAll({ multicast: {} })
    await world.until(() => places.every((place) => upCount(place) === 2))
    expect(places[0]?.events).toContainEqual(expect.objectContaining({ kind: 'transport:degraded' }))
  })

  test('that are cut off count as down, and catch up when they are back', async () => {
    const world = started()
    const [a, b, c] = (await world.openAll()) as [Place, Place, Place]
    await world.until(() => upCount(a) === 2 && upCount(b) === 2 && upCount(c) === 2)
    world.network.cut('10.0.0.1', '10.0.0.3')
    world.network.cut('10.0.0.2', '10.0.0.3')
    await world.until(() => upCount(c) === 0 && isDown(a, '10.0.0.3') && isDown(b, '10.0.0.3'))
    expect(a.events).toContainEqual(expect.objectContaining({ kind: 'peer:suspect', address: '10.0.0.3:7946' }))
    expect(upCount(a)).toBe(1)
    for (let i = 0; i < 100; i++) await a.warp.key('visits:home').increment(1)
    await c.warp.key('visits:home').increment(1)
    world.network.heal()
    await world.until(() => isEverywhere([a, b, c], 'visits:home', 101), 15)
  })

  test('that know each other by hearsay only find each other again after a cut', async () => {
    const world = started()
    const [a, b, c] = (await world.openAll({ peers: ['10.0.0.1'] })) as [Place, Place, Place]
    await world.until(() => [a, b, c].every((place) => upCount(place) === 2))
    world.network.cut('10.0.0.2', '10.0.0.1')
    world.network.cut('10.0.0.2', '10.0.0.3')
    await world.until(() => isDown(c, '10.0.0.2') && isDown(b, '10.0.0.3'))
    // The one that both were told of stays away.
    world.network.crash('10.0.0.1')
    world.network.heal()
    await world.until(() => upCount(b) === 1 && upCount(c) === 1, 15)
  })

  test('of which one is silent for a moment do not greet it as one that came back', async () => {
    const world = started()
    const [a, b] = (await world.openAll()) as [Place, Place, Place]
    await world.until(() => upCount(a) === 2 && upCount(b) === 2)
    const isSuspect = (): boolean => a.warp.peers().some(({ state }) => state === 'suspect')
    world.network.cut('10.0.0.1', '10.0.0.2')
    world.network.cut('10.0.0.3', '10.0.0.2')
    await world.until(isSuspect)
    world.network.heal()
    await world.until(() => !isSuspect() && upCount(a) === 2)
    expect(a.ups.filter((address) => address === '10.0.0.2:7946')).toHaveLength(1)
  })

  test('of which one is started again at its address take it back at once', async () => {
    const world = started()
    const [a, b, c] = (await world.openAll()) as [Place, Place, Place]
    await world.until(() => upCount(a) === 2 && upCount(b) === 2 && upCount(c) === 2)
    await a.warp.key('visits:home').increment(5)
    world.network.crash('10.0.0.3')
    const again = await world.open('10.0.0.3')
    await world.until(() => isEverywhere([a, b, again], 'visits:home', 5), 5)
    await world.until(() => upCount(a) === 2 && upCount(again) === 2)
    expect(
      a.warp
        .peers()
        .map(({ address }) => address)
        .sort(),
    ).toEqual(['10.0.0.2:7946', '10.0.0.3:7946'])
  })

  test('hear a goodbye, and count nobody down for it twice', async () => {
    const world = started()
    const [a, b, c] = (await world.openAll()) as [Place, Place, Place]
    await world.until(() => upCount(a) === 2 && upCount(b) === 2)
    const closing = c.warp.close()
    await world.env.advance(1500)
    await closing
    expect(upCount(a)).toBe(1)
    const downs = a.events.filter(({ kind }) => kind === 'peer:down')
    expect(downs).toMatchObject([{ reason: 'transport', peer: { address: '10.0.0.3:7946' } }])
  })

  test('replace their cluster key while they run', async () => {
    const world = started()
    const places = await world.openAll()
    await world.until(() => places.every((place) => upCount(place) === 2))
    for (const step of [[KEY_TEXT, OTHER_KEY_TEXT], [OTHER_KEY_TEXT, KEY_TEXT], [OTHER_KEY_TEXT]]) {
      for (const { transport } of places) {
        transport.useKeys(step)
        await world.env.advance(300)
      }
    }
    await places[0]?.warp.key('visits:home').increment(1)
    await world.until(() => isEverywhere(places, 'visits:home', 1), 5)
    expect(places.flatMap(({ events }) => events).filter(({ kind }) => kind === 'peer:down')).toEqual([])
  })
})

describe('what goes wrong is told', () => {
  test('a peer with another key', async () => {
    const world = started()
    const a = await world.open('10.0.0.1')
    const b = await world.open('10.0.0.2', { clusterKey: OTHER_KEY_TEXT })
    await world.env.advance(10_000)
    for (const { events } of [a, b]) {
      expect(events).toContainEqual(
        expect.objectContaining({ kind: 'peer:refused', error: expect.objectContaining({ code: 'WARP_E_AUTH' }) }),
      )
      expect(events).toContainEqual(expect.objectContaining({ kind: 'peer:unreachable' }))
    }
    expect([upCount(a), upCount(b)]).toEqual([0, 0])
  })

  test('a port that is taken', async () => {
    const world = started()
    await world.open('10.0.0.1')
    await expect(world.open('10.0.0.1')).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
  })

  test('an address that is not this machine’s', async () => {
    const world = started()
    const opening = world.open('10.0.0.1', { network: world.network.machine('10.0.0.2') })
    await expect(opening).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
  })
})

describe('channels', () => {
  test('of a network that loses, repeats and reorders show each message once, in order, or a gap', async () => {
    const world = started({ seed: 5, loss: 0.1, repeat: 0.2, reorder: 0.2, delayMs: 3, jitterMs: 3 })
    const [a, b] = (await world.openAll()) as [Place, Place, Place]
    await world.until(() => upCount(a) === 2 && upCount(b) === 2)
    const heard = listen(b.warp.channel('chat:*').subscribe())
    const kept = listen(b.warp.channel('kept:1').subscribe())
    for (let i = 1; i <= 200; i++) {
      // Now and then larger than a datagram: that goes by stream.
      await a.warp.channel('chat:1').publish([i, i % 10 === 0 ? 'x'.repeat(3000) : ''])
      if (i % 20 === 0) await a.warp.channel('kept:1').publish(i)
      await world.env.advance(10)
    }
    await world.until(() => kept.shown.length === 10)
    await world.env.advance(70_000)
    let next = 1
    let missedCount = 0
    for (const news of heard.news) {
      if (news.kind === 'gap') {
        missedCount += news.missedCount as number
        next += news.missedCount as number
        continue
      }
      expect((news.payload as readonly [number])[0]).toBe(next++)
    }
    expect(next).toBe(201)
    expect(missedCount).toBeGreaterThan(0)
    expect(kept.shown).toEqual(Array.from({ length: 10 }, (_, i) => (i + 1) * 20))
  })
})
