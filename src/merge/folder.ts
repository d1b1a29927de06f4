/**
 * The fold: from a key's chain in the log to its state. Lazy: it walks from the head back to what has been folded and applies the
 * difference, so that a burst of operations, late ones too, costs one fold at the next read.
 *
 * What it guarantees: the state is a pure function of the set of operations, whatever order they arrived in. For `'any'` folds
 * because concurrent operations commute and the chain is in causal order; for `'canonical'` ones because late operations rewind
 * the timeline; and where an operation cancels others without having seen everything, because the key is folded again from
 * its operations, leaving out what is cancelled.
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import { compareStamps } from '../../crdt/time/hlc.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import { OPERATION_KIND, OperationReader, type ReplicaTable } from '../operation/envelope.ts'
import { textOf } from '../operation/text.ts'
import type { Position } from '../operation/position.ts'
import { AppliedView } from './applied-view.ts'
import { cannotFold } from './cannot-fold.ts'
import { cancelledBy, isCanceller } from './cancellation.ts'
import type { Chain } from './chain.ts'
import { isOver, lastBirth } from './lives.ts'
import type { Placed } from './placed.ts'
import { Resident, settled } from './resident.ts'
import { readSnapshot } from './snapshot-record.ts'
import { Timeline } from './timeline.ts'

/** An operation that its strategy refused to apply. */
export interface Rejection {
  readonly key: string
  readonly dot: Dot
  readonly error: Error
}

/** Rejections remembered, so that folding again does not report them again. */
const REPORTED_MAX = 4096

export class Folder {
  readonly #log: Log
  readonly #table: ReplicaTable
  readonly #reader: OperationReader
  readonly #view: AppliedView
  readonly #onRejected: (rejection: Rejection) => void
  readonly #reported = new Set<Position>()
  /** Of the key that is being folded. */
  #lifeMs = 0

  /** `onRejected` is told once of each operation that is skipped, as far as the last few thousand are remembered. */
  constructor(log: Log, table: ReplicaTable, onRejected: (rejection: Rejection) => void) {
    this.#log = log
    this.#table = table
    this.#onRejected = onRejected
    this.#reader = new OperationReader(table)
    this.#view = new AppliedView(this.#reader)
  }

