import { expect, test } from 'vitest'
import type { Endpoint, StreamHandlers } from '../../adapters/mesh/sockets/network.ts'
import { CuttableNetwork } from '../../bin/demo/replicas/cuttable-network.ts'
import { FakeMeshNetwork } from '../support/fake-mesh-network.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const HERE: Endpoint = { host: '10.0.0.1', port: 7946 }
const THERE: Endpoint = { host: '10.0.0.2', port: 7946 }

/** One machine whose network can be cut, another one, and what each has received: numbers, and ends of streams. */
async function machines() {
  const env = virtualEnv()
  const network = new FakeMeshNetwork({ clock: env })
  const here = new CuttableNetwork(network.machine(HERE.host))
  const there = network.machine(THERE.host)
  const received = { here: [] as number[], there: [] as number[], ends: [] as string[] }
  const portHere = await here.bind(HERE, (_, bytes) => received.here.push(bytes[0] ?? -1))
  const portThere = await there.bind(THERE, (_, bytes) => received.there.push(bytes[0] ?? -1))
  const handlers = (who: 'here' | 'there'): StreamHandlers => ({
    onBytes: (bytes) => void received[who].push(bytes[0] ?? -1),
    onClose: () => received.ends.push(who),
  })
  await here.listen(HERE, () => handlers('here'))
  await there.listen(THERE, () => handlers('there'))
  const exchange = async (number: number): Promise<void> => {
    portHere.send(THERE, Uint8Array.of(number))
    portThere.send(HERE, Uint8Array.of(number))
    await env.advance(10)
  }
  return { env, here, there, handlers, received, exchange }
}

test('while it is cut, datagrams vanish in both directions', async () => {
  const { here, received, exchange } = await machines()
  await exchange(1)
  here.cut()
  await exchange(2)
  here.heal()
  await exchange(3)
  expect(received).toMatchObject({ here: [1, 3], there: [1, 3] })
})

test('a cut breaks the streams of both sides', async () => {
  const { env, here, there, handlers, received } = await machines()
  here.connect(THERE, HERE.host, handlers('here')).write([Uint8Array.of(1)])
  there.connect(HERE, THERE.host, handlers('there')).write([Uint8Array.of(2)])
  await env.advance(10)
  expect(received).toMatchObject({ here: [2], there: [1], ends: [] })
  here.cut()
  await env.advance(10)
  expect(received.ends.toSorted()).toEqual(['here', 'here', 'there', 'there'])
})

test('while it is cut, no stream comes about', async () => {
  const { env, here, there, handlers, received } = await machines()
  here.cut()
  here.connect(THERE, HERE.host, handlers('here')).write([Uint8Array.of(1)])
  there.connect(HERE, THERE.host, handlers('there')).write([Uint8Array.of(2)])
  await env.advance(10)
  expect(received).toMatchObject({ here: [], there: [] })
  expect(received.ends).toContain('here')
  expect(received.ends).toContain('there')
})
