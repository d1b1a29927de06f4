/**
 * A replica of one key, as small as it can be: the set of operations it holds, those that wait for
 * their causes, and the fold. The oracle for laws; knows nothing of the engine.
 */
import { formatDot } from '../../crdt/time/dot.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy, Queries, Verbs } from '../../crdt/strategy.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { foldFrom } from './definition.ts'
import { IncrementalFold } from './incremental-fold.ts'
import type { VerbCall, LawOperation } from './law-operation.ts'

/** Ids for histories, in canonical order. */
export const REPLICA_IDS: readonly ReplicaId[] = ['a', 'b', 'c', 'd', 'e'].map((letter) =>
  parseReplicaId(letter.repeat(16)),
)

export interface WriteAt {
  /** The replica's wall clock; stamps never go below what has been seen. */
  readonly wall?: number
  /** How many operations on other keys came before: sequences of one key have gaps. */
  readonly gap?: number
}

export class ReferenceReplica {
  readonly id: ReplicaId
  readonly operations: Map<string, LawOperation> = new Map<string, LawOperation>()
  readonly #strategy: AnyStrategy
  readonly #seen = new VersionVector()
  readonly #fold: IncrementalFold
  #waiting: LawOperation[] = []
  #clock = 0
  #sequence = 0

  constructor(strategy: AnyStrategy, id: ReplicaId) {
    this.#strategy = strategy
    this.#fold = new IncrementalFold(strategy)
    this.id = id
  }

  /** The state folded as operations arrived. */
  get state(): unknown {
    return this.#fold.state
  }

  /** The state folded from scratch. */
  get stateFromScratch(): unknown {
    return foldFrom(this.#strategy, this.#strategy.initial(), this.operations.values())
  }

  get value(): unknown {
    return this.#strategy.read(this.state) as unknown
  }

  query(name: string, ...parameters: readonly unknown[]): unknown {
    const queries = this.#strategy.queries as Queries<unknown> | undefined
    return queries?.[name]?.(this.state, ...parameters)
  }

  /**
   * Runs a verb; the operation it made, or `undefined` if there was nothing to write. Refusals are
   * thrown.
   */
  write(verb: string, parameters: readonly unknown[] = [], at: WriteAt = {}): LawOperation | undefined {
    const sequence = this.#sequence + 1 + (at.gap ?? 0)
    const run = (this.#strategy.verbs as Verbs<unknown>)[verb]
    if (run === undefined) throw new Error(`the strategy has no verb ${verb}`)
    const prepare = { replica: this.id, sequence, state: (): unknown => this.state }
    const payload = run(prepare, ...parameters)
    if (payload === undefined) return undefined
    return this.#append(sequence, payload, { ...at, intent: { verb, parameters } })
  }

  /** Deletes the whole key. */
  delete(at: WriteAt = {}): LawOperation {
    return this.#append(this.#sequence + 1 + (at.gap ?? 0), undefined, at)
  }

  /**
   * Takes an operation in, once, when its causes are here: its context, in which the writer's own
   * entry is that of its previous operation.
   */
  deliver(operation: LawOperation): void {
    this.#waiting.push(operation)
    let progress = true
    while (progress) {
      const ready = this.#waiting.filter((candidate) => this.#seen.dominates(candidate.context))
      this.#waiting = this.#waiting.filter((candidate) => !ready.includes(candidate))
      for (const candidate of ready) this.#admit(candidate)
      progress = ready.length > 0
    }
  }

  deliverAll(operations: Iterable<LawOperation>): this {
    for (const operation of operations) this.deliver(operation)
    return this
  }

  #append(
    sequence: number,
    payload: Encodable | undefined,
    at: WriteAt & { readonly intent?: VerbCall },
  ): LawOperation {
    const operation: LawOperation = {
      hlc: Math.max(this.#clock + 1, at.wall ?? 0),
      replica: this.id,
      sequence,
      context: this.#seen.copy(),
      isDelete: payload === undefined,
      payload: payload === undefined ? null : decode(encode(payload)),
      ...(at.intent === undefined ? {} : { intent: at.intent }),
    }
    this.#admit(operation, payload !== undefined && this.#strategy.appliesOnPrepare === true)
    return operation
  }

  #admit(operation: LawOperation, alreadyApplied = false): void {
    const name = formatDot(operation)
    if (this.operations.has(name)) return
    this.operations.set(name, operation)
    this.#seen.raise(operation.replica, operation.sequence)
    this.#clock = Math.max(this.#clock, operation.hlc)
    if (operation.replica === this.id) this.#sequence = operation.sequence
    this.#fold.add(operation, alreadyApplied)
  }
}
