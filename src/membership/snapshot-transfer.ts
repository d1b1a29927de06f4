/**
 * Whole-state transfer, for a replica that is behind what its peers have compacted. The stream is the sender's floor, the ids that have ended for it, the
 * snapshots of its keys, and all operations behind them, in the order of the sender's log; chunks are pieces of the stream, cut anywhere:
 *
 *     stream = item*        item = type:u8 bytes:varint body        type 1: snapshot record, 2: envelope, 3: the floor, a vector, 4: ended ids, alike
 *
 * The receiver checks what arrives and puts it aside in its log. Only when all is there does it replace its own state, key by key and in one go,
 * and forgets keys that the peer no longer has; until then reads, writes and what it tells its peers stay what they were, so a transfer
 * that ends midway leaves nothing behind. What it holds beyond the snapshot is not lost (see leftovers.ts).
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { Slot } from '../keys/key-table.ts'
import type { KeyStore } from '../store/key-store.ts'
import { RECORD_KIND, type RecordView } from '../log/log.ts'
import { readEntries, readSnapshot, readVector, writeSnapshot } from '../merge/snapshot-record.ts'
import { OperationReader } from '../operation/operation-reader.ts'
import { writeVector, type VectorEntries } from '../operation/vector-entries.ts'
import { installSnapshot } from '../store/recovered.ts'
import { type Forgotten } from '../store/forgotten.ts'
import { textOf } from '../operation/text.ts'
import { forgetKey } from '../store/forgotten.ts'
import type { RetiredIds } from '../operation/retired-ids.ts'
import type { SnapshotExport, SnapshotImport } from './snapshot-ports.ts'
import type { Position } from '../operation/position.ts'

export const ITEM = { snapshot: 1, operation: 2, floor: 3, retired: 4 } as const
/** No item: what the receiver makes of a stream that cannot be finished. */
const BROKEN = 0xff
/** As large as a record of the log. */
const ITEM_BYTES_MAX = 0xffffff
/** Records of the log looked at for one chunk, some 100 µs, before it is seen whether there is enough. */
const RECORDS_PER_STEP = 512
const NO_BYTES = new Uint8Array(0)

export interface SnapshotReaderOptions {
  readonly floor: VersionVector
  readonly retired: RetiredIds
  readonly chunkBytes: number
  readonly done: () => void
}

/** What is exported is settled when the export begins; later writes do not show, and compaction has to wait. */
export class SnapshotReader implements SnapshotExport {
  readonly vector: VersionVector
  readonly #store: KeyStore
  readonly #chunkBytes: number
  readonly #writer = new ByteWriter(64 * 1024)
  readonly #reader: OperationReader
  readonly #items: Iterator<void>
  readonly #done: () => void
  /** Of the keys that are exported, by slot; of all others infinity. */
  readonly #cuts: Float64Array
  readonly #generation: number
  readonly #end: Position
  #isDone = false

  constructor(store: KeyStore, options: SnapshotReaderOptions) {
    const { keys } = store
    this.#store = store
    this.#chunkBytes = options.chunkBytes
    this.#done = options.done
    this.#reader = new OperationReader(store.table)
    this.vector = store.applied.copy()
    this.#generation = keys.generation
    this.#end = store.log.end
    this.#cuts = new Float64Array(keys.slotsUsed).fill(Number.POSITIVE_INFINITY)
    const snapshots: Position[] = []
    for (const slot of keys.occupied()) {
      if (!isShared(store, slot)) continue
      this.#cuts[slot] = keys.cut[slot]!
      if (keys.snapshot[slot]! > 0) snapshots.push(keys.snapshot[slot]!)
    }
    this.#items = this.#write(options.floor.sorted(), options.retired.entries(), snapshots)
  }

