/**
 * The fold: from a key's chain in the log to its state. Lazy: it walks from the head back to what has been folded and applies the
 * difference, so that a burst of operations, late ones too, costs one fold at the next read.
 *
 * What it guarantees: the state is a pure function of the set of operations, whatever order they arrived in. For `'any'` folds
 * because concurrent operations commute and the chain is in causal order; for `'canonical'` ones because late operations rewind
 * the timeline; and where an operation cancels others without having seen everything, because the key is folded again from
 * its operations, leaving out what is cancelled.
 */
import { decode } from '../../crdt/encoding.ts'
import { compareStamps, type Hlc, type Stamp } from '../../crdt/hlc.ts'
import type { ReplicaId } from '../../crdt/replica-id.ts'
import type { AnyStrategy, Applied } from '../../crdt/strategy.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import { OPERATION_KIND, OperationReader, type ReplicaTable } from '../operation.ts'
import type { Position } from '../replication/store.ts'
import { Resident } from './resident.ts'
import { readSnapshot } from './snapshot-record.ts'
import { Timeline } from './timeline.ts'

/** Where a key's operations are. */
export interface Chain {
  readonly head: Position
  /** The snapshot that stands for the records up to `cut`; 0 if there is none. */
  readonly snapshot: Position
  readonly cut: Position
}

/** One operation of a key, by its place. */
export interface Placed extends Stamp {
  readonly position: Position
  readonly kind: number
}

/** The operation that a strategy is looking at. One object for all, valid during one call. */
class AppliedView implements Applied<never> {
  hlc: Hlc = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  payload = undefined as never
  readonly #reader: OperationReader

  constructor(reader: OperationReader) {
    this.#reader = reader
  }

  load(payload: unknown): this {
    this.hlc = this.#reader.hlc
    this.replica = this.#reader.replica
    this.sequence = this.#reader.sequence
    this.payload = payload as never
    return this
  }

  observed(replica: ReplicaId, sequence: number): boolean {
    return this.#reader.observed(replica, sequence)
  }
}

export class Folder {
  readonly #log: Log
  readonly #table: ReplicaTable
  readonly #reader: OperationReader
  readonly #view: AppliedView

  constructor(log: Log, table: ReplicaTable) {
    this.#log = log
    this.#table = table
    this.#reader = new OperationReader(table)
    this.#view = new AppliedView(this.#reader)
  }

  /** Brings `resident` (or nothing) up to the chain's head. Throws `WARP_E_UNKNOWN_OP` if the chain holds what cannot be folded. */
  fold(strategy: AnyStrategy, chain: Chain, resident: Resident | undefined): Resident {
    if (resident !== undefined && resident.folded === chain.head) return resident
    const start = resident ?? this.base(strategy, chain)
    const pending = this.#positionsAfter(chain.head, start.folded)
    const folded =
      strategy.fold === 'canonical' ? this.#foldInOrder(strategy, start, pending) : this.#foldArrivals(strategy, start, pending)
    return folded ?? this.#foldAnew(strategy, chain)
  }

