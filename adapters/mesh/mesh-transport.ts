/** `meshTransport`: the options, checked, and the mesh that is opened with them. */
import type { Transport } from '../../src/index.ts'
import { type ClusterKeyInput, clusterKeys } from './handshake/cluster-keys.ts'
import { WarpError } from '../../src/index.ts'
import { Mesh } from './mesh.ts'
import type { MeshMember } from './membership/mesh-member.ts'
import { type MeshOptions, meshSettings } from './options.ts'

export interface MeshTransport extends Transport {
  /** Where it listens; `undefined` before it has been opened. */
  readonly address: string | undefined
  /** Everybody who has been met and is not forgotten, oneself excluded. */
  members(): readonly MeshMember[]
  /**
   * Replaces the cluster's keys while everybody runs. In three steps, each on all members before
   * the next one begins: the old key first and the new one accepted, `[old, new]`; the new one
   * first, `[new, old]`; the new one alone, `[new]`. Sessions of a key that is no longer accepted
   * end at once. Throws `WARP_E_AUTH`.
   */
  useKeys(keys: ClusterKeyInput | readonly ClusterKeyInput[]): void
}

/**
 * A mesh of replicas over UDP and TCP that needs nobody else: members find each other by multicast
 * or by their addresses, prove themselves by the cluster key, and watch each other. Small frames go
 * by datagram, large ones by stream.
 *
 * ```ts
 * meshTransport({ host: '10.0.0.1', peers: ['10.0.0.2'], clusterKey: process.env.WARP_KEY })
 * ```
 * Throws `WARP_E_CONFIG` and `WARP_E_AUTH`; `open` rejects with `WARP_E_TRANSPORT` if the port is
 * taken.
 */
export function meshTransport(options: MeshOptions): MeshTransport {
  const settings = meshSettings(options)
  let { keys } = settings
  let mesh: Mesh | undefined
  return {
    kind: 'broadcast',
    name: settings.name,
    open: async (receiver) => {
      mesh = new Mesh({ ...settings, keys }, receiver)
      await mesh.open()
      return mesh
    },
    get address() {
      return mesh?.address
    },
    members: () => mesh?.members() ?? [],
    useKeys: (next) => {
      if (keys.isInsecure) {
        throw new WarpError('WARP_E_AUTH', 'mesh: this mesh runs without a key; open it again with a clusterKey')
      }
      keys = clusterKeys(next, settings.cluster)
      mesh?.useKeys(keys)
    },
  }
}
