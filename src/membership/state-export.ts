/**
 * Writes the state of this replica for another one, piece by piece (`snapshot-stream.ts`). What is
 * exported is settled when the export begins; later writes do not show, and compaction has to wait.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Hold } from '../log/holds.ts'
import type { KeyStore } from '../store/key-store.ts'
import { RECORD_KIND, type RecordView } from '../log/log.ts'
import { hasParts, type SnapshotPart } from '../merge/snapshot-parts.ts'
import { UNBOUNDED, type Meter } from '../operation/budget.ts'
import { isOfKey } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { writeVector, type VectorEntries } from '../operation/envelope/vector-entries.ts'
import { textOf } from '../operation/text.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import type { Reissued } from '../operation/names/reissued.ts'
import type { RetiredIds } from '../operation/retired-ids.ts'
import type { SnapshotExport } from './snapshot-ports.ts'
import { BROKEN, isShared, ITEM, writeItem } from './snapshot-stream.ts'
import type { Position } from '../operation/position.ts'

/**
 * Records of the log looked at for one chunk, some 100 µs, before it is seen whether there is
 * enough.
 */
const RECORDS_PER_STEP = 512

export interface StateExportOptions {
  readonly floor: VersionVector
  readonly retired: RetiredIds
  readonly ended: EndedIds
  readonly reissued: Reissued
  readonly chunkBytes: number
  /** Whether an operation that belongs to no key still says anything. */
  readonly isAsideNeeded: (operation: OperationReader) => boolean
  /** Keeps compaction away for as long as there is something to export. */
  readonly hold: Hold
}

export class StateExport implements SnapshotExport {
  readonly vector: VersionVector
  readonly #store: KeyStore
  readonly #chunkBytes: number
  readonly #writer = new ByteWriter(64 * 1024)
  readonly #reader: OperationReader
  readonly #items: Iterator<void>
  readonly #hold: Hold
  readonly #isAsideNeeded: (operation: OperationReader) => boolean
  readonly #generation: number
  readonly #end: Position
  /** What the present call spends from. */
  #meter: Meter = UNBOUNDED
  #isDone = false

  constructor(store: KeyStore, options: StateExportOptions) {
    const { keys } = store
    this.#store = store
    this.#chunkBytes = options.chunkBytes
    this.#hold = options.hold
    this.#isAsideNeeded = options.isAsideNeeded
    this.#reader = new OperationReader(store.table)
    this.vector = store.applied.copy()
    this.#generation = keys.generation
    this.#end = store.log.end
    // Settled now, as the vector is: ids may be pruned before the first chunk is asked for.
    this.#writeVector(ITEM.floor, options.floor.sorted())
    this.#writeVector(ITEM.retired, options.retired.entries())
    if (options.ended.size > 0) this.#writeSet(ITEM.ended, options.ended)
    if (!options.reissued.isEmpty) this.#writeSet(ITEM.reissued, options.reissued)
    this.#items = this.#write()
  }

  next(): Uint8Array | undefined
  next(meter: Meter): Uint8Array | undefined | null
  next(meter: Meter = UNBOUNDED): Uint8Array | undefined | null {
    if (this.#isDone) return undefined
    this.#meter = meter
    const writer = this.#writer
    while (writer.at - writer.start < this.#chunkBytes && this.#items.next().done !== true) {
      if (meter.isSpent) return null
    }
    const bytes = writer.take()
    writer.reset()
    if (bytes.length === 0) {
      this.close()
      return undefined
    }
    writer.raw(bytes, Math.min(bytes.length, this.#chunkBytes), bytes.length)
    return bytes.subarray(0, this.#chunkBytes)
  }

  close(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#hold.release()
  }

  /** Writes a little at each step. */
  *#write(): Generator<void> {
    const { keys } = this.#store
    for (let slot = 0; slot < keys.slotsUsed; slot++) {
      const position = keys.snapshot[slot]!
      if (position > 0 && isShared(this.#store, slot)) {
        if (this.#isBroken()) return
        yield* this.#writeSnapshot(position)
      } else if (slot % RECORDS_PER_STEP === 0) {
        this.#meter.spend(1, 0)
        yield
      }
    }
    for (let position: Position = 0; position < this.#end && !this.#isBroken();) {
      position = this.#writeOperations(position)
      yield
    }
  }

  /** The parts of its state come first. */
  *#writeSnapshot(snapshot: Position): Generator<void> {
    for (const { position } of this.#partsOf(snapshot)) {
      this.#writeRecord(ITEM.part, position)
      yield
    }
    this.#writeRecord(ITEM.snapshot, snapshot)
    yield
  }

  #partsOf(snapshot: Position): readonly SnapshotPart[] {
    const { bytes, start } = this.#store.log.record(snapshot)
    return hasParts(bytes, start) ? this.#store.folder.chains.partsOf(snapshot) : []
  }

  #writeRecord(type: number, position: Position): void {
    const { bytes, start, end } = this.#store.log.record(position)
    this.#writeItem(type, bytes, start, end)
    this.#meter.spend(1, end - start)
  }

  #writeOperations(from: Position): Position {
    let left = RECORDS_PER_STEP
    return this.#store.log.scan(from, (record) => {
      if (record.position >= this.#end) return false
      this.#meter.spend(1, record.end - record.start)
      if (record.kind === RECORD_KIND.operation && this.#isExported(record)) {
        this.#writeItem(ITEM.operation, record.bytes, record.start, record.end)
      }
      return --left > 0 && !this.#meter.isSpent && this.#writer.at - this.#writer.start < this.#chunkBytes
    })
  }

  #isExported(record: RecordView): boolean {
    const operation = this.#reader.load(record.bytes, record.start, record.end)
    const { bytes, keyStart, keyEnd, replica, sequence } = operation
    // What belongs to no key is in no snapshot.
    if (!isOfKey(operation.kind)) return this.vector.includes(replica, sequence) && this.#isAsideNeeded(operation)
    const slot = this.#store.keys.find(textOf(bytes, keyStart, keyEnd))
    // The hold keeps cuts where they are. Keys that are new begin behind the end of the export.
    return slot !== undefined && isShared(this.#store, slot) && record.position > this.#store.keys.cut[slot]!
  }

  /**
   * The state that is exported has been replaced by another one: the receiver has to begin again.
   */
  #isBroken(): boolean {
    if (this.#store.keys.generation === this.#generation) return false
    this.#writer.u8(BROKEN)
    this.#writer.varint(0)
    return true
  }

  #writeVector(type: number, entries: VectorEntries): void {
    const vector = new ByteWriter()
    writeVector(vector, entries, this.#store.table)
    const bytes = vector.take()
    this.#writeItem(type, bytes, 0, bytes.length)
  }

  #writeSet(type: number, set: EndedIds | Reissued): void {
    const writer = new ByteWriter()
    set.write(writer, this.#store.table)
    const bytes = writer.take()
    this.#writeItem(type, bytes, 0, bytes.length)
  }

  #writeItem(type: number, bytes: Uint8Array, start: number, end: number): void {
    writeItem(this.#writer, { type, bytes, start, end })
  }
}
