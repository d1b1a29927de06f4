import { beforeEach, describe, expect, test } from 'vitest'
import { CANDIDATES_MAX } from '../../../adapters/mesh/discovery/candidates.ts'
import { addressOf } from '../../../adapters/mesh/contacts/contact.ts'
import {
  Discovery,
  type DiscoveryOptions,
  GREETINGS_PER_SECOND_MAX,
  HEARSAY_GREETINGS_PER_SECOND_MAX,
} from '../../../adapters/mesh/discovery/discovery.ts'
import type { Endpoint } from '../../../adapters/mesh/sockets/network.ts'
import type { TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

interface Greeting {
  readonly address: string
  readonly atMs: number
}

/** As in `Contacts`: how long a handshake takes that nobody answers. */
const HANDSHAKE_MS = 2000

let env: VirtualEnv
let network: FakeMeshNetwork
let greetings: Greeting[]
let known: Set<string>
let reports: TransportReport[]
let resolvedCount: number

beforeEach(() => {
  env = virtualEnv()
  network = new FakeMeshNetwork({ clock: env })
  ;[greetings, known, reports, resolvedCount] = [[], new Set(), [], 0]
})

async function discovery(options: Partial<DiscoveryOptions> = {}): Promise<Discovery> {
  const machine = network.machine('10.0.0.1')
  const underWay = new Set<string>()
  const made: Discovery = new Discovery({
    network: {
      ...machine,
      resolve: (host) => {
        resolvedCount++
        return machine.resolve(host)
      },
    },
    clock: env,
    peers: [],
    multicast: false,
    settings: { defaultPort: 7946, isLoopbackOnly: false },
    isKnown: (endpoint) => known.has(addressOf(endpoint)),
    greet: (endpoint) => {
      const address = addressOf(endpoint)
      if (underWay.has(address)) return
      underWay.add(address)
      greetings.push({ address, atMs: env.monotonic() })
      env.schedule(HANDSHAKE_MS, () => {
        underWay.delete(address)
        if (!known.has(address)) made.unanswered(endpoint)
      })
    },
    announce: () => undefined,
    announced: () => undefined,
    report: (report) => reports.push(report),
    ...options,
  })
  await made.start()
  await env.runUntilIdle()
  return made
}

function at(host: string, port = 7946): Endpoint {
  return { host, port }
}

function pauses(): number[] {
  return greetings.slice(1).map(({ atMs }, i) => Math.round(atMs - greetings[i]!.atMs - HANDSHAKE_MS))
}

const addresses = (): string[] => [...new Set(greetings.map(({ address }) => address))].sort()

describe('static peers', () => {
  test('are greeted at once, then backing off up to five seconds with jitter, for ever', async () => {
    await discovery({ peers: ['10.0.0.2'] })
    await env.advance(600_000)
    expect(greetings[0]).toEqual({ address: '10.0.0.2:7946', atMs: 50 })
    const nominalMs = [250, 500, 1000, 2000, 4000, 5000, 5000]
    for (const [i, ms] of nominalMs.entries()) {
      expect(pauses()[i]).toBeGreaterThanOrEqual(ms * 0.8)
      expect(pauses()[i]).toBeLessThanOrEqual(ms * 1.2 + 50)
    }
    expect(new Set(pauses()).size).toBeGreaterThan(10)
    expect(greetings.at(-1)?.atMs).toBeGreaterThan(590_000)
  })

  test('names are resolved to all their addresses, again every half minute, and what a name lost is let go', async () => {
    network.names.set('cache.local', ['10.0.0.2', '10.0.0.3'])
    await discovery({ peers: ['cache.local:9000'] })
    await env.advance(1000)
    expect(addresses()).toEqual(['10.0.0.2:9000', '10.0.0.3:9000'])
    network.names.set('cache.local', ['10.0.0.3', '10.0.0.4'])
    await env.advance(150_000)
    greetings.length = 0
    await env.advance(20_000)
    expect(addresses()).toEqual(['10.0.0.3:9000', '10.0.0.4:9000'])
    expect(resolvedCount).toBeLessThan(8)
  })

  test('a name that cannot be resolved for the moment keeps its addresses', async () => {
    network.names.set('cache.local', ['10.0.0.2'])
    await discovery({ peers: ['cache.local'] })
    await env.advance(1000)
    network.names.delete('cache.local')
    await env.advance(300_000)
    greetings.length = 0
    await env.advance(20_000)
    expect(addresses()).toEqual(['10.0.0.2:7946'])
  })

  test('a name that gets an address later is found within two seconds of it', async () => {
    await discovery({ peers: ['late.local'] })
    await env.advance(60_000)
    network.names.set('late.local', ['10.0.0.9'])
    await env.advance(2100)
    expect(addresses()).toEqual(['10.0.0.9:7946'])
  })

  test('are left alone while they are known', async () => {
    known.add('10.0.0.2:7946')
    await discovery({ peers: ['10.0.0.2', '[2001:db8::1]:80'] })
    await env.advance(60_000)
    expect(addresses()).toEqual(['[2001:db8::1]:80'])
  })

  test('one that does not answer for five seconds is reported once, until it does', async () => {
    await discovery({ peers: ['10.0.0.2'] })
    await env.advance(4900)
    expect(reports).toEqual([])
    await env.advance(60_000)
    known.add('10.0.0.2:7946')
    await env.advance(2000)
    known.clear()
    await env.advance(60_000)
    expect(reports.map(({ kind }) => kind)).toEqual(['peer:unreachable', 'peer:unreachable'])
    expect(reports[0]).toMatchObject({ address: '10.0.0.2', error: { code: 'WARP_E_TRANSPORT' } })
    expect(String(reports[0]?.kind === 'peer:unreachable' && reports[0].error.message)).toMatch(/port 7946.*clusterKey/)
  })

  test('a name without an address is reported as such', async () => {
    await discovery({ peers: ['nowhere.local'] })
    await env.advance(10_000)
    expect(reports).toHaveLength(1)
    expect(reports[0]).toMatchObject({
      error: { message: expect.stringMatching(/nowhere\.local has no address/) as string },
    })
  })

  test('a name of which one address answers is not reported', async () => {
    network.names.set('cache.local', ['10.0.0.2', '10.0.0.3'])
    known.add('10.0.0.3:7946')
    await discovery({ peers: ['cache.local'] })
    await env.advance(60_000)
    expect(reports).toEqual([])
  })
})

describe('members that went down', () => {
  test('are greeted about every second for a minute, then every five, for an hour', async () => {
    const made = await discovery()
    made.down(at('10.0.0.2'))
    await env.advance(60_000)
    expect(Math.max(...pauses())).toBeLessThanOrEqual(650)
    const quickCount = greetings.length
    expect(quickCount).toBeGreaterThan(20)
    await env.advance(3_600_000)
    expect(Math.max(...pauses())).toBeLessThanOrEqual(6050)
    expect(made.candidateCount).toBe(0)
    greetings.length = 0
    await env.advance(60_000)
    expect(greetings).toEqual([])
  })

  test('are forgotten once they are known again', async () => {
    const made = await discovery()
    made.down(at('10.0.0.2'))
    known.add('10.0.0.2:7946')
    await env.advance(5000)
    expect(made.candidateCount).toBe(0)
    expect(greetings).toEqual([])
  })

  test('a static one stays one', async () => {
    const made = await discovery({ peers: ['10.0.0.2'] })
    made.down(at('10.0.0.2'))
    await env.advance(2 * 3_600_000)
    greetings.length = 0
    await env.advance(60_000)
    expect(greetings.length).toBeGreaterThan(5)
  })
})

describe('hearsay', () => {
  test('is followed for a minute after it was last said', async () => {
    const made = await discovery()
    made.introduced(at('10.0.0.2'))
    await env.advance(40_000)
    made.introduced(at('10.0.0.2'))
    await env.advance(40_000)
    expect(made.candidateCount).toBe(1)
    await env.advance(25_000)
    expect(made.candidateCount).toBe(0)
  })

  test('brings a long pause to an end, but not more than once a second', async () => {
    const made = await discovery()
    made.down(at('10.0.0.2'))
    await env.advance(600_000)
    greetings.length = 0
    for (let i = 0; i < 1000; i++) {
      made.introduced(at('10.0.0.2'))
      await env.advance(10)
    }
    expect(greetings.length).toBeGreaterThanOrEqual(4)
    expect(greetings.length).toBeLessThanOrEqual(10)
  })

  test.each(['0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'ff02::1', 'example.org'])(
    '%s is nobody',
    async (host) => {
      const made = await discovery()
      made.introduced(at(host))
      made.down(at(host))
      expect(made.candidateCount).toBe(0)
    },
  )

  test('without a key only this machine is believed to have peers', async () => {
    const made = await discovery({ settings: { defaultPort: 7946, isLoopbackOnly: true } })
    for (const host of ['127.0.0.1', '::1', '10.0.0.2', '::ffff:10.0.0.2']) made.introduced(at(host))
    await env.advance(1000)
    expect(addresses()).toEqual(['127.0.0.1:7946', '[::1]:7946'])
  })

  test('nothing is resolved because of what arrives', async () => {
    const made = await discovery()
    for (let i = 0; i < 100; i++) made.introduced(at(`10.0.1.${i}`))
    await env.advance(60_000)
    expect(resolvedCount).toBe(0)
  })

  test('a flood of lies is bounded in number and rate, and what we know ourselves comes first', async () => {
    const made = await discovery({ peers: ['10.9.9.9'] })
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 2000; i++) made.introduced(at(`10.${second % 250}.${i >> 8}.${i & 255}`, 1000 + second))
      if (second === 20) made.down(at('10.8.8.8'))
      await env.advance(1000)
      expect(made.candidateCount).toBeLessThanOrEqual(CANDIDATES_MAX)
    }
    expect(greetings.length / 60).toBeLessThan(HEARSAY_GREETINGS_PER_SECOND_MAX + 5)
    for (const address of ['10.9.9.9:7946', '10.8.8.8:7946'])
      expect(greetings.filter((greeting) => greeting.address === address).length).toBeGreaterThan(10)
  })

  test('among lies a true address gets its turn', async () => {
    const made = await discovery()
    for (let i = 0; i < 2000; i++) made.introduced(at(`10.1.${i >> 8}.${i & 255}`))
    await env.advance(20_000)
    made.introduced(at('10.2.2.2'))
    await env.advance(20_000)
    expect(addresses()).toContain('10.2.2.2:7946')
  })
})

describe('rates', () => {
  test('a thousand members that go down at once are greeted at a bounded rate, and all of them', async () => {
    const made = await discovery()
    for (let i = 0; i < 1000; i++) made.down(at(`10.1.${i >> 8}.${i & 255}`))
    await env.advance(20_000)
    expect(greetings.length).toBeLessThanOrEqual(GREETINGS_PER_SECOND_MAX * 21)
    expect(addresses()).toHaveLength(1000)
  })

  test('once closed nothing is greeted any more', async () => {
    const made = await discovery({ peers: ['10.0.0.2'] })
    await made.close()
    made.introduced(at('10.0.0.3'))
    made.down(at('10.0.0.3'))
    greetings.length = 0
    await env.advance(60_000)
    expect(greetings).toEqual([])
    expect(env.timerCount).toBe(0)
  })
})
