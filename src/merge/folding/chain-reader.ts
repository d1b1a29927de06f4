/**
 * Reads a key's chain from the log: from its head back along the links to where its snapshot
 * begins. It knows nothing of folds.
 */
import { decode } from '../../../crdt/encoding/encoding.ts'
import { compareStamps } from '../../../crdt/time/hlc.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { RECORD_KIND, type Log, type RecordView } from '../../log/log.ts'
import { finishNow, STEP, UNBOUNDED, type Meter } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'
import type { Chain } from '../chain.ts'
import type { Placed, PlacedRecord } from '../placed.ts'
import { Resident } from '../resident.ts'
import { bytesInParts, hasParts, stateBytesSteps, type SnapshotPart } from '../snapshot-parts.ts'
import { readSnapshotHead, type KeySnapshot, type SnapshotHead } from '../snapshot-record.ts'
import { decodeStateSteps } from '../state-encoding.ts'

/** How many operations, and how many bytes of them. */
export interface Extent {
  readonly operations: number
  readonly bytes: number
}

/** However many. */
export const ALL: Extent = { operations: Infinity, bytes: Infinity }

export class ChainReader {
  /** The operation that was read last. */
  readonly operation: OperationReader
  readonly #log: Log
  readonly #table: ReplicaTable

  constructor(log: Log, table: ReplicaTable) {
    this.#log = log
    this.#table = table
    this.operation = new OperationReader(table)
  }

  /** The record at a position: an operation or a snapshot. */
  record(position: Position): RecordView {
    return this.#log.record(position)
  }

