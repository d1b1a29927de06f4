/**
 * Takes in the state of another replica (`snapshot-stream.ts`). It checks what arrives and puts it
 * aside in the log. When all is there, the state is built beside the present one and takes its place
 * at once (`resync.ts`). Until then reads, writes and what this replica tells its peers stay what
 * they were, so a transfer that ends midway leaves nothing behind. What this replica holds beyond
 * the snapshot is not lost (see leftovers.ts).
 */
import type { Hlc } from '../../crdt/time/hlc.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Hold } from '../log/holds.ts'
import { RECORD_KIND } from '../log/log.ts'
import { readPart, type PartOf } from '../merge/snapshot-parts.ts'
import { checkSnapshot, readEntries, readVector, type SnapshotHead } from '../merge/snapshot-record.ts'
import { finishNow, UNBOUNDED, type Meter } from '../operation/budget.ts'
import { EndedIds } from '../operation/ended-ids.ts'
import { Reissued } from '../operation/names/reissued.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { textOf } from '../operation/text.ts'
import type { SnapshotImport } from './snapshot-ports.ts'
import { ITEM, itemsIn } from './snapshot-stream.ts'
import type { Position } from '../operation/position.ts'

const NO_BYTES = new Uint8Array(0)
/** To decode a larger state would take more than a step: whoever reads the key does. */
const CHECKED_STATE_BYTES_MAX = 262_144

/** What the stream says of its sender. */
export interface Sender {
  readonly floor: VersionVector
  readonly retired: VectorEntries
  readonly ended: EndedIds
  readonly reissued: Reissued
}

/** A state that has arrived as a whole. */
export interface Arrived {
  readonly sender: Sender
  /** The records of the log in which it lies, in their order. */
  readonly chunks: readonly Position[]
}

export interface StateImportOptions {
  readonly store: KeyStore
  /** Keeps compaction away until the transfer is over, one way or the other. */
  readonly hold: Hold
  /** Puts the state that has arrived in the place of the present one, in steps. */
  readonly takeOver: (arrived: Arrived, meter: Meter) => Generator<void, void>
}

export class StateImport implements SnapshotImport {
  readonly #options: StateImportOptions
  readonly #store: KeyStore
  readonly #aside: Position[] = []
  /** How long each of them is. */
  readonly #asideBytes: number[] = []
  readonly #reader: OperationReader
  #rest: Uint8Array = NO_BYTES
  #floor = new VersionVector()
  #retired: VectorEntries = []
  #ended = new EndedIds()
  #reissued = new Reissued()
  /** The parts of a state whose snapshot has not come yet. */
  #parts: { readonly of: PartOf; readonly bytes: number[] } | undefined
  #isOver = false
  /** What takes the state over, between two steps. */
  #takingOver: Generator<void, void> | undefined

  constructor(options: StateImportOptions) {
    this.#options = options
    this.#store = options.store
    this.#reader = new OperationReader(options.store.table)
  }

  chunk(bytes: Uint8Array): void {
    finishNow(this.chunkSteps(bytes, UNBOUNDED))
  }

  *chunkSteps(bytes: Uint8Array, meter: Meter): Generator<void, void> {
    const joined = this.#rest.length === 0 ? bytes : concatenated(this.#rest, bytes)
    const { items, whole } = itemsIn(joined)
    for (const { type, start, end } of items) {
      this.#check(type, joined, start, end)
      meter.spend(1, end - start)
      if (meter.isSpent) yield
    }
    this.#rest = joined.slice(whole)
    if (whole === 0) return
    const { log } = this.#store
    log.begin().raw(joined, 0, whole)
    this.#aside.push(log.commit(RECORD_KIND.chunk, 0))
    this.#asideBytes.push(whole)
  }

  finish(): void {
    finishNow(this.steps(UNBOUNDED))
  }

