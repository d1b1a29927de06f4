/**
 * From the log back to memory: reads what `Log.open` replays, and writes the checkpoint that makes
 * the next opening quick. A checkpoint is the key table as bytes; it is only ever a shortcut for
 * reading the records that it covers.
 *
 *     checkpoint = version:u8 metaPosition:f64 meta operations:varint dots forgotten:varint (position:f64 through:f64)*
 *                  forgottenThrough:f64 feeds:varint (name:text position:f64)* keys:varint key*
 *                  [ kept:varint (key:text position:f64 through:f64)* [ expiredThroughMs:f64 [ strategies [ leases ] ] ] ]
 *     strategies = (code:u8)* mixed:varint (key:text)*      a code for each key, in their order; 0: not known, or mixed
 *     leases     = as in aside/lease-book.ts
 *     key        = key:text head:f64 tip:f64 hlc:f64 replica:8 sequence:varint lifeMs:varint version:varint snapshot:f64 cut:f64 vector
 */
import { REPLICA_ID_BYTES, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { finishNow, UNBOUNDED, type Meter } from '../operation/budget.ts'
import { departureIn, Departures, takeDeparture } from '../operation/departures.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { DotIndex } from '../operation/dot-index.ts'
import { KeyTable, type Slot } from '../keys/key-table.ts'
import { endOfLife, type Keyspace, type Keyspaces } from '../keys/keyspace.ts'
import { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import { RECORD_KIND, type RecordView } from '../log/log.ts'
import { isPart } from '../merge/snapshot-parts.ts'
import { readVector, readSnapshotHead, type KeySnapshot } from '../merge/snapshot-record.ts'
import { readKeptPlace } from '../merge/kept-record.ts'
import { AsideRecords } from './aside/aside-records.ts'
import { readEnded, readMeta, saysWhoEnded, type Meta } from './meta-record.ts'
import { leaseNoteIn } from '../operation/leases/lease-note.ts'
import { isOfKey, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { isOrderedId } from '../operation/names/ordered-id.ts'
import { Reissued } from '../operation/names/reissued.ts'
import { textOf } from '../operation/text.ts'
import type { Position } from '../operation/position.ts'

/** A key of one letter takes that much in a checkpoint. */
const CHECKPOINT_KEY_BYTES_MIN = 54

/** In the place of a key, in a note that all are forgotten: no key is empty. */
const ALL_KEYS = ''

/** What is looked at of a record. */
type ReadRecord = Pick<RecordView, 'kind' | 'position' | 'bytes' | 'start' | 'end'>

/** A note that a key has been forgotten, for as long as there may be older records of the key. */
export interface Forgotten {
  readonly position: Position
  /** The last position at which there can be any. */
  readonly through: Position
}

/** What a log holds, as far as memory needs to know. */
export class Recovered {
  readonly keys: KeyTable = new KeyTable()
  readonly dots: DotIndex = new DotIndex()
  readonly applied: VersionVector = new VersionVector()
  readonly floor: VersionVector = new VersionVector()
  meta: Meta | undefined
  /** Where the newest meta record lies; older ones are garbage. */
  metaPosition: Position = 0
  hlc = 0
  /** First names of operations that are part of the state as somebody has issued them again. */
  readonly reissued: Reissued = new Reissued()
  /** Operations written to keys of mode `local`. */
  localSequence = 0
  operationsCount = 0
  readonly forgotten: Forgotten[] = []
  /** Parts of states of which no snapshot says that they are: how many bytes lie where. */
  readonly orphans: Map<Position, number> = new Map<Position, number>()
  /** Who takes part no more, and who is away. */
  readonly departures: Departures = new Departures()
  /** Operations that belong to no key. */
  readonly asides: AsideRecords = new AsideRecords()
  /** How far those who follow the log have come. */
  readonly feeds: FeedCheckpoints = new FeedCheckpoints()
  readonly #keyspaces: Keyspaces
  readonly #table: ReplicaTable
  readonly #reader: OperationReader
  readonly #hasLocalKeys: boolean
  /**
   * Records of local keys in front of the first meta record, which says whose they are: compaction
   * keeps only the newest one.
   */
  readonly #early: ReadRecord[] = []

  constructor(keyspaces: Keyspaces, table: ReplicaTable) {
    this.#keyspaces = keyspaces
    this.#hasLocalKeys = keyspaces.list.some(({ domain }) => !domain.isSent)
    this.#table = table
    this.#reader = new OperationReader(table)
  }

  /** Takes one record in, in log order. */
  record(record: ReadRecord): void {
    // It counts once the snapshot is there that says where it lies.
    if (isPart(record)) this.orphans.set(record.position, record.end - record.start)
    else if (this.meta === undefined && this.#isOfLocalKey(record)) {
      const bytes = record.bytes.slice(record.start, record.end)
      this.#early.push({ kind: record.kind, position: record.position, bytes, start: 0, end: bytes.length })
    } else this.#take(record)
  }

  #take(record: ReadRecord): void {
    switch (record.kind) {
      case RECORD_KIND.operation:
        this.#operation(record)
        return
      case RECORD_KIND.snapshot:
        this.#snapshot(record)
        return
      case RECORD_KIND.kept:
        this.#kept(record)
        return
      case RECORD_KIND.forget:
        this.#forget(record)
        return
      case RECORD_KIND.meta:
        this.#aboutItself(record)
        return
      case RECORD_KIND.checkpoint:
        this.feeds.record(record)
        return
      default:
        // A later version's record: it stays where it is.
        return
    }
  }

  /** Reads a checkpoint in one go, see `restoreSteps`. */
  restoreNow(body: Uint8Array): void {
    finishNow(this.restoreSteps(body, UNBOUNDED))
  }

  /** Reads a checkpoint, some keys at a time. Throws `WARP_E_LOG_VERSION`, `WARP_E_PROTOCOL`. */
  *restoreSteps(body: Uint8Array, meter: Meter): Generator<void, void> {
    const reader = new ByteReader(body)
    const version = reader.u8()
    if (!this.#table.formats.reads(version)) {
      throw new WarpError(
        'WARP_E_LOG_VERSION',
        `a checkpoint of format ${version}; this build reads up to format ${this.#table.formats.highest}`,
      )
    }
    this.metaPosition = reader.f64()
    this.#meta(readMeta(reader, this.#table), this.metaPosition)
    this.operationsCount = reader.varint()
    this.dots.read(reader, this.#table)
    for (let left = reader.varint(); left > 0; left--)
      this.forgotten.push({ position: reader.f64(), through: reader.f64() })
    this.keys.forgottenThrough = reader.f64()
    for (let left = reader.varint(); left > 0; left--) this.feeds.note({ name: reader.text(), position: reader.f64() })
    const count = reader.varint()
    this.keys.reserve(Math.min(count, Math.floor(reader.remaining / CHECKPOINT_KEY_BYTES_MIN)))
    for (let left = count; left > 0; left--) {
      const from = reader.at
      this.#readKey(reader)
      meter.spend(1, reader.at - from)
      if (meter.isSpent) yield
    }
    // Checkpoints of earlier builds end here.
    if (!reader.isAtEnd) yield* this.#readKept(reader, meter)
    if (!reader.isAtEnd) this.keys.expiredThroughMs = reader.f64()
    if (!reader.isAtEnd) yield* this.#readStrategies(reader, count, meter)
    if (!reader.isAtEnd) yield* this.#readLeases(reader, meter)
  }

  *#readLeases(reader: ByteReader, meter: Meter): Generator<void, void> {
    for (const lease of this.asides.leases.read(reader, this.#table)) {
      this.asides.noteKnown(lease)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
  }

  /** The slots of the keys are in the order of the checkpoint. */
  *#readStrategies(reader: ByteReader, count: number, meter: Meter): Generator<void, void> {
    const from = reader.skip(count)
    this.keys.strategy.set(reader.bytes.subarray(from, from + count))
    for (let left = reader.varint(); left > 0; left--) {
      const slot = this.keys.find(reader.text())
      if (slot !== undefined) this.keys.mixed.add(slot)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
  }

  *#readKept(reader: ByteReader, meter: Meter): Generator<void, void> {
    for (let left = reader.varint(); left > 0; left--) {
      const slot = this.keys.find(reader.text())
      const place = { position: reader.f64(), through: reader.f64() }
      if (slot !== undefined) this.keys.kept.set(slot, place)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
  }

  #operation(record: ReadRecord): void {
    const operation = this.#reader.load(record.bytes, record.start, record.end)
    const { replica, sequence, hlc } = operation
    this.#noteStamp(replica, hlc)
    if (replica === this.meta?.local) this.localSequence = sequence
    else if (
      !isOrderedId(replica) &&
      !this.#table.ended.isPruned(replica) &&
      (this.meta?.isResyncing !== true || replica === this.meta.shared)
    ) {
      this.applied.raise(replica, sequence)
      this.dots.note(replica, sequence, record.position)
      const origin = operation.origin()
      if (origin !== undefined) this.reissued.add(origin, hlc)
    }
    this.operationsCount++
    this.#chain(record, operation)
  }

  /** The clock goes on behind it. An ordered log has a clock of its own, which moves no other. */
  #noteStamp(replica: ReplicaId, hlc: Hlc): void {
    if (hlc > this.hlc && !isOrderedId(replica)) this.hlc = hlc
  }

  /** Makes an operation part of its key. */
  #chain(record: ReadRecord, operation: OperationReader): void {
    if (!isOfKey(operation.kind)) {
      this.#aside(record, operation)
      return
    }
    const { keys } = this
    const key = textOf(record.bytes, operation.keyStart, operation.keyEnd)
    const known = keys.find(key)
    const keyspace = known === undefined ? this.#keyspaceOf(key) : this.#keyspaces.list[keys.keyspace[known]!]
    // What others wrote to a key that is local here is kept for others (see admission.ts).
    if (keyspace?.domain.isSent === false && !this.staysHere(operation.replica)) return
    const slot = known ?? keys.add(key, (keyspace as Keyspace).index)
    if (known === undefined) keys.cut[slot] = record.position - 1
    if (record.position <= keys.cut[slot]!) return
    if (operation.kind === OPERATION_KIND.update) keys.noteStrategy(slot, operation.strategy)
    keys.advance(slot, operation, record.position)
  }

  /** It belongs to no key. */
  #aside({ position }: ReadRecord, operation: OperationReader): void {
    const note = departureIn(operation, this.#table)
    if (note !== undefined) takeDeparture(note, operation, { departures: this.departures, ended: this.#table.ended })
    const { replica, sequence, kind } = operation
    if (note !== undefined || kind === OPERATION_KIND.invalidate) this.asides.note(operation, note, position)
    const lease = leaseNoteIn(operation)
    if (lease !== undefined) this.asides.noteLease({ ...lease, dot: { replica, sequence }, position })
  }

  /** Whether replication sends nothing of that id. */
  staysHere(replica: ReplicaId): boolean {
    return replica === this.meta?.local || isOrderedId(replica)
  }

  #isOfLocalKey(record: ReadRecord): boolean {
    if (!this.#hasLocalKeys) return false
    switch (record.kind) {
      case RECORD_KIND.operation: {
        const { kind, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
        if (!isOfKey(kind)) return false
        return this.#keyspaces.find(textOf(record.bytes, keyStart, keyEnd))?.domain.isSent === false
      }
      case RECORD_KIND.snapshot:
      case RECORD_KIND.forget:
        return this.#isLocal(new ByteReader(record.bytes, record.start, record.end).text())
      default:
        return false
    }
  }

  #isLocal(key: string): boolean {
    return key !== ALL_KEYS && this.#keyspaces.find(key)?.domain.isSent === false
  }

  #keyspaceOf(key: string): Keyspace {
    return this.#keyspaces.find(key) ?? this.#keyspaces.unregistered
  }

  #snapshot(record: ReadRecord): void {
    const snapshot = readSnapshotHead(record.bytes, record.start, record.end, this.#table)
    this.#noteStamp(snapshot.replica, snapshot.hlc)
    for (const { position } of snapshot.parts ?? []) this.orphans.delete(position)
    this.#raiseFloor(snapshot.vector)
    installSnapshot(this.keys, this.#slotOf(snapshot.key), snapshot, record.position)
  }

  /** Whether it counts is looked at when it is read (`cache/kept-states.ts`). */
  #kept(record: ReadRecord): void {
    const { key, through } = readKeptPlace(record.bytes, record.start, record.end)
    const slot = this.keys.find(key)
    if (slot !== undefined) this.keys.kept.set(slot, { position: record.position, through })
  }

  #forget(record: ReadRecord): void {
    const reader = new ByteReader(record.bytes, record.start, record.end)
    const key = reader.text()
    const slot = this.keys.find(key)
    const through = reader.f64()
    this.forgotten.push({ position: record.position, through })
    if (key === ALL_KEYS) this.#forgetAll(through)
    if (slot === undefined || this.keys.head[slot]! > through) return
    this.#raiseFloor(this.keys.vector(slot))
    this.#noteEnd(slot, this.#keyspaces.list[this.keys.keyspace[slot]!] as Keyspace)
    this.keys.remove(slot)
  }

  /**
   * A state that has been taken over follows, with a meta record behind it: nothing counts of what
   * was before, but for keys that never leave this replica.
   */
  #forgetAll(through: Position): void {
    const [before, rest] = [this.keys, new KeyTable()]
    for (const slot of before.occupied()) {
      const keyspace = this.#keyspaces.list[before.keyspace[slot]!] as Keyspace
      if (!keyspace.domain.isSent) rest.copyFrom(before, slot)
      else if (before.hasHadLives || keyspace.ttlMs > 0) this.#noteEnd(slot, keyspace)
    }
    rest.forgottenThrough = through
    before.become(rest)
  }

  /** Perhaps it was deleted before: that is not told apart here. */
  #noteEnd(slot: Slot, { ttlMs: ofPattern }: Keyspace): void {
    const { keys } = this
    const ttlMs = keys.lifeMs(slot) || ofPattern
    if (ttlMs > 0) keys.expiredThroughMs = Math.max(keys.expiredThroughMs, endOfLife(ttlMs, keys.tipHlc[slot]!))
  }

  /**
   * The meta record that says so comes behind what has been folded away, and may not have arrived.
   */
  #raiseFloor(vector: VersionVector): void {
    if (this.meta?.isResyncing === true) return
    for (const [replica, sequence] of vector.entries()) {
      if (!this.staysHere(replica) && this.applied.includes(replica, sequence)) this.floor.raise(replica, sequence)
    }
  }

  #meta(meta: Meta, position: Position): void {
    this.meta = meta
    for (const record of this.#early.splice(0)) this.#take(record)
    this.metaPosition = position
    this.localSequence = meta.localSequence
    // Both are what they were then: installing a snapshot may have made them fall.
    this.floor.assign(meta.floor)
    this.applied.assign(meta.applied)
    this.reissued.assign(meta.reissued)
    if (meta.hlc > this.hlc) this.hlc = meta.hlc
    this.departures.join(meta.departures)
    if (meta.ended !== undefined) this.#ended(meta.ended)
  }

  #aboutItself({ bytes, start, end, position }: ReadRecord): void {
    const reader = new ByteReader(bytes, start, end)
    if (saysWhoEnded(bytes, start)) this.#ended(readEnded(reader, this.#table))
    else this.#meta(readMeta(reader, this.#table), position)
  }

  /** What is pruned was named by records before this one. */
  #ended(read: EndedIds): void {
    const { ended } = this.#table
    ended.join(read)
    const pruned = [...read.pruned()]
    for (const vector of [this.applied, this.floor]) vector.assign(ended.stripped(vector))
    this.departures.forget(pruned)
    this.dots.forget(pruned)
  }

  #slotOf(key: string): Slot {
    return this.keys.find(key) ?? this.keys.add(key, this.#keyspaceOf(key).index)
  }

  #readKey(reader: ByteReader): void {
    const { keys } = this
    const key = reader.text()
    // The table is empty in the beginning, and a checkpoint holds each key once.
    const slot = keys.add(key, this.#keyspaceOf(key).index)
    keys.head[slot] = reader.f64()
    keys.tip[slot] = reader.f64()
    keys.tipHlc[slot] = reader.f64()
    keys.tipReplica[slot] = this.#table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
    keys.tipSequence[slot] = reader.varint()
    keys.setLife(slot, reader.varint())
    keys.version[slot] = reader.varint()
    keys.snapshot[slot] = reader.f64()
    keys.cut[slot] = reader.f64()
    if (keys.snapshot[slot] > 0) keys.foldedThrough = Math.max(keys.foldedThrough, keys.cut[slot])
    // Most keys have none.
    if (reader.bytes[reader.at] === 0) reader.skip(1)
    else keys.vectors[slot] = readVector(reader, this.#table)
  }
}

