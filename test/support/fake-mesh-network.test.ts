import { describe, expect, test } from 'vitest'
import type { ByteStream, Endpoint } from '../../adapters/mesh/sockets/network.ts'
import { FakeMeshNetwork, type FakeMeshNetworkOptions } from './fake-mesh-network.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'

const A: Endpoint = { host: '10.0.0.1', port: 1 }
const B: Endpoint = { host: '10.0.0.2', port: 2 }

function world(settings: Omit<FakeMeshNetworkOptions, 'clock'> = {}): { env: VirtualEnv; network: FakeMeshNetwork } {
  const env = virtualEnv()
  return { env, network: new FakeMeshNetwork({ clock: env, delayMs: 1, ...settings }) }
}

/** What B receives of 1,000 numbered datagrams of A. */
async function sendMany(settings: Omit<FakeMeshNetworkOptions, 'clock'>): Promise<number[]> {
  const { env, network } = world(settings)
  const received: number[] = []
  await network.machine(B.host).bind(B, (_, bytes) => received.push(bytes[0]! * 256 + bytes[1]!))
  const port = await network.machine(A.host).bind(A, () => undefined)
  for (let i = 0; i < 1000; i++) {
    port.send(B, Uint8Array.of(i >> 8, i & 255))
    await env.advance(1)
  }
  await env.advance(1000)
  return received
}

describe('datagrams', () => {
  test('arrive once and in order unless told otherwise', async () => {
    expect(await sendMany({})).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  })

  test('are lost, repeated and overtaken as told, the same ones for the same seed', async () => {
    const settings = { seed: 7, loss: 0.2, repeat: 0.1, reorder: 0.1 }
    const received = await sendMany(settings)
    expect(new Set(received).size).toBeGreaterThan(750)
    expect(new Set(received).size).toBeLessThan(850)
    expect(received.length - new Set(received).size).toBeGreaterThan(50)
    expect(received.some((number, i) => number < (received[i - 1] ?? 0))).toBe(true)
    expect(await sendMany(settings)).toEqual(received)
    expect(await sendMany({ ...settings, seed: 8 })).not.toEqual(received)
  })

  test('do not pass a cut, and do after it is healed', async () => {
    const { env, network } = world()
    let received = 0
    await network.machine(B.host).bind(B, () => received++)
    const port = await network.machine(A.host).bind(A, () => undefined)
    network.cut(A.host, B.host)
    port.send(B, Uint8Array.of(1))
    await env.advance(10)
    network.heal()
    port.send(B, Uint8Array.of(1))
    await env.advance(10)
    expect(received).toBe(1)
  })
})

describe('streams', () => {
  async function connected(): Promise<{
    env: VirtualEnv
    network: FakeMeshNetwork
    stream: ByteStream
    accepted: ByteStream
    received: number[]
    closed: string[]
  }> {
    const { env, network } = world()
    const received: number[] = []
    const closed: string[] = []
    let accepted: ByteStream | undefined
    await network.machine(B.host).listen(B, (stream) => {
      accepted = stream
      return {
        onBytes: (bytes) => received.push(...bytes),
        onClose: (error) => closed.push(`b ${error?.message ?? ''}`),
      }
    })
    const handlers = { onBytes: () => undefined, onClose: (error?: Error) => closed.push(`a ${error?.message ?? ''}`) }
    const stream = network.machine(A.host).connect(B, A.host, handlers)
    await env.advance(10)
    if (accepted === undefined) throw new Error('not accepted')
    return { env, network, stream, accepted, received, closed }
  }

  test('keep their order, over a cut too', async () => {
    const { env, network, stream, received } = await connected()
    stream.write([Uint8Array.of(1), Uint8Array.of(2)])
    await env.advance(5)
    network.cut(A.host, B.host)
    stream.write([Uint8Array.of(3)])
    await env.advance(100)
    expect(received).toEqual([1, 2])
    network.heal()
    stream.write([Uint8Array.of(4)])
    await env.advance(10)
    expect(received).toEqual([1, 2, 3, 4])
  })

  test('push back when the reader pauses', async () => {
    const { env, stream, accepted, received } = await connected()
    accepted.pause()
    for (let i = 0; i < 64; i++) stream.write([new Uint8Array(16 * 1024)])
    await env.advance(100)
    expect([received.length, stream.queuedBytes > 512 * 1024]).toEqual([0, true])
    accepted.resume()
    await env.advance(100)
    expect([received.length, stream.queuedBytes]).toEqual([1024 * 1024, 0])
  })

  test('end for both, each is told once, and a crash is a reset to the other end only', async () => {
    const ended = await connected()
    ended.stream.write([Uint8Array.of(9)])
    ended.stream.end()
    await ended.env.advance(10)
    expect([ended.received, ended.closed.sort()]).toEqual([[9], ['a ', 'b ']])
    const crashed = await connected()
    crashed.network.crash(A.host)
    await crashed.env.advance(10)
    expect(crashed.closed).toEqual(['b connection reset'])
    expect(crashed.network.streams.endCount).toBe(0)
  })
})