  /** The state that the operations after `chain.cut` are applied to. */
  base(strategy: AnyStrategy, chain: Chain): Resident {
    if (chain.snapshot === 0) return new Resident(strategy.initial(), chain.cut)
    const record = this.#log.record(chain.snapshot)
    const snapshot = readSnapshot(record.bytes, record.start, record.end, this.#table)
    if (snapshot.strategy !== strategy.code) throw cannotFold(strategy, `a snapshot by strategy ${snapshot.strategy}`)
    const resident = new Resident(strategy.decodeState(snapshot.state), chain.cut, snapshot)
    resident.bytes = record.end - record.start
    return resident
  }

  /** The value that one operation, or the snapshot at its place, makes by itself: all that counts for the fold `'last'`. */
  foldTip(strategy: AnyStrategy, position: Position): { value: unknown; bytes: number } {
    const record = this.#log.record(position)
    if (record.kind === RECORD_KIND.snapshot) {
      const { state, present } = readSnapshot(record.bytes, record.start, record.end, this.#table)
      return { value: present ? strategy.read(strategy.decodeState(state)) : undefined, bytes: record.end - record.start }
    }
    const reader = this.#reader.load(record.bytes, record.start, record.end)
    if (reader.kind === OPERATION_KIND.delete) return { value: undefined, bytes: 0 }
    this.#assertFoldable(strategy, reader)
    const { bytes, payloadStart, end } = reader
    const state = strategy.apply(strategy.initial(), this.#view.load(decode(bytes, payloadStart, end)))
    return { value: strategy.read(state), bytes: end - payloadStart }
  }

  /** The operations after `chain.cut`, in the order in which they arrived. */
  operations(chain: Chain): Placed[] {
    return this.#positionsAfter(chain.head, chain.cut)
      .reverse()
      .map((position) => this.#placed(position))
  }

  /** Folds exactly `operations` (in any order) onto the base. */
  foldOf(strategy: AnyStrategy, chain: Chain, operations: readonly Placed[]): Resident {
    const resident = this.base(strategy, chain)
    const ordered = [...operations].sort(compareStamps)
    const cancelled = this.cancelled(strategy, ordered)
    if (strategy.fold === 'canonical') resident.timeline = new Timeline(resident)
    for (const operation of ordered) if (cancelled.get(operation) === 'base') this.#cancelInBase(strategy, resident, operation)
    for (const operation of ordered) {
      if (!cancelled.has(operation)) this.#applyAt(strategy, resident, operation.position)
      else resident.take(operation)
    }
    resident.folded = newest(operations, chain.cut)
    resident.hasCancelled = cancelled.size > 0
    if (resident.timeline !== undefined) resident.timeline.insert(ordered, this.#isBefore)
    return resident
  }

  /**
   * Which of the operations have no effect of their own: those that another one cancels (`'cancelled'`), and the cancellers themselves
   * (`'base'`: they observed the whole base, so what they cancel there is cancelled first).
   */
  cancelled(strategy: AnyStrategy, operations: readonly Placed[]): Map<Placed, 'cancelled' | 'base'> {
    const result = new Map<Placed, 'cancelled' | 'base'>()
    for (const canceller of operations) {
      const covers = this.#coverage(strategy, canceller)
      if (covers === undefined) continue
      result.set(canceller, 'base')
      for (const operation of operations) {
        if (operation === canceller || result.get(operation) === 'base') continue
        if (this.#observes(canceller, operation) && covers(operation)) result.set(operation, 'cancelled')
      }
    }
    return result
  }

  /** Which of the operations, given in canonical order, the strategy refuses to apply. Folds them all. */
  rejected(
    strategy: AnyStrategy,
    chain: Chain,
    ordered: readonly Placed[],
    cancelled: ReadonlyMap<Placed, unknown>,
  ): Set<Placed> {
    const resident = this.base(strategy, chain)
    const rejected = new Set<Placed>()
    for (const operation of ordered) {
      if (cancelled.has(operation)) continue
      const before = resident.rejectedCount
      this.#applyAt(strategy, resident, operation.position)
      if (resident.rejectedCount > before) rejected.add(operation)
    }
    return rejected
  }

  /** Reads the operation at a position. Valid until the folder reads the next one. */
  read(position: Position): OperationReader {
    const record = this.#log.record(position)
    return this.#reader.load(record.bytes, record.start, record.end)
  }

  payload(position: Position): unknown {
    const { bytes, payloadStart, end } = this.read(position)
    return decode(bytes, payloadStart, end)
  }

  #foldArrivals(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    for (let i = pending.length - 1; i >= 0; i--) {
      const position = pending[i] as Position
      if (!this.#applyNext(strategy, resident, position)) return undefined
    }
    return resident
  }

  #foldInOrder(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    const arrivals = pending.map((position) => this.#placed(position)).reverse()
    const isInOrder = arrivals.every((placed, i) => {
      const previous = i === 0 ? undefined : arrivals[i - 1]
      return previous === undefined ? resident.isBehind(placed) : compareStamps(previous, placed) < 0
    })
    if (!isInOrder && (resident.hasCancelled || this.#anyCancels(strategy, arrivals))) return undefined
    resident.timeline ??= new Timeline(resident)
    if (isInOrder) return this.#append(strategy, resident, arrivals)
    return this.#rewind(strategy, resident, arrivals)
  }

  #append(strategy: AnyStrategy, resident: Resident, arrivals: readonly Placed[]): Resident | undefined {
    const timeline = resident.timeline as Timeline
    for (const placed of arrivals) {
      if (!this.#applyNext(strategy, resident, placed.position)) return undefined
      timeline.insert([placed], this.#isBefore)
      timeline.offer(timeline.length, resident)
    }
    return resident
  }

  /** Goes back to before the earliest newcomer and replays from there. */
  #rewind(strategy: AnyStrategy, resident: Resident, arrivals: readonly Placed[]): Resident {
    const timeline = resident.timeline as Timeline
    const first = timeline.insert([...arrivals].sort(compareStamps), this.#isBefore)
    const restart = timeline.restart(first)
    resident.state = restart.state
    resident.present = restart.present
    for (let i = restart.index; i < timeline.length; i++) {
      this.#applyAt(strategy, resident, timeline.position(i))
      timeline.offer(i + 1, resident)
    }
    resident.folded = (arrivals.at(-1) as Placed).position
    return resident
  }

  #foldAnew(strategy: AnyStrategy, chain: Chain): Resident {
    const resident = this.foldOf(strategy, chain, this.operations(chain))
    resident.folded = chain.head
    return resident
  }

  /** Applies the next operation of the chain. `false` if it cancels something without having seen everything folded so far. */
  #applyNext(strategy: AnyStrategy, resident: Resident, position: Position): boolean {
    const reader = this.read(position)
    if (this.#isCanceller(strategy, reader)) {
      if (!this.#observesAll(resident)) return false
      resident.hasCancelled = true
    }
    this.#applyRead(strategy, resident)
    resident.folded = position
    return true
  }

  #applyAt(strategy: AnyStrategy, resident: Resident, position: Position): void {
    this.read(position)
    this.#applyRead(strategy, resident)
  }

  /** Applies the operation that has just been read. */
  #applyRead(strategy: AnyStrategy, resident: Resident): void {
    const reader = this.#reader
    if (reader.kind === OPERATION_KIND.delete) {
      this.#clear(strategy, resident)
      resident.take(reader)
      return
    }
    this.#assertFoldable(strategy, reader)
    resident.bytes += reader.end - reader.payloadStart
    resident.take(reader)
    const { bytes, payloadStart, end } = reader
    try {
      resident.state = strategy.apply(resident.state, this.#view.load(decode(bytes, payloadStart, end)))
      resident.present = true
    } catch {
      // The strategy refuses it, here as on every replica: the operation stays in the log and has no effect.
      resident.rejectedCount++
    }
  }

  #cancelInBase(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    const reader = this.read(operation.position)
    if (operation.kind === OPERATION_KIND.delete) this.#clear(strategy, resident)
    else {
      const { bytes, payloadStart, end } = reader
      resident.state = strategy.apply(resident.state, this.#view.load(decode(bytes, payloadStart, end)))
    }
  }

  #isCanceller(strategy: AnyStrategy, reader: OperationReader): boolean {
    if (reader.kind === OPERATION_KIND.delete) return strategy.deletes === 'observed'
    if (strategy.cancels === undefined) return false
    const { bytes, payloadStart, end } = reader
    return strategy.cancels(decode(bytes, payloadStart, end)) !== undefined
  }

  #clear(strategy: AnyStrategy, resident: Resident): void {
    resident.state = strategy.initial()
    resident.present = false
  }

  /** What an operation cancels among those that it observed; `undefined` if it cancels nothing. */
  #coverage(strategy: AnyStrategy, operation: Placed): ((earlier: Placed) => boolean) | undefined {
    if (operation.kind === OPERATION_KIND.delete) return strategy.deletes === 'observed' ? () => true : undefined
    const covers = strategy.cancels?.(this.payload(operation.position))
    if (covers === undefined) return undefined
    return (earlier) => earlier.kind === OPERATION_KIND.update && covers(this.payload(earlier.position))
  }

  #anyCancels(strategy: AnyStrategy, operations: readonly Placed[]): boolean {
    return operations.some((operation) => this.#coverage(strategy, operation) !== undefined)
  }

  #observes(later: Placed, earlier: Placed): boolean {
    return this.read(later.position).observed(earlier.replica, earlier.sequence)
  }

  /** Whether the operation being read has seen everything that `resident` has taken in. */
  #observesAll(resident: Resident): boolean {
    for (const [replica, sequence] of resident.vector.entries()) {
      if (!this.#reader.observed(replica, sequence)) return false
    }
    return true
  }

  #assertFoldable(strategy: AnyStrategy, reader: OperationReader): void {
    if (reader.kind !== OPERATION_KIND.update) throw cannotFold(strategy, `an operation of kind ${reader.kind}`)
    if (reader.strategy !== strategy.code) throw cannotFold(strategy, `an operation by strategy ${reader.strategy}`)
  }

  /** From the head back to (not including) `after`: newest first. */
  #positionsAfter(head: Position, after: Position): Position[] {
    const positions: Position[] = []
    for (let position = head; position > after; position = this.#log.record(position).previous) positions.push(position)
    return positions
  }

  /** How many records of the chain lie behind `position`. */
  countAfter(head: Position, position: Position): number {
    return this.#positionsAfter(head, position).length
  }

  #placed(position: Position): Placed {
    const { hlc, replica, sequence, kind } = this.read(position)
    return { hlc, replica, sequence, kind, position }
  }

  readonly #isBefore = (a: Position, b: Position): boolean => compareStamps(this.#placed(a), this.#placed(b)) < 0
}

function cannotFold(strategy: AnyStrategy, what: string): WarpError {
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `the key holds ${what}, which its strategy '${strategy.kind}' (code ${strategy.code}) cannot fold; ` +
      'it is kept and forwarded; upgrade this replica, or register the key with the strategy that wrote it',
    { details: { strategy: strategy.kind, code: strategy.code } },
  )
}

function newest(operations: readonly Placed[], otherwise: Position): Position {
  let greatest = otherwise
  for (const { position } of operations) if (position > greatest) greatest = position
  return greatest
}