  /** Brings `resident` (or nothing) up to the chain's head. Throws `WARP_E_UNKNOWN_OP` if the chain holds what cannot be folded. */
  fold(strategy: AnyStrategy, chain: Chain, resident: Resident | undefined): Resident {
    if (resident !== undefined && resident.folded === chain.head) return resident
    const start = resident ?? this.base(strategy, chain)
    const pending = this.#positionsAfter(chain.head, start.folded)
    this.#lifeMs = chain.lifeMs ?? 0
    return settled(strategy, this.#foldPending(strategy, start, pending) ?? this.#foldAnew(strategy, chain))
  }

  /** The state that the operations after `chain.cut` are applied to. */
  base(strategy: AnyStrategy, chain: Chain): Resident {
    if (chain.snapshot === 0) return new Resident(strategy.initial(), chain.cut)
    const record = this.#log.record(chain.snapshot)
    const snapshot = readSnapshot(record.bytes, record.start, record.end, this.#table)
    if (snapshot.strategy !== strategy.code) throw cannotFold(strategy, `a snapshot by strategy ${snapshot.strategy}`)
    const state: unknown = strategy.decodeState(snapshot.state)
    const resident = new Resident(state, chain.cut, snapshot)
    resident.bytes = record.end - record.start
    return resident
  }

  /** The value of a fold `'last'`: what the operation at `tip`, or the snapshot in its place, makes by itself. */
  foldTip(strategy: AnyStrategy, chain: Chain, tip: Position): { value: unknown; bytes: number } {
    const record = this.#log.record(tip)
    if (record.kind === RECORD_KIND.snapshot) {
      const { state, present } = readSnapshot(record.bytes, record.start, record.end, this.#table)
      return {
        value: present ? strategy.read(strategy.decodeState(state)) : undefined,
        bytes: record.end - record.start,
      }
    }
    const reader = this.#reader.load(record.bytes, record.start, record.end)
    if (reader.kind === OPERATION_KIND.delete) return { value: undefined, bytes: 0 }
    this.#assertFoldable(strategy, reader)
    const { bytes, payloadStart, end } = reader
    try {
      const state: unknown = strategy.apply(strategy.initial(), this.#view.load(decode(bytes, payloadStart, end)))
      return { value: strategy.read(state), bytes: end - payloadStart }
    } catch (error) {
      // It has no effect, so the greatest of the others counts.
      this.#reject(tip, error)
      const resident = this.#foldAnew(strategy, chain)
      return { value: resident.present ? strategy.read(resident.state) : undefined, bytes: resident.bytes }
    }
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
    this.#applyLastLife(strategy, resident, ordered, chain.lifeMs ?? 0)
    resident.folded = newest(operations, chain.cut)
    return settled(strategy, resident)
  }

  #applyLastLife(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[], lifeMs: number): void {
    const birth = lastBirth(resident, ordered, lifeMs)
    const isFirst = birth < 0
    const bornAt = isFirst && resident.hasTip ? resident.hlc : ordered[Math.max(birth, 0)]?.hlc
    const alive = isFirst ? ordered : ordered.slice(birth)
    for (const operation of ordered.slice(0, ordered.length - alive.length))
      this.#passOver(strategy, resident, operation)
    if (!isFirst) this.#clear(strategy, resident)
    if (strategy.fold === 'last') this.#applyGreatest(strategy, resident, alive)
    else this.#applyUncancelled(strategy, resident, alive)
    resident.hasCancelled ||= !isFirst
    resident.bornAt = bornAt ?? 0
  }

  #applyUncancelled(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[]): void {
    const cancelled = cancelledBy(strategy, ordered, this.#readPlaced)
    if (strategy.fold === 'canonical') resident.timeline = new Timeline(resident)
    for (const operation of ordered)
      if (cancelled.get(operation) === 'base') this.#cancelInBase(strategy, resident, operation)
    for (const operation of ordered) {
      if (!cancelled.has(operation)) this.#applyAt(strategy, resident, operation.position)
      else this.#passOver(strategy, resident, operation)
    }
    resident.hasCancelled = cancelled.size > 0
    resident.timeline?.insert(ordered, this.#isBefore)
  }

  /** The greatest operation that is not rejected. */
  #applyGreatest(strategy: AnyStrategy, resident: Resident, ordered: readonly Placed[]): void {
    for (let i = ordered.length - 1; i >= 0; i--) {
      const before = resident.rejectedCount
      this.#applyAt(strategy, resident, (ordered[i] as Placed).position)
      if (resident.rejectedCount === before) break
    }
    for (const operation of ordered) resident.take(operation)
  }

  /** Takes in an operation that is cancelled. One that cannot be understood blocks the key all the same, as it does when it is met first. */
  #passOver(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    if (operation.kind !== OPERATION_KIND.delete && strategy.fold !== 'last')
      this.#assertFoldable(strategy, this.read(operation.position))
    resident.take(operation)
  }

  /** The index of the operation that began the present life, -1 if there was never another; see `lives.ts`. */
  birth(strategy: AnyStrategy, chain: Chain, ordered: readonly Placed[]): number {
    return strategy.fold === 'last' ? -1 : lastBirth(this.base(strategy, chain), ordered, chain.lifeMs ?? 0)
  }

  /** See {@link cancelledBy}. */
  cancelled(strategy: AnyStrategy, operations: readonly Placed[]): Map<Placed, 'cancelled' | 'base'> {
    return cancelledBy(strategy, operations, this.#readPlaced)
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
    if (this.birth(strategy, chain, ordered) >= 0) this.#clear(strategy, resident)
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

  /** Applies the operations behind what `resident` holds, newest first. `undefined` if all have to be folded anew. */
  #foldPending(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    switch (strategy.fold) {
      case 'last':
        return this.#foldLast(strategy, resident, pending)
      case 'any':
        return this.#foldArrivals(strategy, resident, pending)
      case 'canonical':
        return this.#foldInOrder(strategy, resident, pending)
    }
  }

  #foldArrivals(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    for (let i = pending.length - 1; i >= 0; i--) {
      const position = pending[i] as Position
      if (!this.#applyNext(strategy, resident, position)) return undefined
    }
    return resident
  }

  /** Applies the greatest of the newcomers, if it is the greatest of all. A rejected one counts for nothing, so then all are looked at. */
  #foldLast(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    const placed = pending.map((position) => this.#placed(position)).sort(compareStamps)
    const last = placed.at(-1)
    if (last !== undefined && resident.isBehind(last)) this.#applyAt(strategy, resident, last.position)
    for (const operation of placed) resident.take(operation)
    resident.folded = pending[0] ?? resident.folded
    return resident.rejectedCount > 0 ? undefined : resident
  }

