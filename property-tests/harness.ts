/**
 * The laws of a strategy, once for all of them: replicas write, delete and deliver to each other in a random order, and then
 * everything that ought to be equal is compared as canonical bytes, of the state and of the value.
 *
 * Order-insensitivity (every causal order, duplicates included, gives the state of the fold from scratch); commutativity,
 * associativity and idempotence of joining what replicas hold; snapshot and rest = everything; payloads and states
 * survive their bytes; canonical folds leave the states that they are given alone; nothing is forgotten that matters.
 */
import fc from 'fast-check'
import type { AnyStrategy } from '../crdt/strategy.ts'
import type { Encodable } from '../crdt/encodable.ts'
import type { LawOperation } from './reference-fold.ts'
import { REPLICA_IDS, ReferenceReplica } from './reference-replica.ts'
import { runs } from './seed.ts'
import { applyOne, foldFrom, hasObserved, inCanonicalOrder, isCanceller, liveOperations } from './reference-fold.ts'
import { decode, encode } from '../crdt/encoding.ts'
import { parseReplicaId } from '../crdt/replica-id.ts'
import { isWarpError } from '../crdt/warp-error.ts'

export interface Intent {
  readonly verb: string
  readonly parameters: readonly unknown[]
}

export interface LawOptions {
  readonly runs?: number
  /** The length of a history. Short ones find nearly everything. */
  readonly stepsMax?: number
  /** Fits an intent to the replica that runs it, an index to the length of its list, say. */
  readonly resolve?: (intent: Intent, replica: ReferenceReplica) => Intent | undefined
  /** The value as an encodable, where it is not one. Sets are taken care of. */
  readonly encodable?: (value: unknown) => Encodable
  /** What must hold on a replica after every step; throws if it does not. */
  readonly invariant?: (replica: ReferenceReplica) => void
  /** The expected value by the plainest means, from the operations that are not cancelled, in canonical order. */
  readonly oracle?: (live: readonly LawOperation[]) => unknown
}

type Step =
  | {
      readonly kind: 'write'
      readonly at: number
      readonly intent: Intent
      readonly skew: number
      readonly gap: number
    }
  | { readonly kind: 'delete'; readonly at: number; readonly skew: number }
  | { readonly kind: 'deliver'; readonly at: number; readonly pick: number }
  | { readonly kind: 'exchange'; readonly at: number; readonly from: number }

/** Checks every law on `runs` histories (10,000 unless told otherwise). Throws with the law, the history and the seed. */
export function checkLaws(make: () => AnyStrategy, intents: fc.Arbitrary<Intent>, options: LawOptions = {}): void {
  const history = fc.record({
    replicas: fc.integer({ min: 3, max: 4 }),
    steps: fc.array(steps(make(), intents), { minLength: 1, maxLength: options.stepsMax ?? 14 }),
    order: fc.nat(),
  })
  const property = fc.property(history, ({ replicas, steps: taken, order }) => {
    const run = new Run(make, options, order)
    run.play(replicas, taken)
    run.checkAll()
  })
  fc.assert(property, runs(options.runs))
}

function steps(strategy: AnyStrategy, intents: fc.Arbitrary<Intent>): fc.Arbitrary<Step> {
  const at = fc.nat({ max: 3 })
  const skew = fc.nat({ max: 6 })
  const write = fc.record({ kind: fc.constant('write' as const), at, intent: intents, skew, gap: fc.nat({ max: 1 }) })
  const deliver = fc.record({ kind: fc.constant('deliver' as const), at, pick: fc.nat({ max: 40 }) })
  const exchange = fc.record({ kind: fc.constant('exchange' as const), at, from: fc.nat({ max: 3 }) })
  const remove = fc.record({ kind: fc.constant('delete' as const), at, skew })
  return fc.oneof(
    { arbitrary: write, weight: 8 },
    { arbitrary: deliver, weight: 6 },
    { arbitrary: exchange, weight: 3 },
    { arbitrary: remove, weight: strategy.deletes === 'refused' ? 0 : 1 },
  )
}

class Run {
  readonly #make: () => AnyStrategy
  readonly #options: LawOptions
  readonly #strategy: AnyStrategy
  readonly #random: (below: number) => number
  #replicas: ReferenceReplica[] = []