  next(): Uint8Array | undefined {
    if (this.#isDone) return undefined
    const writer = this.#writer
    while (writer.at - writer.start < this.#chunkBytes && this.#items.next().done !== true) {
      // Until the chunk is full or nothing is left.
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
    this.#done()
  }

  /** Writes a little at each step. */
  *#write(floor: VectorEntries, retired: VectorEntries, snapshots: readonly Position[]): Generator<void> {
    const { log } = this.#store
    this.#writeVector(ITEM.floor, floor)
    this.#writeVector(ITEM.retired, retired)
    yield
    for (const position of snapshots) {
      if (this.#isBroken()) return
      const { bytes, start, end } = log.record(position)
      this.#writeItem(ITEM.snapshot, bytes, start, end)
      yield
    }
    for (let position: Position = 0; position < this.#end && !this.#isBroken();) {
      position = this.#writeOperations(position)
      yield
    }
  }

  #writeOperations(from: Position): Position {
    let left = RECORDS_PER_STEP
    return this.#store.log.scan(from, (record) => {
      if (record.position >= this.#end) return false
      if (record.kind === RECORD_KIND.operation && this.#isExported(record)) {
        this.#writeItem(ITEM.operation, record.bytes, record.start, record.end)
      }
      return --left > 0 && this.#writer.at - this.#writer.start < this.#chunkBytes
    })
  }

  #isExported(record: RecordView): boolean {
    const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
    const slot = this.#store.keys.find(textOf(bytes, keyStart, keyEnd))
    return slot !== undefined && slot < this.#cuts.length && record.position > this.#cuts[slot]!
  }

  /** The state that is exported has been replaced by another one: the receiver has to begin again. */
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

  #writeItem(type: number, bytes: Uint8Array, start: number, end: number): void {
    writeItem(this.#writer, { type, bytes, start, end })
  }
}

export interface SnapshotItem {
  readonly type: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export function writeItem(writer: ByteWriter, { type, bytes, start, end }: SnapshotItem): void {
  writer.u8(type)
  writer.varint(end - start)
  writer.raw(bytes, start, end)
}

export interface SnapshotWriterOptions {
  readonly store: KeyStore
  /** All has come and is right: the state is going to be replaced. */
  readonly onInstall: () => void
  /** The state has been replaced. Both are the sender's. */
  readonly onInstalled: (floor: VersionVector, retired: VectorEntries) => void
  /** A key had so many operations and has been forgotten. */
  readonly onForgotten: (forgotten: Forgotten, operationsCount: number) => void
  /** An operation has become part of a key. */
  readonly onOperation: (slot: Slot) => void
  /** The transfer is over, one way or the other. */
  readonly onEnd: () => void
}

export class SnapshotWriter implements SnapshotImport {
  readonly #options: SnapshotWriterOptions
  readonly #store: KeyStore
  readonly #aside: Position[] = []
  readonly #installed = new Set<string>()
  readonly #reader: OperationReader
  #rest: Uint8Array = NO_BYTES
  #floor = new VersionVector()
  #retired: VectorEntries = []
  #isOver = false

  constructor(options: SnapshotWriterOptions) {
    this.#options = options
    this.#store = options.store
    this.#reader = new OperationReader(options.store.table)
  }

