/** What the presets over brokers have in common: a transport, and an ordered log where strong keys are asked for. */
import { checkTypeOf, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import type { KeyMap, OrderedLog, Transport, WarpOptions } from '../../src/index.ts'
import { type PresetDefaults, commonOptions, PRESET_OPTIONS, type PresetOptions } from './common.ts'

export interface BrokerPresetOptions<K extends KeyMap> extends PresetOptions<K> {
  /** Where this replica runs, as its peers see it; `acks: { zones }` counts zones. Default: none. */
  readonly zone?: string
  /** Clusters of different names do not meet on one broker: up to 50 letters, digits, `-` and `_`. Default `'warp'`. */
  readonly cluster?: string
  /**
   * Whether there are keys of mode `'strong'`, or locks between replicas. Then the broker orders them, in a
   * log that is called as the cluster, with `-log` behind it. A broker that cannot keep what that
   * promises is refused when the engine opens (`WARP_E_BROKER_UNFIT`), and no option of the preset accepts it. Default `false`.
   */
  readonly strong?: boolean
}

/** Options of `openWarp`. */
export type BrokerPreset<K extends KeyMap> = PresetDefaults<K> &
  Pick<WarpOptions<K>, 'zone' | 'order'> &
  Required<Pick<WarpOptions<K>, 'replication'>> & { readonly transports: readonly [Transport] }

export const BROKER_PRESET_OPTIONS: readonly string[] = [
  ...PRESET_OPTIONS,
  ...optionNames<Omit<BrokerPresetOptions<KeyMap>, keyof PresetOptions<KeyMap>>>({
    ...{ zone: true, cluster: true, strong: true },
  }),
]

/** How to reach the broker under a name. */
export interface Broker {
  transport(cluster: string): Transport
  order(cluster: string): OrderedLog
}

/** Throws `WARP_E_CONFIG`. Of the keys, opening says what is wrong. */
export function brokerOptions<K extends KeyMap>(
  what: string,
  options: BrokerPresetOptions<K>,
  broker: Broker,
): BrokerPreset<K> {
  checkTypeOf(what, options, 'strong', 'boolean')
  const { zone, cluster = 'warp', strong = false } = options
  if (typeof cluster !== 'string' || !/^[\w-]{1,50}$/.test(cluster))
    throw refusedOption(what, 'cluster', cluster, 'give up to 50 letters, digits, - and _')
  return {
    ...commonOptions<K>(what, options),
    ...(zone === undefined ? {} : { zone }),
    ...(strong ? { order: broker.order(`${cluster}-log`) } : {}),
    replication: { peerSilentMs: 10_000, awayMs: 3_600_000, horizonMs: 86_400_000 },
    transports: [broker.transport(cluster)],
  }
}
