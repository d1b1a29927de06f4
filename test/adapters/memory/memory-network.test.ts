import { describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { type MemoryNetworkOptions, memoryNetwork } from '../../../adapters/memory/memory-network.ts'
import type { TransportLink } from '../../../src/ports/transport.ts'
import type { MemoryNetwork } from '../../../src/ports/memory-network/memory-network.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

describe('the memory network in virtual time', () => {
  const names = ['a', 'b', 'c', 'd']
  for (const [kind, faults] of Object.entries({
    flawless: {},
    bad: { delayMs: 3, loss: 0.5, repeat: 0.3, reorder: 0.3 },
  })) {
    describe(kind, () => {
      transportSuite({
        test,
        create: (count) => {
          const env = virtualEnv()
          const network = memoryNetwork({ env, ...faults })
          const transports = names.slice(0, count).map((name) => network.transport(name))
          return { transports, settle: () => env.advance(50) }
        },
      })
    })
  }
})

describe('the memory network in real time', () => {
  transportSuite({
    test,
    create: (count) => {
      const network = memoryNetwork({ delayMs: 1 })
      const transports = ['a', 'b', 'c', 'd'].slice(0, count).map((name) => network.transport(name))
      return { transports, settle: () => network.idle() }
    },
  })
})

interface World {
  readonly env: VirtualEnv
  readonly network: MemoryNetwork
  readonly a: TransportLink
  readonly b: TransportLink
  /** First bytes of what b received, with the time. */
  readonly received: { readonly mark: number | undefined; readonly atMs: number }[]
  readonly ups: string[]
  readonly downs: string[]
}

async function world(options: MemoryNetworkOptions = {}): Promise<World> {
  const env = virtualEnv()
  const network = memoryNetwork({ env, ...options })
  const [received, ups, downs]: [World['received'], string[], string[]] = [[], [], []]
  const a = await network.transport('a').open({ receive: () => undefined })
  const b = await network.transport('b').open({
    receive: (_, bytes) => received.push({ mark: bytes[0], atMs: env.monotonic() }),
    peerUp: (peer) => ups.push(peer),
    peerDown: (peer) => downs.push(peer),
  })
  await env.runUntilIdle()
  return { env, network, a, b, received, ups, downs }
}

const marks = ({ received }: World): (number | undefined)[] => received.map(({ mark }) => mark)

describe('links', () => {
  test('delay holds frames back and keeps their order under jitter', async () => {
    const w = await world({ delayMs: 10, jitterMs: 50 })
    for (let i = 0; i < 20; i++) w.a.broadcast(Uint8Array.of(i))
    await w.env.advance(9)
    expect(w.received).toEqual([])
    await w.env.advance(60)
    expect(marks(w)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  test('a frame that is held up is overtaken', async () => {
    const w = await world({ reorder: 0.3, delayMs: 5 })
    for (let i = 0; i < 50; i++) w.a.broadcast(Uint8Array.of(i))
    await w.env.advance(100)
    expect(marks(w)).not.toEqual([...marks(w)].sort((x, y) => Number(x) - Number(y)))
    expect(new Set(marks(w)).size).toBe(50)
  })

  test('loss and repetition come close to their shares', async () => {
    const w = await world({ loss: 0.3, repeat: 0.5 })
    for (let i = 0; i < 2000; i++) w.a.broadcast(Uint8Array.of(1))
    await w.env.advance(100)
    const { lostFrames, repeatedFrames } = w.network.stats()
    expect(lostFrames / 2000).toBeCloseTo(0.3, 1)
    expect(repeatedFrames / (2000 - lostFrames)).toBeCloseTo(0.5, 1)
  })

  test('bandwidth makes frames wait for one another', async () => {
    const w = await world({ bandwidth: 1000 })
    for (let i = 0; i < 3; i++) w.a.broadcast(new Uint8Array(100))
    await w.env.advance(1000)
    expect(w.received.map(({ atMs }) => atMs)).toEqual([100, 200, 300])
  })

  test('one link can differ from the others', async () => {
    const w = await world()
    w.network.link('a', 'b', { oneWay: true }).set({ loss: 1 })
    w.a.broadcast(Uint8Array.of(1))
    await w.env.runUntilIdle()
    expect(w.received).toEqual([])
    expect(() => w.network.link('a', 'b').set({ loss: 2 })).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  })

  test('a full queue drops the frame, says so and counts it', async () => {
    const w = await world({ delayMs: 1000, queueBytesMax: 1000 })
    const sent = Array.from({ length: 12 }, () => w.a.send('b', new Uint8Array(100)))
    expect(sent).toEqual([...new Array<boolean>(10).fill(true), false, false])
    expect(w.network.stats()).toMatchObject({ droppedFrames: 2, queuedBytes: 1000 })
    await w.env.advance(1000)
    expect(w.received).toHaveLength(10)
  })
})

describe('cuts', () => {
  test('a cut swallows what is sent and what is under way, one way only if asked', async () => {
    const w = await world({ delayMs: 10 })
    w.b.broadcast(Uint8Array.of(1))
    w.a.broadcast(Uint8Array.of(1))
    w.network.cut('a', 'b', { oneWay: true })
    w.a.broadcast(Uint8Array.of(2))
    await w.env.advance(100)
    expect(w.received).toEqual([])
    expect(w.network.stats()).toMatchObject({ cutFrames: 2, deliveredFrames: 1 })
  })

  test('healing brings frames through again and tells the ends', async () => {
    const w = await world()
    w.network.partition([['a'], ['b', 'c']])
    expect(w.ups).toEqual(['a'])
    w.network.heal()
    expect(w.ups).toEqual(['a', 'a'])
    w.a.broadcast(Uint8Array.of(3))
    await w.env.runUntilIdle()
    expect(marks(w)).toEqual([3])
  })

  test('closing tells the others, and the name is free again', async () => {
    const w = await world()
    await expect(w.network.transport('a').open({ receive: () => undefined })).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
    await w.a.close()
    expect(w.downs).toEqual(['a'])
    await w.network.transport('a').open({ receive: () => undefined })
    await w.env.runUntilIdle()
    expect(w.ups).toEqual(['a', 'a'])
  })
})

test('one seed gives one run', async () => {
  const run = async (seed: number): Promise<unknown> => {
    const w = await world({ seed, loss: 0.3, reorder: 0.3, jitterMs: 9 })
    for (let i = 0; i < 100; i++) w.a.broadcast(Uint8Array.of(i))
    await w.env.advance(100)
    return w.received
  }
  expect(await run(5)).toEqual(await run(5))
  expect(await run(5)).not.toEqual(await run(6))
})
