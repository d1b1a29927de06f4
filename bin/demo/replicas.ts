/** The replicas of the scenario: three of them, with logs on disk, on one network in this process. */
import { join } from 'node:path'
import { fileLog } from '../../adapters/file/index.ts'
import { memoryNetwork, type MemoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type ReplicaId, type Warp } from '../../adapters/node/index.ts'
import { type Counter, counter } from '../../crdt/counter.ts'
import { type Custom, custom } from '../../crdt/custom.ts'
import { encode } from '../../crdt/encoding.ts'
import { type Register, register } from '../../crdt/register.ts'
import { type ObservedRemoveSet, set } from '../../crdt/set.ts'
import { text } from '../../crdt/text.ts'
import { until } from './until.ts'

export type Keys = {
  readonly 'doc:*': ReturnType<typeof text>
  readonly 'visits:*': Counter
  readonly 'cart:*': ObservedRemoveSet<string>
  readonly 'notes:*': Custom<string>
  readonly 'city:*': Register<string>
}

export const KEYS: Keys = {
  'doc:*': text(),
  'visits:*': counter(),
  'cart:*': set<string>(),
  // Neither commutative nor idempotent: it converges because writes are folded in one order everywhere.
  'notes:*': custom<string>((old, next) => `${old}, ${next}`),
  'city:*': register<string>(),
}

export const WRITTEN_KEYS = ['doc:list', 'visits:home', 'cart:7', 'notes:7', 'city:7'] as const
export type WrittenKey = (typeof WRITTEN_KEYS)[number]

export const NAMES = ['ann', 'ben', 'eve'] as const
export type Name = (typeof NAMES)[number]

export type DemoReplica = Warp<Keys>

export class DemoReplicas {
  readonly network: MemoryNetwork = memoryNetwork()
  readonly #folder: string
  readonly #open = new Map<Name, DemoReplica>()
  readonly #names = new Map<ReplicaId, Name>()
  /** Operations that each has written, before it was last closed. */
  readonly #formerCounts = new Map<Name, number>()
  /** Operations of each that everybody holds. */
  readonly #sharedCounts = new Map<Name, number>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async open(name: Name): Promise<void> {
    const log = fileLog({ path: join(this.#folder, name) })
    const warp = await openWarp({ keys: KEYS, log, transports: [this.network.transport(name)] })
    this.#open.set(name, warp)
    this.#names.set(warp.replica, name)
  }

  async close(name: Name): Promise<void> {
    const warp = this.at(name)
    this.#formerCounts.set(name, this.#writtenCount(name))
    this.#open.delete(name)
    await warp.close()
  }

  async closeAll(): Promise<void> {
    for (const name of [...this.#open.keys()]) await this.close(name)
  }

  at(name: Name): DemoReplica {
    const warp = this.#open.get(name)
    if (warp === undefined) throw new Error(`${name} is closed`)
    return warp
  }

  nameOf(replica: ReplicaId): string {
    return this.#names.get(replica) ?? replica
  }

  /** Waits until these hold every operation of one another, and returns how long that took. */
  async converge(names: readonly Name[] = NAMES): Promise<number> {
    const startMs = performance.now()
    const counts = new Map(
      NAMES.map((name) => [name, names.includes(name) ? this.#writtenCount(name) : this.#sharedCount(name)]),
    )
    const wanted = [...counts.values()].reduce((sum, count) => sum + count, 0)
    const holdsAll = (name: Name): boolean => this.at(name).stats().log.operationsCount === wanted
    await until(() => names.every(holdsAll), `${names.join(', ')} to hold ${wanted} operations each`)
    if (names.length === NAMES.length) counts.forEach((count, name) => this.#sharedCounts.set(name, count))
    return performance.now() - startMs
  }

  /** The canonical bytes of each key's value: equal bytes, equal values. */
  async canonical(name: Name): Promise<Map<WrittenKey, string>> {
    const bytes = new Map<WrittenKey, string>()
    for (const key of WRITTEN_KEYS) {
      const value = await this.at(name).get(key)
      bytes.set(key, Buffer.from(encode(value instanceof Set ? [...value] : (value ?? null))).toString('base64'))
    }
    return bytes
  }

  #sharedCount(name: Name): number {
    return this.#sharedCounts.get(name) ?? 0
  }

  #writtenCount(name: Name): number {
    const now = this.#open.get(name)?.stats().operations.writtenCount ?? 0
    return (this.#formerCounts.get(name) ?? 0) + now
  }
}
