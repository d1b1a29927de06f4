/**
 * The replicas of the scenario: three processes with logs on disk, in one mesh. What they
 * acknowledge is remembered here, so that it can be asked for at the end, and what they hold is
 * compared here, over IPC: beside the mesh, not through it.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Dot, ReplicaId } from '../../../adapters/node/index.ts'
import { formatDot } from '../../../crdt/time/dot.ts'
import type { Child } from './child.ts'
import { differingKeys, missingDots } from '../authors/differences.ts'
import { freePorts } from './free-ports.ts'
import { NAMES, type Name, type WrittenKey } from './keys.ts'
import type { Acknowledged, Reading, ReplicaCalls, Status, Write } from './replica-calls.ts'
import type { Stage } from '../stage.ts'
import { until } from '../until.ts'

/** A value may expire between two readings of it; such a difference does not last. */
const DIFFERENCE_MS_MAX = 2000

export type DemoReplica = Child<ReplicaCalls>

export class DemoReplicas {
  readonly #stage: Stage
  readonly #clusterKey: Uint8Array = randomBytes(32)
  readonly #ports: ReadonlyMap<Name, number>
  readonly #running = new Map<Name, DemoReplica>()
  readonly #ids = new Map<Name, ReplicaId>()
  readonly #acknowledged = new Map<Name, Dot[]>(NAMES.map((name) => [name, []]))

  static async start(stage: Stage): Promise<DemoReplicas> {
    const ports = await freePorts(NAMES.length)
    const replicas = new DemoReplicas(stage, new Map(NAMES.map((name, i) => [name, ports[i]!])))
    await Promise.all(NAMES.map((name) => replicas.start(name)))
    return replicas
  }

  private constructor(stage: Stage, ports: ReadonlyMap<Name, number>) {
    this.#stage = stage
    this.#ports = ports
  }

  /** A new process on the replica's folder. */
  async start(name: Name, { isCut = false }: { readonly isCut?: boolean } = {}): Promise<void> {
    const onNotice = (notice: unknown): void => this.#noticed(name, notice as Acknowledged) // the only one there is
    const replica = this.#stage.start<ReplicaCalls>({
      program: new URL('./replica-process.js', import.meta.url),
      name,
      onNotice,
    })
    this.#running.set(name, replica)
    const peers = NAMES.filter((other) => other !== name).map((other) => this.addressOf(other))
    const place = { port: this.#port(name), peers, clusterKey: this.#clusterKey }
    this.#ids.set(name, await replica.call('open', { ...place, folder: join(this.#stage.folder, name), isCut }))
  }

  async closeAll(): Promise<void> {
    for (const name of NAMES) await this.at(name).call('close', undefined)
  }

  at(name: Name): DemoReplica {
    const replica = this.#running.get(name)
    if (replica === undefined) throw new Error(`${name} has not been started`)
    return replica
  }

  addressOf(name: Name): string {
    return `127.0.0.1:${this.#port(name)}`
  }

  /** Who listens there; the address itself if nobody of ours does. */
  nameAt(address: string): string {
    return NAMES.find((name) => this.addressOf(name) === address) ?? address
  }

  /** Who writes under that id; the id itself if nobody of ours does. */
  nameOf(replica: ReplicaId): string {
    return NAMES.find((name) => this.#ids.get(name) === replica) ?? replica
  }

  async write(name: Name, ...writes: readonly Write[]): Promise<void> {
    this.acknowledgedBy(name).push(...(await this.at(name).call('write', writes)))
  }

  /** Grows as acknowledgements come in. */
  acknowledgedBy(name: Name): Dot[] {
    return this.#acknowledged.get(name)!
  }

  status(name: Name): Promise<Status> {
    return this.at(name).call('status', undefined)
  }

  /** Waits until each of these takes part and all see one another. */
  async meet(): Promise<void> {
    const hasMet = async (name: Name): Promise<boolean> => {
      const { isJoined, peers } = await this.status(name)
      return isJoined && peers.filter(({ state }) => state === 'up').length === NAMES.length - 1
    }
    await until(() => all(NAMES, hasMet), 'the replicas to meet')
  }

  /** Waits until these hold the same operations, all that they have acknowledged among them. */
  async converge(names: readonly Name[] = NAMES): Promise<void> {
    const wanted = names.map((name) => [this.#ids.get(name)!, this.acknowledgedBy(name).length] as const)
    const holdSame = async (): Promise<boolean> => {
      const [first, ...others] = await Promise.all(names.map(async (name) => new Map((await this.status(name)).held)))
      if (first === undefined || wanted.some(([replica, count]) => (first.get(replica) ?? 0) < count)) return false
      return others.every(
        (held) => held.size === first.size && [...held].every(([id, count]) => first.get(id) === count),
      )
    }
    await until(holdSame, `${names.join(', ')} to hold the same operations`)
  }

  /** The keys whose values are not the same everywhere. */
  async differingKeys(): Promise<WrittenKey[]> {
    let differing: WrittenKey[] = []
    const giveUpAt = performance.now() + DIFFERENCE_MS_MAX
    const areSame = async (): Promise<boolean> => {
      differing = differingKeys(await Promise.all(NAMES.map((name) => this.read(name))))
      return differing.length === 0 || performance.now() > giveUpAt
    }
    await until(areSame, 'the values to be the same')
    return differing
  }

  read(name: Name): Promise<readonly Reading[]> {
    return this.at(name).call('read', undefined)
  }

  /** What `holder` should have of these and does not, read from its log. */
  async missingAt(holder: Name, dots: readonly Dot[]): Promise<string[]> {
    return missingDots(await this.at(holder).call('dots', undefined), dots).map(formatDot)
  }

  #port(name: Name): number {
    return this.#ports.get(name)!
  }

  #noticed(name: Name, { acknowledged }: Acknowledged): void {
    this.acknowledgedBy(name).push(acknowledged)
  }
}

async function all<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(test))).every(Boolean)
}
