/** The whole mesh, over real sockets on loopback and over a network that loses, repeats and reorders. */
import { describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { meshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import { nodeNetwork } from '../../../adapters/mesh/node-network.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { virtualEnv } from '../../support/virtual-env.ts'

const KEY = '4f5d0c2b9a8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a392817065544'

describe('over sockets', async () => {
  const ports = await freePorts(3)
  transportSuite({
    test,
    create: () => ({
      transports: ports.map((port) =>
        meshTransport({
          port,
          peers: ports.map(String).map((p) => `127.0.0.1:${p}`),
          clusterKey: KEY,
          multicast: false,
        }),
      ),
    }),
  })
})

describe('over a network that loses a fifth, repeats and reorders', () => {
  transportSuite({
    test,
    create: () => {
      const env = virtualEnv({ seed: 5 })
      const network = new FakeMeshNetwork({ clock: env, seed: 5, loss: 0.2, repeat: 0.1, reorder: 0.2, delayMs: 2 })
      const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
      return {
        transports: hosts.map((host) =>
          meshTransport({
            ...{ host, peers: hosts, clusterKey: KEY, multicast: false, network: network.machine(host) },
            clock: env.fork({ label: host }),
          }),
        ),
        settle: () => env.advance(50),
      }
    },
  })
})

async function freePorts(count: number): Promise<number[]> {
  const network = nodeNetwork()
  const ports = await Promise.all(
    Array.from({ length: count }, () => network.bind({ host: '127.0.0.1', port: 0 }, () => undefined)),
  )
  await Promise.all(ports.map((port) => port.close()))
  return ports.map(({ local }) => local.port)
}
expect(KEY).toHaveLength(64)
