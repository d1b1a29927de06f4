/** Replicas with naive stores on one virtual time line and one memory network, for tests of replication. */
import { memoryNetwork, type MemoryNetworkOptions } from '../../adapters/memory/memory-network.ts'
import type { MemoryNetwork } from '../../src/ports/memory-network/memory-network.ts'
import type { ReplicationEvent } from '../../src/replication/events.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'
import { Replicator } from '../../src/replication/replicator.ts'
import { NaiveStore } from './naive-store.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'
import { type WatchedTransport, watchedTransport } from './watched-transport.ts'

export interface TestReplica {
  readonly name: string
  readonly store: NaiveStore
  readonly replicator: Replicator
  readonly events: ReplicationEvent[]
  /** Where its frames arrive; it says who is there only if `isWatched`. */
  readonly transport: WatchedTransport | undefined
}

export interface TestReplicas {
  readonly env: VirtualEnv
  readonly network: MemoryNetwork
  readonly all: TestReplica[]
  /** One more, started. With `store`, on that one: a restart. */
  join(name: string, options?: ReplicationOptions, store?: NaiveStore): Promise<TestReplica>
  close(): Promise<void>
}

export interface TestReplicasOptions extends MemoryNetworkOptions {
  readonly names?: readonly string[]
  readonly replication?: ReplicationOptions
  /** Whether the network says who is there, as the mesh does. */
  readonly isWatched?: boolean
  /** What each replica says of itself. Default: nothing. */
  readonly self?: (name: string) => { readonly name?: string; readonly zone?: string }
}

export async function testReplicas(options: TestReplicasOptions = {}): Promise<TestReplicas> {
  const { names = ['a', 'b', 'c'], replication, self, seed = 1, isWatched = false, ...settings } = options
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ ...settings, seed, env })
  const all: TestReplica[] = []
  const join: TestReplicas['join'] = async (name, own = {}, store = new NaiveStore(env.fork({ label: name }))) => {
    const events: ReplicationEvent[] = []
    const transport = isWatched ? watchedTransport(network.transport(name)) : undefined
    const replicator = new Replicator({
      store,
      env: env.fork({ label: `${name}'s replicator` }),
      transports: [transport ?? network.transport(name)],
      options: { ...replication, ...own },
      ...self?.(name),
      observe: (event) => events.push(event),
    })
    store.onAppend = () => replicator.appended()
    await replicator.start()
    const replica = { name, store, replicator, events, transport }
    all.push(replica)
    return replica
  }
  for (const name of names) await join(name)
  return {
    ...{ env, network, all, join },
    close: async () => {
      for (const { replicator } of all) await replicator.close()
    },
  }
}

export function kinds(replica: TestReplica): string[] {
  return replica.events.map(({ kind }) => kind)
}
