/**
 * Regions with naive stores on one virtual time line: a memory network for each region, replicas at home
 * in one, relays in several.
 */
import { memoryNetwork, type MemoryNetworkOptions } from '../../adapters/memory/memory-network.ts'
import type { MemoryNetwork } from '../../src/ports/memory-network/memory-network.ts'
import type { Transport } from '../../src/ports/transport.ts'
import type { ReplicationEvent } from '../../src/replication/events.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'
import { Replicator } from '../../src/replication/replicator.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'
import { Crossings } from './crossings.ts'
import { NaiveStore } from './naive-store.ts'
import { type WatchedTransport, watchedTransport } from './watched-transport.ts'

/** A network that says who is there has noticed by then that somebody is not. */
const GIVEN_UP_MS = 3000

export interface FederatedReplica {
  readonly name: string
  /** Where it is at home. */
  readonly region: string
  /** Where it sits, its own region first. */
  readonly sits: readonly string[]
  readonly store: NaiveStore
  readonly replicator: Replicator
  readonly events: ReplicationEvent[]
  /** The network of its own region, where that says who is there. */
  readonly watched: WatchedTransport | undefined
  /** Its process is gone, without a word. */
  kill(): Promise<void>
}

export interface Federation {
  readonly env: VirtualEnv
  readonly all: FederatedReplica[]
  /** Those that have a network, in the order in which they came. */
  regions(): string[]
  network(region: string): MemoryNetwork
  /** One more, started, on the networks of these regions; at home in the first one. `on`: its home's network, if it is another. */
  join(name: string, sits: readonly string[], store?: NaiveStore, on?: string): Promise<FederatedReplica>
  replica(name: string): FederatedReplica
  readonly crossings: Crossings
  close(): Promise<void>
}

export interface FederationOptions extends MemoryNetworkOptions {
  readonly replication?: ReplicationOptions
  /** Whether the networks say who is there, as those of brokers do. */
  readonly isWatched?: boolean
}

export function federation(options: FederationOptions = {}): Federation {
  const { replication, seed = 1, isWatched = false, ...settings } = options
  const env = virtualEnv({ seed })
  const networks = new Map<string, MemoryNetwork>()
  const crossings = new Crossings()
  const all: FederatedReplica[] = []
  const watched: { readonly region: string; readonly name: string; readonly transport: WatchedTransport }[] = []

  const network = (region: string): MemoryNetwork => {
    const known = networks.get(region) ?? memoryNetwork({ ...settings, seed: seed + networks.size, env })
    networks.set(region, known)
    return known
  }
  const transport = (name: string, region: string, isRelay: boolean): Transport => {
    const plain = network(region).transport(name)
    const told = isWatched ? watchedTransport(plain) : undefined
    if (told !== undefined) watched.push({ region, name, transport: told })
    const inner = told ?? plain
    return isRelay ? crossings.watch(inner, region) : inner
  }

  const join: Federation['join'] = async (name, sits, store = new NaiveStore(env.fork({ label: name })), on) => {
    const [region = '', ...others] = sits
    const isRelay = sits.length > 1
    crossings.isAtHome(store.replica, region)
    const events: ReplicationEvent[] = []
    const end = (of: string): { region: string; transports: Transport[] } => ({
      region: of,
      transports: [transport(name, of, isRelay)],
    })
    const home = { region, transports: [transport(name, on ?? region, isRelay)] }
    const replicator = new Replicator({
      ...{ store, env: env.fork({ label: `${name}'s replicator` }), name, transports: home.transports },
      regions: { region, ends: [home, ...others.map(end)] },
      options: replication ?? {},
      observe: (event) => events.push(event),
    })
    store.onAppend = () => {
      crossings.isAtHome(store.replica, region)
      replicator.appended()
    }
    await replicator.start()
    const replica: FederatedReplica = {
      ...{ name, region, sits, store, replicator, events },
      watched: watched.findLast((one) => one.name === name && one.region === (on ?? region))?.transport,
      async kill() {
        for (const of of sits) for (const other of all) if (other.name !== name) network(of).cut(name, other.name)
        all.splice(all.indexOf(replica), 1)
        env.schedule(GIVEN_UP_MS, () => {
          for (const other of watched)
            if (other.name !== name && sits.includes(other.region)) other.transport.giveUp(name)
        })
        await replicator.close()
      },
    }
    all.push(replica)
    return replica
  }

  return {
    ...{ env, all, crossings, network, join, regions: () => [...networks.keys()] },
    replica: (name) => {
      const found = all.find((one) => one.name === name)
      if (found === undefined) throw new Error(`no replica ${name}`)
      return found
    },
    close: async () => {
      for (const { replicator } of all) await replicator.close()
    },
  }
}

/** Two regions with `members` plain replicas and two relays each. */
export async function twoRegions(options: FederationOptions & { readonly members?: number } = {}): Promise<Federation> {
  const { members = 2, ...settings } = options
  const world = federation(settings)
  for (const [here, there] of [
    ['eu', 'us'],
    ['us', 'eu'],
  ] as const) {
    for (let i = 1; i <= members; i++) await world.join(`${here}-${i}`, [here])
    for (let i = 1; i <= 2; i++) await world.join(`${here}-relay-${i}`, [here, there])
  }
  return world
}
