/** Replicas in several processes, on one machine or many, without a broker. */
import { optionNames, requireOptions } from '../../crdt/checked-options.ts'
import { type KeyMap, WarpError, type WarpOptions } from '../../src/index.ts'
import { type ClusterKeyInput, type MeshOptions, type MeshTransport, meshTransport } from '../mesh/index.ts'
import { type PresetDefaults, commonOptions, PRESET_OPTIONS, type PresetOptions } from './common.ts'

export interface MeshPresetOptions<K extends KeyMap>
  extends PresetOptions<K>, Pick<MeshOptions, 'host' | 'port' | 'peers' | 'multicast' | 'cluster'> {
  /**
   * The secrets of the cluster: 32 bytes each, as bytes or as text (`warp key` makes one). The first is
   * used, all are accepted: so keys are replaced while everybody runs (docs/mesh.md).
   */
  readonly keyring: ClusterKeyInput | readonly ClusterKeyInput[]
  /** Where this replica runs, as its peers see it; `acks: { zones }` counts zones. Default: none. */
  readonly zone?: string
}

/** Options of `openWarp`. The mesh is there for `transports[0].useKeys(…)` and `members()`. */
export type MeshPreset<K extends KeyMap> = PresetDefaults<K> &
  Pick<WarpOptions<K>, 'zone'> &
  Required<Pick<WarpOptions<K>, 'replication'>> & { readonly transports: readonly [MeshTransport] }

const OPTIONS: readonly string[] = [
  ...PRESET_OPTIONS,
  ...optionNames<Omit<MeshPresetOptions<KeyMap>, keyof PresetOptions<KeyMap>>>({
    ...{ keyring: true, zone: true, host: true, port: true, peers: true, multicast: true, cluster: true },
  }),
]

/**
 * The options of an engine in a mesh:
 *
 *     const keyring = process.env['WARP_KEY'] ?? ''
 *     const warp = await openWarp(meshPreset({ name: 'shop-1', keys, keyring, peers: ['shop.internal'], persist: './data' }))
 *
 * What it says otherwise than `openWarp` and `meshTransport` by themselves stands in docs/presets.md. To
 * change one thing, spread it: `{ ...meshPreset({ … }), ack: 'durable' }`. Throws `WARP_E_CONFIG`, and
 * `WARP_E_AUTH` for a keyring that is missing or bad.
 */
export function meshPreset<const K extends KeyMap>(options: MeshPresetOptions<K>): MeshPreset<K> {
  requireOptions('meshPreset', options, OPTIONS, "{ keys: { 'cart:*': set() }, keyring: [...] }")
  const { zone } = options
  return {
    ...commonOptions<K>('meshPreset', options),
    ...(zone === undefined ? {} : { zone }),
    replication: { peerSilentMs: 10_000, awayMs: 3_600_000, horizonMs: 86_400_000 },
    transports: [meshTransport(meshOptions<K>(options))],
  }
}

/** What the mesh of the preset is made with. */
export function meshOptions<K extends KeyMap>(options: MeshPresetOptions<K>): MeshOptions {
  const { keyring, zone, host = '0.0.0.0', port = 7946, peers = [], multicast, cluster = 'warp' } = options
  if (isEmpty(keyring))
    throw new WarpError(
      'WARP_E_AUTH',
      'meshPreset: the keyring is empty; give the cluster key, or [new, old] while it is replaced ("warp key" makes one)',
    )
  return {
    ...{ host, port, peers, cluster, clusterKey: keyring },
    ...(zone === undefined ? {} : { zone }),
    // Who says where the others are is most likely where nobody hears multicast.
    multicast: multicast ?? (peers.length > 0 ? false : {}),
  }
}

/** Also what a variable of the environment is that is not set. */
function isEmpty(keyring: unknown): boolean {
  return keyring === undefined || keyring === null || (keyring as { readonly length?: number }).length === 0
}
