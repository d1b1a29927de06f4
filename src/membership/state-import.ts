/**
 * Takes in the state of another replica (`snapshot-stream.ts`). It checks what arrives and puts it
 * aside in the log. Only when all is there does it replace the own state, key by key and in one go,
 * and forgets keys that the peer no longer has; until then reads, writes and what this replica
 * tells its peers stay what they were, so a transfer that ends midway leaves nothing behind. What
 * this replica holds beyond the snapshot is not lost (see leftovers.ts).
 */
import { formatDot } from '../../crdt/time/dot.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Compactor } from '../compaction/compactor.ts'
import type { Garbage } from '../compaction/garbage.ts'
import type { Tally } from '../compaction/tally.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { Slot } from '../keys/key-table.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Hold } from '../log/holds.ts'
import { RECORD_KIND } from '../log/log.ts'
import { readEntries, readSnapshot, readVector, writeSnapshot } from '../merge/snapshot-record.ts'
import { departureIn, takeDeparture, type Departures } from '../operation/departures.ts'
import { EndedIds } from '../operation/ended-ids.ts'
import { Reissued } from '../operation/names/reissued.ts'
import { isOfKey } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { installSnapshot } from '../store/recovered.ts'
import { forgetKey } from '../compaction/forgotten.ts'
import { textOf } from '../operation/text.ts'
import type { SnapshotImport } from './snapshot-ports.ts'
import { eachItem, isShared, ITEM } from './snapshot-stream.ts'
import type { Position } from '../operation/position.ts'

const NO_BYTES = new Uint8Array(0)

/** What the stream says of its sender. */
export interface Sender {
  readonly floor: VersionVector
  readonly retired: VectorEntries
  readonly ended: EndedIds
  readonly reissued: Reissued
}

/** What has to happen around the replacement of a state. */
export interface TakingOver {
  /** All has come and is right: the state is going to be replaced. */
  begin(sender: Sender): void
  /** The state has been replaced. */
  end(sender: Sender): void
}

export interface StateImportOptions {
  readonly store: KeyStore
  readonly tally: Tally
  readonly garbage: Garbage
  readonly compactor: Compactor
  readonly departures: Departures
  /** Keeps compaction away until the transfer is over, one way or the other. */
  readonly hold: Hold
  readonly takingOver: TakingOver
}

export class StateImport implements SnapshotImport {
  readonly #options: StateImportOptions
  readonly #store: KeyStore
  readonly #aside: Position[] = []
  readonly #installed = new Set<string>()
  /** Names of operations that have come and belong to no key. */
  readonly #ofNoKey = new Set<string>()
  readonly #reader: OperationReader
  #rest: Uint8Array = NO_BYTES
  #floor = new VersionVector()
  #retired: VectorEntries = []
  #ended = new EndedIds()
  #reissued = new Reissued()
  #isOver = false

  constructor(options: StateImportOptions) {
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
    // Its records are garbage by now: a state made of them would lack whatever compaction has taken.
    if (this.#isOver) throw new ByteReader(this.#rest).malformed('a snapshot that was given up or installed before')
    if (this.#rest.length > 0)
      throw new ByteReader(this.#rest).malformed('a snapshot that ends in the middle of an item')
    const { store, takingOver } = this.#options
    const sender = { floor: this.#floor, retired: this.#retired, ended: this.#ended, reissued: this.#reissued }
    takingOver.begin(sender)
    for (const position of this.#aside) this.#install(position)
    for (const slot of [...store.keys.occupied()]) {
      if (isShared(store, slot) && !this.#installed.has(store.keys.keys[slot] as string)) this.#forget(slot)
    }
    this.#end()
    takingOver.end(sender)
  }

  abandon(): void {
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const position of this.#aside) this.#store.log.discard(position)
    this.#options.hold.release()
  }

  /** Throws `WARP_E_PROTOCOL`. */
  #check(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === ITEM.floor) this.#floor = readVector(new ByteReader(bytes, start, end), this.#store.table)
    else if (type === ITEM.retired)
      this.#retired = [...readEntries(new ByteReader(bytes, start, end), this.#store.table)]
    else if (type === ITEM.ended) this.#ended = EndedIds.read(new ByteReader(bytes, start, end), this.#store.table)
    else if (type === ITEM.reissued)
      this.#reissued = Reissued.read(new ByteReader(bytes, start, end), this.#store.table)
    else if (type === ITEM.snapshot) this.#checkStamp(readSnapshot(bytes, start, end, this.#store.table).hlc)
    else {
      const operation = this.#reader.load(bytes, start, end)
      const { keyStart, keyEnd, hlc } = operation
      if (operation.hasFields) operation.checkFields()
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
    if (!keyspace.domain.isSent) return
    const slot = this.#beginKey(snapshot.key) ?? store.addKey(snapshot.key, keyspace, store.log.end)
    const moved = { ...snapshot, through: store.log.end, version: snapshot.baseVersion }
    writeSnapshot(store.log.begin(), moved, store.table)
    installSnapshot(store.keys, slot, moved, store.log.commit(RECORD_KIND.snapshot, 0))
    store.clock.observe(snapshot.hlc)
    store.values.residency.outdate(slot)
  }

  #installOperation(bytes: Uint8Array, start: number, end: number): void {
    const store = this.#store
    const operation = this.#reader.load(bytes, start, end)
    if (!isOfKey(operation.kind)) {
      this.#installAside(operation)
      return
    }
    const key = textOf(bytes, operation.keyStart, operation.keyEnd)
    const keyspace = store.keyspaceFor(key, undefined)
    if (!keyspace.domain.isSent) return
    const slot = this.#beginKey(key)
    store.log.begin().raw(bytes, start, end)
    const position = store.log.commit(RECORD_KIND.operation, slot === undefined ? 0 : store.keys.head[slot]!)
    store.clock.observe(operation.hlc)
    this.#options.tally.add()
    this.#options.compactor.note(store.take(key, slot, keyspace, position, operation))
  }

  /**
   * It belongs to no key. What had been applied before is in the log, or is not needed there any more.
   */
  #installAside(operation: OperationReader): void {
    const { replica, sequence, bytes, start, end } = operation
    const { log, applied, clock, table } = this.#store
    const name = formatDot(operation)
    if (applied.includes(replica, sequence) || this.#ofNoKey.has(name)) return
    this.#ofNoKey.add(name)
    log.begin().raw(bytes, start, end)
    log.commit(RECORD_KIND.operation, 0)
    clock.observe(operation.hlc)
    const note = departureIn(operation, table)
    const { departures } = this.#options
    if (note !== undefined) takeDeparture(note, operation, { departures, ended: table.ended })
  }

  /**
   * At the first item of a key, forgets what this replica had of it. Returns the key's slot if it
   * has one now.
   */
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
    this.#options.garbage.note(forgetKey(store, slot))
    this.#options.tally.drop(operations.length)
  }
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}