  *steps(meter: Meter): Generator<void, void> {
    // Its records are garbage by now: a state made of them would lack whatever compaction has taken.
    if (this.#isOver) throw new ByteReader(this.#rest).malformed('a snapshot that was given up or installed before')
    if (this.#rest.length > 0 || this.#parts !== undefined)
      throw new ByteReader(this.#rest).malformed('a snapshot that ends in the middle of an item')
    const sender = { floor: this.#floor, retired: this.#retired, ended: this.#ended, reissued: this.#reissued }
    const steps = this.#options.takeOver({ sender, chunks: this.#aside }, meter)
    try {
      while (steps.next().done !== true) {
        this.#takingOver = steps
        yield
        this.#takingOver = undefined
      }
    } finally {
      steps.return()
    }
    this.#end()
  }

  abandon(): void {
    this.#takingOver?.return()
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const [i, position] of this.#aside.entries()) this.#store.log.discard(position, this.#asideBytes[i])
    this.#options.hold.release()
  }

  /** Throws `WARP_E_PROTOCOL`. */
  #check(type: number, bytes: Uint8Array, start: number, end: number): void {
    const { table } = this.#store
    if (type === ITEM.part) {
      this.#part(bytes, start, end)
      return
    }
    if (type === ITEM.snapshot) {
      this.#snapshot(bytes, start, end)
      return
    }
    if (this.#parts !== undefined) throw withoutSnapshot(bytes, start)
    if (type === ITEM.floor) this.#floor = readVector(new ByteReader(bytes, start, end), table)
    else if (type === ITEM.retired) this.#retired = [...readEntries(new ByteReader(bytes, start, end), table)]
    else if (type === ITEM.ended) this.#ended = EndedIds.read(new ByteReader(bytes, start, end), table)
    else if (type === ITEM.reissued) this.#reissued = Reissued.read(new ByteReader(bytes, start, end), table)
    else {
      const operation = this.#reader.load(bytes, start, end)
      const { keyStart, keyEnd, hlc } = operation
      if (operation.hasFields) operation.checkFields()
      textOf(bytes, keyStart, keyEnd)
      this.#checkStamp(hlc)
    }
  }

  #part(bytes: Uint8Array, start: number, end: number): void {
    const { key, strategy, stateStart } = readPart(bytes, start, end, this.#store.table)
    this.#parts ??= { of: { key, strategy }, bytes: [] }
    if (!isOf(this.#parts.of, { key, strategy })) throw withoutSnapshot(bytes, start)
    this.#parts.bytes.push(end - stateStart)
  }

  /** The parts of its state have come just before. */
  #snapshot(bytes: Uint8Array, start: number, end: number): void {
    const head = checkSnapshot({ bytes, start, end }, this.#store.table, CHECKED_STATE_BYTES_MAX)
    const parts = this.#parts
    this.#parts = undefined
    const isWhole = parts === undefined ? head.parts === undefined : isOf(parts.of, head) && isAllOf(parts.bytes, head)
    if (!isWhole) throw withoutSnapshot(bytes, start)
    this.#checkStamp(head.hlc)
  }

  /** What comes in a snapshot may move the clock no further than what comes by itself. */
  #checkStamp(hlc: Hlc): void {
    if (!this.#store.clock.isAhead(hlc)) return
    throw new WarpError(
      'WARP_E_CLOCK_DRIFT',
      'a snapshot holds an operation from the future; set the clocks, it is asked for again later',
    )
  }
}

function isOf(part: PartOf, { key, strategy }: PartOf): boolean {
  return part.key === key && part.strategy === strategy
}

function isAllOf(bytes: readonly number[], { parts = [] }: SnapshotHead): boolean {
  return bytes.length === parts.length && parts.every((part, i) => part.bytes === bytes[i])
}

function withoutSnapshot(bytes: Uint8Array, at: number): WarpError {
  return new ByteReader(bytes, at).malformed('a part of a state without its snapshot, or the other way round')
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}