  constructor(make: () => AnyStrategy, options: LawOptions, order: number) {
    this.#make = make
    this.#options = options
    this.#strategy = make()
    this.#random = randomBelow(order)
  }

  play(count: number, taken: readonly Step[]): void {
    this.#replicas = REPLICA_IDS.slice(0, count).map((id) => new ReferenceReplica(this.#make(), id))
    const written: LawOperation[] = []
    taken.forEach((step, i) => {
      const replica = this.#replicas[step.at % count] as ReferenceReplica
      const made = this.#take(step, replica, i, written)
      if (made !== undefined) written.push(made)
      this.#options.invariant?.(replica)
    })
  }

  #take(step: Step, replica: ReferenceReplica, i: number, written: LawOperation[]): LawOperation | undefined {
    if (step.kind === 'write') return this.#write(replica, step.intent, { wall: i + step.skew, gap: step.gap })
    if (step.kind === 'delete')
      return replica.operations.size === 0 ? undefined : replica.delete({ wall: i + step.skew })
    if (step.kind === 'exchange') {
      const from = this.#replicas[step.from % this.#replicas.length] as ReferenceReplica
      replica.deliverAll([...from.operations.values()])
    } else if (written.length > 0) replica.deliver(written[step.pick % written.length] as LawOperation)
    return undefined
  }

  #write(replica: ReferenceReplica, intent: Intent, at: { wall: number; gap: number }): LawOperation | undefined {
    const { resolve } = this.#options
    const fitted = resolve === undefined ? intent : resolve(intent, replica)
    if (fitted === undefined) return undefined
    const before = this.#strategy.appliesOnPrepare === true ? '' : this.#stateBytes(replica.state)
    try {
      return replica.write(fitted.verb, fitted.parameters, at)
    } catch (error) {
      if (!isWarpError(error)) throw error
      if (before !== '') same('a refused write leaves the state alone', this.#stateBytes(replica.state), before)
      return undefined
    }
  }

  checkAll(): void {
    for (const replica of this.#replicas) {
      same('op path = fold from scratch', this.#digest(replica.state), this.#digest(replica.stateFromScratch))
    }
    this.#checkJoins()
    const everything = inCanonicalOrder(new Set(this.#replicas.flatMap((replica) => [...replica.operations.values()])))
    const expected = this.#digest(this.#scratch(everything))
    this.#checkOrders(everything, expected)
    this.#checkSnapshots(everything, expected)
    this.#checkCodec(everything)
    if (this.#strategy.fold === 'canonical') this.#checkPurity(everything)
    this.#checkEmpty(everything)
    this.#checkOracle(everything)
  }

  #checkJoins(): void {
    const [a = [], b = [], c = []] = this.#replicas.map((replica): Held => [...replica.operations.values()])
    const ab = this.#joined(a, b)
    same('commutativity', ab.digest, this.#joined(b, a).digest)
    same('idempotence', this.#joined(a, a).digest, this.#joined(a).digest)
    same('associativity', this.#joined(ab.held, c).digest, this.#joined(a, this.#joined(b, c).held).digest)
  }

  #joined(...parts: readonly Held[]): { held: Held; digest: string } {
    const replica = new ReferenceReplica(this.#make(), OBSERVER)
    for (const part of parts) replica.deliverAll(part)
    return { held: [...replica.operations.values()], digest: this.#digest(replica.state) }
  }

  #checkOrders(everything: readonly LawOperation[], expected: string): void {
    for (let round = 0; round < 2; round++) {
      const repeated = everything.filter(() => this.#random(3) === 0)
      const order = this.#shuffled([...everything, ...repeated])
      const { held, digest } = this.#joined(order)
      if (held.length !== everything.length) throw new Error('law broken: causal delivery is incomplete')
      same('order-insensitivity', digest, expected)
    }
  }

  /** Cuts where every canceller of the rest has seen the whole prefix, as at a stable one. */
  #checkSnapshots(everything: readonly LawOperation[], expected: string): void {
    const order = this.#strategy.fold === 'any' ? this.#joined(this.#shuffled(everything)).held : everything
    let cut = this.#random(order.length + 1)
    while (cut > 0 && !isCleanCut(this.#strategy, order, cut)) cut--
    const prefix = this.#scratch(order.slice(0, cut))
    const revived = this.#strategy.decodeState(decode(encode(this.#strategy.encodeState(prefix))))
    same('op path = snapshot path', this.#digest(foldFrom(this.#strategy, revived, order.slice(cut))), expected)
  }

  #checkCodec(everything: readonly LawOperation[]): void {
    const state = this.#scratch(everything)
    const revived = this.#strategy.decodeState(decode(encode(this.#strategy.encodeState(state))))
    same('states survive their bytes', this.#digest(revived), this.#digest(state))
    for (const { payload } of everything) {
      const bytes = encode(payload)
      same('payloads survive their bytes', text(encode(decode(bytes))), text(bytes))
    }
    const rebase = this.#strategy.rebase
    if (rebase === undefined) return
    for (const { payload, isDelete } of everything) {
      if (isDelete) continue
      const renamed = rebase(payload, (replica, sequence) => [replica, sequence]) as Encodable
      same('rebase under the same names changes nothing', text(encode(renamed)), text(encode(payload)))
    }
  }

  #checkPurity(everything: readonly LawOperation[]): void {
    let state: unknown = this.#strategy.initial()
    for (const operation of everything) {
      if (operation.isDelete) continue
      const before = this.#digest(state)
      const next = applyOne(this.#strategy, state, operation)
      same('apply leaves its input alone', this.#digest(state), before)
      state = next
    }
  }

  #checkEmpty(everything: readonly LawOperation[]): void {
    const initial: unknown = this.#strategy.initial()
    if (!this.#strategy.isEmpty(initial)) throw new Error('law broken: the initial state is empty')
    const state = this.#scratch(everything)
    if (this.#strategy.isEmpty(state))
      same('an empty state is the initial one', this.#digest(state), this.#digest(initial))
  }

  #checkOracle(everything: readonly LawOperation[]): void {
    const { oracle } = this.#options
    if (oracle === undefined) return
    const value = this.#strategy.read(this.#scratch(everything)) as unknown
    const expected = oracle(liveOperations(this.#strategy, everything))
    same('value = oracle', this.#valueBytes(value), this.#valueBytes(expected))
  }

  #scratch(operations: readonly LawOperation[]): unknown {
    return foldFrom(this.#strategy, this.#strategy.initial(), operations)
  }

  #digest(state: unknown): string {
    return `${this.#stateBytes(state)}|${this.#valueBytes(this.#strategy.read(state))}`
  }

  #stateBytes(state: unknown): string {
    return text(encode(this.#strategy.encodeState(state)))
  }

  #valueBytes(value: unknown): string {
    if (value === undefined) return 'undefined'
    const { encodable } = this.#options
    return text(encode(encodable === undefined ? plain(value) : encodable(value)))
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const order = [...items]
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.#random(i + 1)
      const item = order[i] as T
      order[i] = order[j] as T
      order[j] = item
    }
    return order
  }
}

/** Writes nothing; only takes in what others wrote. */
const OBSERVER = parseReplicaId('e'.repeat(16))

type Held = readonly LawOperation[]

function isCleanCut(strategy: AnyStrategy, order: readonly LawOperation[], cut: number): boolean {
  const prefix = order.slice(0, cut)
  return order.slice(cut).every((operation) => {
    if (operation.isDelete && strategy.deletes === 'ordered') return strategy.fold !== 'any'
    return !isCanceller(strategy, operation) || prefix.every((earlier) => hasObserved(operation, earlier))
  })
}

/** With lists in the place of sets, which read values may hold at any depth in maps. */
function plain(value: unknown): Encodable {
  if (value instanceof Set) return [...(value as Set<Encodable>)]
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value as Encodable
  return Object.entries(value).map(([name, entry]) => [name, plain(entry)])
}

function text(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += String.fromCharCode(byte)
  return out
}

function same(law: string, actual: string, expected: string): void {
  if (actual !== expected)
    throw new Error(`law broken: ${law}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`)
}

/** A small seeded generator (mulberry32), so that a case is repeated exactly from fast-check's own values. */
function randomBelow(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
