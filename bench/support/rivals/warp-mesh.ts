/** Replicas of Warp in this process, on a mesh over loopback from which each can be cut off. */
import { setTimeout as pause } from 'node:timers/promises'
import { meshTransport } from '../../../adapters/mesh/index.ts'
import { nodeNetwork } from '../../../adapters/mesh/sockets/node-network.ts'
import { freePorts } from '../../../bin/demo/replicas/free-ports.ts'
import type { Warp } from '../../../adapters/node/index.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { Transport } from '../../../src/ports/transport.ts'
import { cutNetwork } from '../../../test/support/cut-network.ts'

export interface MeshReplica<Keys extends KeyMap> {
  readonly warp: Warp<Keys>
  cutOff(): void
  rejoin(): void
}

export interface MeshPlaces {
  /** How many replicas are opened here. */
  readonly count: number
  /** Of all replicas, where others are opened elsewhere; those of here come first. */
  readonly ports?: readonly number[]
}

/** Once all of them have met. `open` is given the transport, and which of them it is. */
export async function openOnMesh<Keys extends KeyMap>(
  { count, ports: given }: MeshPlaces,
  open: (transport: Transport, which: number) => Promise<Warp<Keys>>,
): Promise<MeshReplica<Keys>[]> {
  const ports = given ?? (await freePorts(count))
  const replicas = await Promise.all(
    ports.slice(0, count).map(async (port, which) => {
      const peers = ports.filter((other) => other !== port).map((other) => `127.0.0.1:${other}`)
      const { network, cut, heal } = cutNetwork(nodeNetwork())
      const mesh = meshTransport({ host: '127.0.0.1', port, peers, insecure: true, multicast: false, network })
      return { warp: await open(mesh, which), cutOff: cut, rejoin: heal }
    }),
  )
  for (const { warp } of replicas) {
    const seen = (): number =>
      warp.peers().filter(({ state, replica }) => state === 'up' && replica !== undefined).length
    while (ports.length > 1 && (!warp.stats().isJoined || seen() < ports.length - 1)) await pause(5)
  }
  return replicas
}
