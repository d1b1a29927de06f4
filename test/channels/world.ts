/** Replicas with channels on one virtual time line and one memory network; several networks where a test says so. */
import { memoryNetwork, type MemoryNetworkOptions } from '../../adapters/memory/index.ts'
import {
  type ChannelMap,
  type ChannelNews,
  isWarpError,
  openWarp,
  type Subscription,
  type Warp,
  type WarpError,
  type WarpEvent,
} from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'
import type { LogStore } from '../../src/index.ts'

const keys = { 'user:*': register<string>() } as const

export type ChannelWarp = Warp<typeof keys>

export interface ChannelWorld {
  readonly env: VirtualEnv
  readonly networks: readonly ReturnType<typeof memoryNetwork>[]
  readonly events: WarpEvent[]
  readonly open: (name: string, log?: LogStore) => Promise<ChannelWarp>
  readonly close: () => Promise<void>
}

export interface ChannelWorldOptions {
  readonly seed?: number
  readonly channels?: ChannelMap
  /** One for each network. */
  readonly networks?: readonly Omit<MemoryNetworkOptions, 'env' | 'seed'>[]
}

export const CHANNELS = { 'kept:*': { replay: { count: 3 } }, 'hour:*': { replay: { forMs: 3_600_000 } } } as const

export function channelWorld({
  seed = 1,
  channels = CHANNELS,
  networks = [{}],
}: ChannelWorldOptions = {}): ChannelWorld {
  const env = virtualEnv({ seed })
  const nets = networks.map((settings, i) => memoryNetwork({ ...settings, env, seed: seed + i }))
  const opened: ChannelWarp[] = []
  const events: WarpEvent[] = []
  return {
    ...{ env, networks: nets, events },
    open: async (name, log) => {
      const warp = await openWarp({
        ...{ keys, channels, name, env: env.fork({ label: name }) },
        transports: nets.map((network) => network.transport(name)),
        observe: (event) => events.push(event),
        ...(log === undefined ? {} : { log }),
      })
      opened.push(warp)
      return warp
    },
    close: () => closeAll(env, opened),
  }
}

export interface Heard {
  readonly news: ChannelNews[]
  /** Payloads, and gaps as `gap of n`. */
  readonly shown: unknown[]
  /** `'running'`, `'over'`, or why it ended. */
  readonly state: () => unknown
  readonly subscription: Subscription
}

/** Listens to a subscription for as long as it runs. */
export function listen(subscription: Subscription): Heard {
  const [news, shown]: [ChannelNews[], unknown[]] = [[], []]
  let state: unknown = 'running'
  const run = async (): Promise<void> => {
    for await (const one of subscription) {
      news.push(one)
      shown.push(one.kind === 'gap' ? `gap of ${one.missedCount}` : one.payload)
    }
    state = 'over'
  }
  run().catch((error: unknown) => (state = error))
  return { news, shown, subscription, state: () => state }
}

/** What a call throws, at once or later. */
export async function failureOf(call: () => unknown): Promise<WarpError> {
  try {
    await call()
  } catch (error) {
    if (isWarpError(error)) return error
    throw error
  }
  throw new Error('it was accepted')
}
