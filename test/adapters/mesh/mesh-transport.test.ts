/** The whole mesh as a transport, over sockets on loopback and over a network that loses, repeats and reorders. */
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { meshTransport, type MeshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import type { TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { freePort } from '../../support/free-port.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'
import { KEY_TEXT } from './contact-fixture.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
const loopbacks = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']

describe.each(loopbacks)('over sockets of %s', (host) => {
  transportSuite({
    test,
    create: async (count) => {
      const ports = await Promise.all(Array.from({ length: count }, freePort))
      const peers = ports.map((port) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
      return {
        transports: ports.map((port) => meshTransport({ host, port, peers, clusterKey: KEY_TEXT, multicast: false })),
      }
    },
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
            ...{ host, peers: hosts, clusterKey: KEY_TEXT, multicast: false, network: network.machine(host) },
            clock: env.fork({ label: host }),
          }),
        ),
        settle: () => env.advance(50),
      }
    },
  })
})

describe('on loopback', () => {
  test('two meshes without a key and without peers find each other by multicast, or say that there is none', async () => {
    const reports: TransportReport[] = []
    const met: string[] = []
    const multicast = { port: await freePort() }
    const transports = [0, 0].map((port) => meshTransport({ port, multicast, insecure: true }))
    const links = await Promise.all(
      transports.map((transport) =>
        transport.open({
          receive: () => undefined,
          peerUp: (peer) => void met.push(peer),
          report: (report) => void reports.push(report),
        }),
      ),
    )
    const isDecided = (): boolean => met.length === 2 || reports.some(({ kind }) => kind === 'transport:degraded')
    await expect.poll(isDecided, { timeout: 10_000 }).toBe(true)
    if (met.length === 2) expect(met.sort()).toEqual(addressesOf(transports))
    await Promise.all(links.map((link) => link.close()))
  })

  test('a port that is taken is an error with the port in it, and leaves nothing open', async () => {
    const port = await freePort()
    const open = (): Promise<unknown> =>
      meshTransport({ port, multicast: false, clusterKey: KEY_TEXT }).open({ receive: () => undefined })
    const first = (await open()) as { close(): Promise<void> }
    await expect(open()).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    await first.close()
    const second = (await open()) as { close(): Promise<void> }
    await second.close()
  })
})

function addressesOf(transports: readonly MeshTransport[]): (string | undefined)[] {
  return transports.map(({ address }) => address).sort()
}
