/**
 * How much of a key's chain may be folded into a snapshot. A prefix may be folded only if every
 * known replica has applied it, if every operation behind it observed all of it, and, for folds in
 * canonical order, if all of those come behind it in that order: then no operation still to come
 * can belong inside, and no read changes (Baquero, Almeida, Shoker 2014 on causal stability).
 */
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { ChainReader } from '../merge/folding/chain-reader.ts'
import type { Placed } from '../merge/placed.ts'
import type { Meter } from '../operation/budget.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'
import type { Env } from '../ports/env.ts'
import type { IsStable } from './frontier.ts'

export interface Stretch {
  /** The length of the longest prefix, in order of arrival, that may be folded. */
  readonly count: number
  /** Operations that need not be retained and are not stable yet. */
  readonly unstableCount: number
}

export interface PrefixBounds {
  readonly env: Env
  readonly chains: ChainReader
  /** What every known replica has applied; absent where no other replica has to be waited for. */
  readonly isKnownToAll: IsStable | undefined
  /** Operations from this position on are still being read by somebody. */
  readonly heldFrom: Position
}

/** Looks at the operations of a key, given in order of arrival. Near-linear in their number. */
export function* foldablePrefix(
  operations: readonly Placed[],
  keyspace: Keyspace,
  bounds: PrefixBounds,
  meter: Meter,
): Generator<void, Stretch> {
  const { env, chains, isKnownToAll, heldFrom } = bounds
  const isUnretained = unretained(keyspace, operations.length, env)
  const unretainedCount = yield* countWhile(operations, isUnretained, meter)
  const isStable = (operation: Placed, index: number): boolean =>
    index < unretainedCount && (isKnownToAll === undefined || isKnownToAll(operation))
  const stableCount = yield* countWhile(operations, isStable, meter)
  const unstableCount = unretainedCount - stableCount
  // They lie in the log in the order of their arrival.
  const count = Math.min(
    stableCount,
    firstIndex(operations.length, (i) => (operations[i] as Placed).position >= heldFrom),
  )
  if (count === operations.length || count === 0) return { count, unstableCount }
  const closed = yield* closedCount(
    { operations, longest: count, isOrdered: keyspace.strategy.fold === 'canonical' },
    chains,
    meter,
  )
  return { count: closed, unstableCount }
}

/** How many operations there are up to the first for which `holds` is false. */
function* countWhile(
  operations: readonly Placed[],
  holds: (operation: Placed, index: number) => boolean,
  meter: Meter,
): Generator<void, number> {
  let count = 0
  while (count < operations.length && holds(operations[count] as Placed, count)) {
    count++
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return count
}

/** Whether an operation, of so many, need not be retained. Those before it need not be either. */
function unretained({ retain }: Keyspace, length: number, env: Env): (operation: Placed, index: number) => boolean {
  if (retain === 'all') return () => false
  if (retain === 'latest') return () => true
  if ('versions' in retain) {
    const { versions } = retain
    return (_operation, index) => index < length - versions
  }
  const before = env.now() - retain.forMs
  return ({ hlc }) => hlcToMs(hlc) < before
}

interface Open {
  readonly operations: readonly Placed[]
  readonly longest: number
  readonly isOrdered: boolean
}

/**
 * Shortens the prefix until everything behind it observed all of it and, where order matters, comes
 * after it.
 */
function* closedCount(
  { operations, longest, isOrdered }: Open,
  chains: ChainReader,
  meter: Meter,
): Generator<void, number> {
  const prefix = new Prefix(operations, longest)
  for (let i = 0; i < longest; i++) {
    prefix.take(i)
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  let count = longest
  // What is cut off the prefix lies behind it then: it is looked at as well, later in this loop.
  for (let i = operations.length - 1; i >= count && count > 0; i--) {
    const later = operations[i] as Placed
    const reader = chains.read(later.position)
    count = Math.min(count, prefix.firstUnobserved(reader), isOrdered ? prefix.firstFrom(later.hlc) : count)
    meter.spend(1, reader.end - reader.start)
    if (meter.isSpent) yield
  }
  return count
}

/**
 * The operations that might be folded, so that the first one which an operation had not seen is
 * found without looking at all.
 */
class Prefix {
  readonly #operations: readonly Placed[]
  /**
   * By replica, the places of its operations. One replica's operations arrive in the order of their
   * sequences.
   */
  readonly #places = new Map<ReplicaId, number[]>()
  /** The greatest stamp up to each place. */
  readonly #greatest: Float64Array

  constructor(operations: readonly Placed[], length: number) {
    this.#operations = operations
    this.#greatest = new Float64Array(length)
  }

  /** Takes the operations in, one after the other. */
  take(i: number): void {
    const { replica, hlc } = this.#operations[i] as Placed
    this.#greatest[i] = i === 0 ? hlc : Math.max(this.#greatest[i - 1]!, hlc)
    const places = this.#places.get(replica)
    if (places === undefined) this.#places.set(replica, [i])
    else places.push(i)
  }

  /**
   * The place of the first operation up to which the writer of `later` had not seen all of its
   * replica.
   */
  firstUnobserved(later: OperationReader): number {
    let first = this.#greatest.length
    for (const [replica, places] of this.#places) {
      // Who has seen all up to an operation has seen the earlier ones of its writer. A single dot
      // does not say so.
      const at = firstIndex(places.length, (i) => {
        return !later.observedThrough(replica, (this.#operations[places[i] as number] as Placed).sequence)
      })
      if (at < places.length) first = Math.min(first, places[at] as number)
    }
    return first
  }

  /** The place of the first operation that is stamped `hlc` or later. */
  firstFrom(hlc: Hlc): number {
    return firstIndex(this.#greatest.length, (i) => this.#greatest[i]! >= hlc)
  }
}

/** The first index below `length` from which on `holds` is true; it must not become false again. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