  /** Reads the operation at a position. Valid until the next one is read. */
  read(position: Position): OperationReader {
    return this.load(this.#log.record(position))
  }

  /** Reads a record that holds an operation. */
  load(record: RecordView): OperationReader {
    return this.operation.load(record.bytes, record.start, record.end)
  }

  /** Reads a record that holds a snapshot, and the parts of its state. */
  snapshot(record: RecordView): KeySnapshot {
    const { stateStart, ...head } = this.head(record)
    if (head.parts === undefined) return { ...head, state: decode(record.bytes, stateStart, record.end) }
    const state = stateBytesSteps(this.#log, { record, head: { ...head, stateStart } }, this.#table, UNBOUNDED)
    return { ...head, state: decode(finishNow(state)) }
  }

  /** Where the parts of a snapshot's state lie, if it has any. */
  partsOf(snapshot: Position): readonly SnapshotPart[] {
    return snapshot === 0 ? [] : (this.head(this.#log.record(snapshot)).parts ?? [])
  }

  /** The records that a snapshot consists of, and how long they are, about. */
  recordsOf(snapshot: Position): readonly Pick<PlacedRecord, 'position' | 'bytes'>[] {
    if (snapshot === 0) return []
    const { start, end } = this.#log.record(snapshot)
    return [...this.partsOf(snapshot), { position: snapshot, bytes: end - start }]
  }

  /** Reads what a snapshot says of its state. */
  head(record: RecordView): SnapshotHead {
    return readSnapshotHead(record.bytes, record.start, record.end, this.#table)
  }

  /** Whether the state below is more than is decoded in one step. */
  isBaseLong({ snapshot: position }: Chain): boolean {
    if (position === 0) return false
    const record = this.#log.record(position)
    const { bytes, start, end } = record
    if (end - start > STEP.bytes) return true
    return hasParts(bytes, start) && bytesInParts(this.head(record).parts) > STEP.bytes
  }

  /** Whether the record at a key's tip leaves a value, for all that can be told by itself. */
  holdsValue(tip: Position): boolean {
    const record = this.record(tip)
    if (record.kind === RECORD_KIND.snapshot) return this.head(record).present
    return this.load(record).kind !== OPERATION_KIND.delete
  }

  /** Whether the record at a key's tip is a touch. */
  isTouch(tip: Position): boolean {
    const record = this.record(tip)
    return record.kind === RECORD_KIND.operation && this.load(record).kind === OPERATION_KIND.touch
  }

  placed(position: Position): Placed {
    const reader = this.read(position)
    const { hlc, replica, sequence, kind, strategy, lifeMs } = reader
    return { hlc, replica, sequence, kind, strategy, lifeMs, position, origin: reader.origin() }
  }

  /**
   * The strategy that wrote what lies at a key's tip; 0 if that is a delete or a touch, or holds
   * nothing.
   */
  strategyAt(tip: Position): number {
    const record = this.record(tip)
    if (record.kind === RECORD_KIND.snapshot) {
      const { present, strategy } = this.head(record)
      return present ? strategy : 0
    }
    const { kind, strategy } = this.load(record)
    return kind === OPERATION_KIND.update ? strategy : 0
  }

  /**
   * The state that the operations after `chain.cut` are applied to. A snapshot by another strategy
   * makes none: what comes of the key is left to the whole fold.
   */
  base(strategy: AnyStrategy, chain: Chain): Resident {
    return finishNow(this.baseSteps(strategy, chain, UNBOUNDED))
  }

  /** The same in steps, for whoever can wait. */
  *baseSteps(strategy: AnyStrategy, chain: Chain, meter: Meter): Generator<void, Resident> {
    if (chain.snapshot === 0) return new Resident(strategy.initial(), chain.cut)
    const record = this.#log.record(chain.snapshot)
    const head = this.head(record)
    if (head.strategy !== strategy.code) return otherBase(strategy, chain, head)
    const weight = record.end - record.start + bytesInParts(head.parts)
    const bytes = yield* stateBytesSteps(this.#log, { record, head }, this.#table, meter)
    const state = yield* decodeStateSteps(strategy, bytes, meter)
    const resident = new Resident(state, chain.cut, head)
    resident.bytes = weight
    if (head.present) resident.baseStrategy = strategy.code
    return resident
  }

  /** The operations after `chain.cut`, in the order in which they arrived. */
  operations(chain: Chain): PlacedRecord[] {
    return finishNow(this.operationsSteps(chain, UNBOUNDED))
  }

  /** The same in steps, for whoever can wait. `chain` must not be a view that moves meanwhile. */
  *operationsSteps({ head, cut }: Chain, meter: Meter): Generator<void, PlacedRecord[]> {
    const operations: PlacedRecord[] = []
    for (let position = head; position > cut;) {
      const record = this.#log.record(position)
      const { previous } = record
      const reader = this.load(record)
      const { hlc, replica, sequence, kind, strategy, lifeMs } = reader
      const bytes = record.end - record.start
      operations.push({ hlc, replica, sequence, kind, strategy, lifeMs, position, origin: reader.origin(), bytes })
      position = previous
      meter.spend(1, bytes)
      if (meter.isSpent) yield
    }
    return operations.reverse()
  }

  /**
   * From the head back to (not including) `after`: newest first. `undefined` if there are more than
   * `within` says.
   */
  positionsAfter(head: Position, after: Position, within: Extent): Position[] | undefined {
    const positions: Position[] = []
    let bytes = 0
    for (let position = head; position > after;) {
      if (positions.length >= within.operations || bytes > within.bytes) return undefined
      positions.push(position)
      const record = this.#log.record(position)
      position = record.previous
      bytes += record.end - record.start
    }
    return positions
  }

  /** The same in steps, `count` of them at most. */
  *positionsSteps(
    { head }: Pick<Chain, 'head'>,
    { after, count = Infinity }: { readonly after: Position; readonly count?: number },
    meter: Meter,
  ): Generator<void, Position[]> {
    const positions: Position[] = []
    for (let position = head; position > after && positions.length < count;) {
      positions.push(position)
      const record = this.#log.record(position)
      position = record.previous
      meter.spend(1, record.end - record.start)
      if (meter.isSpent) yield
    }
    return positions
  }

  readonly readPlaced = ({ position }: Placed): OperationReader => this.read(position)

  readonly isBefore = (a: Position, b: Position): boolean => compareStamps(this.placed(a), this.placed(b)) < 0
}

function otherBase(strategy: AnyStrategy, chain: Chain, snapshot: SnapshotHead): Resident {
  const resident = new Resident(strategy.initial(), chain.cut, snapshot)
  resident.present = false
  resident.hasOthers = true
  resident.isSpoilt = true
  if (snapshot.present) resident.baseStrategy = snapshot.strategy
  return resident
}