/**
 * Points a key at its new snapshot. The tip moves there if the snapshot holds it, or the one
 * before, which it replaces, wherever that lies.
 */
export function installSnapshot(
  keys: KeyTable,
  slot: Slot,
  snapshot: Omit<KeySnapshot, 'state'>,
  position: Position,
): void {
  keys.beforeChange?.(slot)
  const former = keys.snapshot[slot]!
  noteStrategy(keys, slot, snapshot)
  keys.snapshot[slot] = position
  dropKept(keys, slot, snapshot.through)
  keys.cut[slot] = snapshot.through
  if (snapshot.through > keys.foldedThrough) keys.foldedThrough = snapshot.through
  keys.foldings++
  // An older snapshot may lie in front of it in the log, and the operations between the two have
  // been rewritten away.
  if (keys.head[slot]! < snapshot.through) keys.head[slot] = snapshot.through
  if (keys.version[slot]! < snapshot.version) keys.version[slot] = snapshot.version
  if (keys.tip[slot]! <= snapshot.through || keys.tip[slot] === former) {
    keys.tip[slot] = position
    keys.tipHlc[slot] = snapshot.hlc
    keys.tipReplica[slot] = snapshot.replica
    keys.tipSequence[slot] = snapshot.sequence
    keys.setLife(slot, snapshot.lifeMs)
  }
  if (keys.vectors[slot] === undefined && isByTipAlone(snapshot, keys.tipReplica[slot] as ReplicaId)) return
  const vector = keys.vector(slot)
  for (const part of [snapshot.vector, snapshot.seen]) if (part !== undefined) vector.join(part)
  keys.vectors[slot] = vector
}

function noteStrategy(keys: KeyTable, slot: Slot, snapshot: Omit<KeySnapshot, 'state'>): void {
  const { through, strategy, present } = snapshot
  if (keys.head[slot]! <= through) keys.settleStrategy(slot, strategy)
  else if (present) keys.noteStrategy(slot, strategy)
}

/** A kept state of no more than the snapshot holds is worth nothing beside it. */
function dropKept(keys: KeyTable, slot: Slot, through: Position): void {
  const kept = keys.kept.get(slot)
  if (kept !== undefined && kept.through <= through) keys.kept.delete(slot)
}

function isByTipAlone({ vector, seen }: Pick<KeySnapshot, 'vector' | 'seen'>, tip: ReplicaId): boolean {
  return seen === undefined && vector.size === 1 && vector.get(tip) > 0
}