  #foldInOrder(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    const arrivals = pending.map((position) => this.#placed(position)).reverse()
    const isInOrder = arrivals.every((placed, i) => {
      const previous = i === 0 ? undefined : arrivals[i - 1]
      return previous === undefined ? resident.isBehind(placed) : compareStamps(previous, placed) < 0
    })
    if (!isInOrder && (this.#lifeMs > 0 || resident.hasCancelled || this.#anyCancels(strategy, arrivals)))
      return undefined
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
    if (this.#lifeMs > 0 && !this.#enterLife(strategy, resident)) return false
    if (isCanceller(strategy, reader)) {
      if (!this.#observesAll(resident)) return false
      resident.hasCancelled = true
    }
    this.#applyRead(strategy, resident, position)
    resident.folded = position
    return true
  }

  /** Begins another life if the present one was over when the operation being read was written. `false` if it belongs to an earlier one. */
  #enterLife(strategy: AnyStrategy, resident: Resident): boolean {
    const reader = this.#reader
    if (!resident.isBehind(reader)) return reader.hlc >= resident.bornAt
    if (!resident.hasTip) resident.bornAt = reader.hlc
    else if (isOver(resident.hlc, reader.hlc, this.#lifeMs)) {
      this.#clear(strategy, resident)
      resident.hasCancelled = true
      resident.bornAt = reader.hlc
    }
    return true
  }

  #applyAt(strategy: AnyStrategy, resident: Resident, position: Position): void {
    this.read(position)
    this.#applyRead(strategy, resident, position)
  }

  /** Applies the operation that has just been read. */
  #applyRead(strategy: AnyStrategy, resident: Resident, position: Position): void {
    const reader = this.#reader
    if (reader.kind === OPERATION_KIND.delete) {
      this.#clear(strategy, resident)
      resident.take(reader)
      return
    }
    this.#assertFoldable(strategy, reader)
    const { bytes, payloadStart, end } = reader
    const before: unknown = strategy.fold === 'last' ? strategy.initial() : resident.state
    try {
      resident.state = strategy.apply(before, this.#view.load(decode(bytes, payloadStart, end)))
      resident.present = true
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) throw error
      // The strategy refuses it, here as on every replica: the operation stays in the log and has no effect.
      resident.rejectedCount++
      this.#reject(position, error)
    }
    resident.bytes += end - payloadStart
    resident.take(reader)
  }

  #reject(position: Position, cause: unknown): void {
    if (this.#reported.has(position)) return
    if (this.#reported.size >= REPORTED_MAX) this.#reported.clear()
    this.#reported.add(position)
    const { bytes, keyStart, keyEnd, replica, sequence } = this.read(position)
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#onRejected({ key: textOf(bytes, keyStart, keyEnd), dot: { replica, sequence }, error })
  }

  #cancelInBase(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    const { bytes, payloadStart, end } = this.read(operation.position)
    // One that has not (it was issued again, see leftovers.ts) cancels nothing there: replicas that have not compacted would not follow.
    if (!this.#observesAll(resident)) return
    if (operation.kind === OPERATION_KIND.delete) this.#clear(strategy, resident)
    else {
      resident.state = strategy.apply(resident.state, this.#view.load(decode(bytes, payloadStart, end)))
    }
  }

  #clear(strategy: AnyStrategy, resident: Resident): void {
    resident.state = strategy.initial()
    resident.present = false
  }

  #anyCancels(strategy: AnyStrategy, operations: readonly Placed[]): boolean {
    return operations.some((operation) => isCanceller(strategy, this.read(operation.position)))
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

  readonly #readPlaced = ({ position }: Placed): OperationReader => this.read(position)

  readonly #isBefore = (a: Position, b: Position): boolean => compareStamps(this.#placed(a), this.#placed(b)) < 0
}

function newest(operations: readonly Placed[], otherwise: Position): Position {
  let greatest = otherwise
  for (const { position } of operations) if (position > greatest) greatest = position
  return greatest
}
