/** Node's sockets behind the mesh's port: addresses, streams, refusals. */
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { ByteStream, Endpoint, StreamHandlers } from '../../../adapters/mesh/sockets/network.ts'
import { nodeNetwork } from '../../../adapters/mesh/sockets/node-network.ts'

const network = nodeNetwork()
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
const nothing = (): void => undefined

interface Arrival {
  readonly from: Endpoint
  readonly text: string
}

/** Sends until it has come: UDP may lose even on loopback. */
async function firstArrival(from: string, to: string): Promise<{ arrival: Arrival; sender: Endpoint }> {
  let arrived: (arrival: Arrival) => void = nothing
  const arrival = new Promise<Arrival>((resolve) => {
    arrived = resolve
  })
  const receiver = await network.bind({ host: to, port: 0 }, (source, bytes) =>
    arrived({ from: source, text: Buffer.from(bytes).toString() }),
  )
  const sender = await network.bind({ host: from, port: 0 }, nothing)
  const target = { host: to === '::' ? '127.0.0.1' : to, port: receiver.local.port }
  const timer = setInterval(() => sender.send(target, Buffer.from('hello')), 5)
  const result = { arrival: await arrival, sender: sender.local }
  clearInterval(timer)
  await Promise.all([receiver.close(), sender.close(), sender.close()])
  return result
}

describe('datagrams', () => {
  test('come with the address of their sender', async () => {
    const { arrival, sender } = await firstArrival('127.0.0.1', '127.0.0.1')
    expect(arrival).toEqual({ from: sender, text: 'hello' })
  })

  test.skipIf(!hasIpv6)('of IPv4 come as such to a socket for both families', async () => {
    const { arrival } = await firstArrival('127.0.0.1', '::')
    expect(arrival.from.host).toBe('127.0.0.1')
  })

  test.skipIf(!hasIpv6)('go from a socket for both families to IPv4', async () => {
    const { arrival } = await firstArrival('::', '127.0.0.1')
    expect(arrival.from.host).toBe('127.0.0.1')
  })

  test.skipIf(!hasIpv6)('of IPv6 come with their address', async () => {
    const { arrival } = await firstArrival('::1', '::1')
    expect(arrival.from.host).toBe('::1')
  })

  test('to where they cannot go are lost, and nothing is thrown', async () => {
    const port = await network.bind({ host: '127.0.0.1', port: 0 }, nothing)
    for (const to of ['::1', '203.0.113.1', '127.0.0.1']) port.send({ host: to, port: 9 }, Buffer.from('x'))
    await port.close()
    port.send({ host: '127.0.0.1', port: 9 }, Buffer.from('x'))
    expect(port.queuedBytes).toBe(0)
  })
})

describe('a port', () => {
  test('that is taken is refused, for datagrams and for streams', async () => {
    const udp = await network.bind({ host: '127.0.0.1', port: 0 }, nothing)
    const tcp = await network.listen({ host: '127.0.0.1', port: 0 }, () => undefined)
    for (const again of [network.bind(udp.local, nothing), network.listen(tcp.local, () => undefined)]) {
      await expect(again).rejects.toMatchObject({
        code: 'WARP_E_TRANSPORT',
        message: expect.stringContaining('taken by another process') as string,
      })
    }
    await Promise.all([udp.close(), tcp.close()])
  })

  test('of an address that is not ours is refused', async () => {
    const bound = network.bind({ host: '203.0.113.1', port: 0 }, nothing)
    await expect(bound).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
  })
})

test('names are resolved to addresses, literals to themselves, and nonsense is refused', async () => {
  expect(await network.resolve('localhost')).toSatisfy((list: string[]) => list.some((one) => /^(127\.|::1)/.test(one)))
  expect(await network.resolve('10.1.2.3')).toEqual(['10.1.2.3'])
  expect(await network.resolve('fe80::1')).toEqual(['fe80::1'])
  await expect(network.resolve('no-such-name.invalid')).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
})

describe('a stream', () => {
  test('carries bytes both ways, tells when all is handed over, and of its end', async () => {
    const received: Buffer[] = []
    let drained = 0
    const accepted: ByteStream[] = []
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
      accepted.push(stream)
      return { onBytes: (bytes) => stream.write([bytes]), onClose: nothing }
    })
    await new Promise<void>((resolve) => {
      const handlers: StreamHandlers = {
        onOpen: () => stream.write([Buffer.from('he'), Buffer.from('llo')]),
        onBytes: (bytes) => {
          received.push(Buffer.from(bytes))
          if (Buffer.concat(received).length === 5) stream.end()
        },
        onDrain: () => void drained++,
        onClose: () => resolve(),
      }
      const stream = network.connect(listener.local, '127.0.0.1', handlers)
    })
    expect(Buffer.concat(received).toString()).toBe('hello')
    expect(drained).toBe(1)
    expect(accepted[0]?.remote.host).toBe('127.0.0.1')
    await listener.close()
  })

  test('that is not wanted is ended, and nobody there is an error', async () => {
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, () => undefined)
    const ended = (to: Endpoint): Promise<Error | undefined> =>
      new Promise((resolve) => network.connect(to, '0.0.0.0', { onBytes: nothing, onClose: resolve }))
    await ended(listener.local)
    await listener.close()
    expect(await ended(listener.local)).toMatchObject({ code: 'ECONNREFUSED' })
  })
})
