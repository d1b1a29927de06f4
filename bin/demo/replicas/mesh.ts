/**
 * The mesh as the demo uses it: processes of this machine that are told each other's addresses.
 * Failures are looked for five times a second instead of once, so that there is something to see
 * within seconds; everything else is as it is by default.
 */
import { meshTransport } from '../../../adapters/mesh/index.ts'
import type { MeshNetwork } from '../../../adapters/mesh/sockets/network.ts'
import type { Transport } from '../../../adapters/node/index.ts'
import type { MeshPlace } from './replica-calls.ts'

const PROBE_INTERVAL_MS = 200

export function demoMesh({ port, peers, clusterKey }: MeshPlace, network?: MeshNetwork): Transport {
  const options = { port, peers, clusterKey, multicast: false, probeIntervalMs: PROBE_INTERVAL_MS } as const
  return meshTransport(network === undefined ? options : { ...options, network })
}
