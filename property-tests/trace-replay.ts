/**
 * Replays a concurrent editing history: each author writes on a replica of their own, which has seen exactly what the author
 * had seen. Format of josephg/editing-traces: `txns[i].parents` are indexes of transactions, `patches` are
 * [position, deleted, inserted] on the document that the parents and their ancestors make.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { AnyStrategy, Applied } from '../crdt/strategy.ts'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import type { Random } from '../testing/world/random.ts'
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import { decode, encode } from '../crdt/encoding/encoding.ts'

export type Patch = readonly [position: number, deleted: number, inserted: string]

export interface Trace {
  readonly endContent: string
  readonly numAgents: number
  readonly txns: readonly {
    readonly parents: readonly number[]
    readonly agent: number
    readonly patches: readonly Patch[]
  }[]
}

export interface TraceOperation {
  readonly agent: number
  readonly replica: ReplicaId
  readonly sequence: number
  /** How many operations of each agent its writer had seen, its own earlier ones included. */
  readonly seen: readonly number[]
  readonly payload: Encodable
}

/** The verb call that makes one patch. */
export type Edit = (patch: Patch) => { readonly verb: string; readonly parameters: readonly unknown[] }

export function readTrace(path: string): Trace {
  const bytes = readFileSync(path)
  return JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as Trace // a file of ours
}

export class TraceReplica {
  state: unknown
  readonly seen: number[]
  readonly #strategy: AnyStrategy
  readonly #replicas: readonly ReplicaId[]

  constructor(strategy: AnyStrategy, replicas: readonly ReplicaId[]) {
    this.#strategy = strategy
    this.#replicas = replicas
    this.state = strategy.initial()
    this.seen = replicas.map(() => 0)
  }

  get bytes(): string {
    return Buffer.from(encode(this.#strategy.encodeState(this.state))).toString('base64')
  }

  get value(): unknown {
    return this.#strategy.read(this.state)
  }

  /** Takes an operation in unless it is a duplicate. `false` if its causes are missing. */
  deliver(operation: TraceOperation): boolean {
    const { agent, sequence } = operation
    if (sequence <= (this.seen[agent] ?? 0)) return true
    if (operation.seen.some((count, other) => count > (this.seen[other] ?? 0))) return false
    this.state = this.#strategy.apply(this.state, this.#applied(operation))
    this.seen[agent] = sequence
    return true
  }

  write(agent: number, call: ReturnType<Edit>): TraceOperation | undefined {
    const replica = this.#replicas[agent] as ReplicaId
    const seen = [...this.seen]
    const sequence = (seen[agent] ?? 0) + 1
    const verb = this.#strategy.verbs[call.verb]
    const payload = verb?.({ replica, sequence, state: (): unknown => this.state }, ...call.parameters)
    if (payload === undefined) return undefined
    const operation: TraceOperation = { agent, replica, sequence, seen, payload: decode(encode(payload)) }
    if (this.#strategy.appliesOnPrepare === true) this.seen[agent] = sequence
    else this.deliver(operation)
    return operation
  }

  #applied(operation: TraceOperation): Applied<Encodable> {
    const { replica, sequence, seen, payload } = operation
    const observed = (other: ReplicaId, upTo: number): boolean => upTo <= (seen[this.#replicas.indexOf(other)] ?? 0)
    return { hlc: seen.reduce((sum, count) => sum + count, 1), replica, sequence, payload, observed }
  }
}

/** Writes the history, every author on their own replica, and brings all replicas up to date. */
export function replay(
  trace: Trace,
  strategy: AnyStrategy,
  options: { readonly edit: Edit; readonly replicas: readonly ReplicaId[] },
): { readonly operations: TraceOperation[]; readonly authors: readonly TraceReplica[] } {
  const authors = options.replicas.map(() => new TraceReplica(strategy, options.replicas))
  const byAgent: TraceOperation[][] = authors.map(() => [])
  const operations: TraceOperation[] = []
  const versions: number[][] = []
  for (const txn of trace.txns) {
    const author = authors[txn.agent] as TraceReplica
    const known = authors.map((_, agent) => Math.max(0, ...txn.parents.map((parent) => versions[parent]?.[agent] ?? 0)))
    catchUp(author, byAgent, known)
    for (const patch of txn.patches) {
      const operation = author.write(txn.agent, options.edit(patch))
      if (operation === undefined) continue
      operations.push(operation)
      byAgent[txn.agent]?.push(operation)
    }
    if (author.seen.some((count, agent) => agent !== txn.agent && count !== known[agent])) {
      throw new Error('an author had seen less than before')
    }
    versions.push([...author.seen])
  }
  for (const author of authors) for (const operation of operations) author.deliver(operation)
  return { operations, authors }
}

/** The operations in a random order that respects causality, with duplicates: bursts of one author, then of another. */
export function inRandomCausalOrder(
  operations: readonly TraceOperation[],
  agents: number,
  random: Random,
): TraceOperation[] {
  const queues = Array.from({ length: agents }, (_, agent) =>
    operations.filter((operation) => operation.agent === agent),
  )
  const next = queues.map(() => 0)
  const order: TraceOperation[] = []
  while (order.length < operations.length) {
    const agent = random.below(agents)
    for (let burst = 1 + random.below(random.chance(0.1) ? 3000 : 20); burst > 0; burst--) {
      const operation = queues[agent]?.[next[agent] ?? 0]
      if (operation === undefined || operation.seen.some((count, other) => count > (next[other] ?? 0))) break
      order.push(operation)
      next[agent] = (next[agent] ?? 0) + 1
    }
  }
  return order.flatMap((operation) => {
    if (!random.chance(0.05)) return [operation]
    return [operation, operation, order[random.below(order.length)] as TraceOperation]
  })
}

function catchUp(replica: TraceReplica, byAgent: readonly TraceOperation[][], known: readonly number[]): void {
  for (let progress = true; progress;) {
    progress = false
    known.forEach((count, agent) => {
      for (let at = replica.seen[agent] ?? 0; at < count; at++) {
        if (!replica.deliver(byAgent[agent]?.[at] as TraceOperation)) return
        progress = true
      }
    })
  }
}