  chunk(bytes: Uint8Array): void {
    const joined = this.#rest.length === 0 ? bytes : concatenated(this.#rest, bytes)
    const whole = eachItem(joined, (type, start, end) => this.#check(type, joined, start, end))
    this.#rest = joined.slice(whole)
    if (whole === 0) return
    const { log } = this.#store
    log.begin().raw(joined, 0, whole)
    this.#aside.push(log.commit(RECORD_KIND.chunk, 0))
  }

  finish(): void {
    if (this.#rest.length > 0)
      throw new ByteReader(this.#rest).malformed('a snapshot that ends in the middle of an item')
    const { store, onInstall, onInstalled } = this.#options
    onInstall()
    for (const position of this.#aside) this.#install(position)
    for (const slot of [...store.keys.occupied()]) {
      if (isShared(store, slot) && !this.#installed.has(store.keys.keys[slot] as string)) this.#forget(slot)
    }
    this.#end()
    onInstalled(this.#floor, this.#retired)
  }

  abandon(): void {
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const position of this.#aside) this.#store.log.discard(position)
    this.#options.onEnd()
  }

  /** Throws `WARP_E_PROTOCOL`. */
  #check(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === ITEM.floor) this.#floor = readVector(new ByteReader(bytes, start, end), this.#store.table)
    else if (type === ITEM.retired)
      this.#retired = [...readEntries(new ByteReader(bytes, start, end), this.#store.table)]
    else if (type === ITEM.snapshot) this.#checkStamp(readSnapshot(bytes, start, end, this.#store.table).hlc)
    else {
      const { keyStart, keyEnd, hlc } = this.#reader.load(bytes, start, end)
      textOf(bytes, keyStart, keyEnd)
      this.#checkStamp(hlc)
    }
  }

  /** What comes in a snapshot may move the clock no further than what comes by itself. */
  #checkStamp(hlc: Hlc): void {
    if (!this.#store.clock.isAhead(hlc)) return
    throw new WarpError(
      'WARP_E_CLOCK_DRIFT',
      'a snapshot holds an operation from the future; set the clocks, it is asked for again later',
    )
  }

  #install(position: Position): void {
    const record = this.#store.log.record(position)
    const bytes = record.bytes.slice(record.start, record.end)
    eachItem(bytes, (type, start, end) => {
      if (type === ITEM.snapshot) this.#installSnapshot(bytes, start, end)
      if (type === ITEM.operation) this.#installOperation(bytes, start, end)
    })
  }

  #installSnapshot(bytes: Uint8Array, start: number, end: number): void {
    const store = this.#store
    const snapshot = readSnapshot(bytes, start, end, store.table)
    const keyspace = store.keyspaceFor(snapshot.key, undefined)
    if (keyspace.mode === 'local') return
    const slot = this.#beginKey(snapshot.key) ?? store.addKey(snapshot.key, keyspace, store.log.end)
    const moved = { ...snapshot, through: store.log.end, version: snapshot.baseVersion }
    writeSnapshot(store.log.begin(), moved, store.table)
    installSnapshot(store.keys, slot, moved, store.log.commit(RECORD_KIND.snapshot, 0))
    store.clock.observe(snapshot.hlc)
    store.residency.outdate(slot)
  }

  #installOperation(bytes: Uint8Array, start: number, end: number): void {
    const store = this.#store
    const operation = this.#reader.load(bytes, start, end)
    const key = textOf(bytes, operation.keyStart, operation.keyEnd)
    const keyspace = store.keyspaceFor(key, undefined)
    if (keyspace.mode === 'local') return
    const slot = this.#beginKey(key)
    store.log.begin().raw(bytes, start, end)
    const position = store.log.commit(RECORD_KIND.operation, slot === undefined ? 0 : store.keys.head[slot]!)
    store.clock.observe(operation.hlc)
    this.#options.onOperation(store.take(key, slot, keyspace, position, operation))
  }

  /** At the first item of a key, forgets what this replica had of it. Returns the key's slot if it has one now. */
  #beginKey(key: string): Slot | undefined {
    const slot = this.#store.keys.find(key)
    if (this.#installed.has(key)) return slot
    this.#installed.add(key)
    if (slot !== undefined) this.#forget(slot)
    return undefined
  }

  #forget(slot: Slot): void {
    const store = this.#store
    const { head, snapshot, cut } = store.chain(slot)
    const operations = store.folder.chains.operations({ head, snapshot, cut })
    for (const { position } of operations) store.log.discard(position)
    if (snapshot > 0) store.log.discard(snapshot)
    this.#options.onForgotten(forgetKey(store, slot), operations.length)
  }
}

/** Calls `visit` for each item that is there as a whole. Returns where they end. Throws `WARP_E_PROTOCOL`. */
export function eachItem(bytes: Uint8Array, visit: (type: number, start: number, end: number) => void): number {
  let whole = 0
  while (bytes.length - whole >= ITEM_HEADER_BYTES_MAX || hasHeader(bytes, whole)) {
    const reader = new ByteReader(bytes, whole)
    const type = reader.u8()
    const count = reader.varint()
    if (type < ITEM.snapshot || type > ITEM.retired) throw reader.malformed(`an item of type ${type}`)
    if (count > ITEM_BYTES_MAX) throw reader.malformed(`an item of ${count} bytes`)
    if (count > reader.remaining) break
    visit(type, reader.at, reader.at + count)
    whole = reader.at + count
  }
  return whole
}

/** A type and the longest number. */
const ITEM_HEADER_BYTES_MAX = 9

/** Whether the number behind the type ends before the bytes do. */
function hasHeader(bytes: Uint8Array, at: number): boolean {
  return bytes.subarray(at + 1).some((byte) => byte < 0x80)
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

function isShared(store: KeyStore, slot: Slot): boolean {
  return store.keyspaceFor('', slot).mode !== 'local'
}
