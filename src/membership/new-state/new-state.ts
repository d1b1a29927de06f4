/**
 * A state that is being taken over, beside the present one. Until it is there as a whole nothing of
 * it is in the log: what has arrived lies in chunks, and what is issued again lies in memory
 * (`staged-records.ts`). So reads and writes go on against the present state, and whatever ends the
 * work leaves that as it was.
 *
 * It is a key table of its own, in which positions are *ordinals* at first. `publish` writes the
 * records into a long group of the log, in that order, and the ordinals become positions. Both are
 * done in steps. A key that changes meanwhile has ordinals again until the next `publish`.
 */
import { encodeInto } from '../../../crdt/encoding/encoding.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { formatDot } from '../../../crdt/time/dot.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { DomainWriter, newReplicaId } from '../../keys/domain-writer.ts'
import { DOMAINS } from '../../keys/domain.ts'
import { KeyTable, type Slot, type TipOperation } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { POSITIONS_PER_SEGMENT, type LongGroup } from '../../log/log.ts'
import { readPart } from '../../merge/snapshot-parts.ts'
import { readSnapshotHead, type SnapshotBytes } from '../../merge/snapshot-record.ts'
import { writtenContext } from '../../merge/written-context.ts'
import { leaseNoteIn, type EnteredLeaseNote } from '../../operation/leases/lease-note.ts'
import type { PlacedLeaseNote } from '../../store/aside/lease-book.ts'
import { departureIn, Departures, takeDeparture, type DepartureNote } from '../../operation/departures.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import { writeEnvelopeHeader } from '../../operation/envelope/envelope-writer.ts'
import { isOfKey, OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import type { Reissued } from '../../operation/names/reissued.ts'
import type { HybridClock } from '../../operation/clock.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { RetiredIds } from '../../operation/retired-ids.ts'
import { textOf } from '../../operation/text.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { installSnapshot } from '../../store/recovered.ts'
import type { Draft } from '../../store/write-road/draft.ts'
import type { IssueTarget, Named } from '../reissue.ts'
import { ITEM, type Item } from '../snapshot-stream.ts'
import { StagedRecords } from './staged-records.ts'

export interface NewStateOptions {
  readonly store: KeyStore
  /** What the state holds, without what is pruned. */
  readonly vector: VersionVector
  readonly floor: VersionVector
  /** Ids that have ended for whoever has this state. */
  readonly ended: EndedIds
  /** Ids that have come to an end for whoever has this state. Changed here. */
  readonly retired: RetiredIds
  /** First names of what has been issued again. Changed here. */
  readonly reissued: Reissued
  /** Who takes part no more, for the present state. */
  readonly departures: Departures
}

/** What an operation of no key has said. */
export interface Said {
  readonly note: DepartureNote
  readonly by: Dot
}

/** What the table takes note of. */
interface Staged extends TipOperation {
  readonly kind: number
  readonly strategy: number
}

/** Ordinals are less. */
const POSITION_MIN: Position = POSITIONS_PER_SEGMENT
/** As `DotIndex` takes note of them. */
const OWN_EVERY = 256

export class NewState implements IssueTarget {
  readonly keys: KeyTable = new KeyTable()
  readonly table: ReplicaTable
  readonly ended: EndedIds
  readonly retired: RetiredIds
  readonly reissued: Reissued
  readonly clock: HybridClock
  /** They stay what they are, and are taken over from the present state as they are. */
  readonly hasLocalKeys = false
  readonly applied: VersionVector
  readonly floor: VersionVector
  /** Writes what is issued again, under an id of its own. */
  readonly writer: DomainWriter
  /** What operations of no key have said, in their order. */
  readonly said: Said[] = []
  readonly #leaseNotes: { readonly note: EnteredLeaseNote; ordinal: number }[] = []
  /** Operations that are part of a key. */
  operationsCount = 0
  /** How often key patterns had changed when the work began. */
  readonly keyspaceChanges: number
  readonly #store: KeyStore
  readonly #reader: OperationReader
  readonly #records: StagedRecords
  readonly #departures: Departures
  /** Names of operations that belong to no key. */
  readonly #ofNoKey = new Set<string>()
  /** Of every 256th operation that is written here, the first one included. */
  readonly #ownOrdinals: number[] = []
  /** Keys that compaction is to look at. */
  readonly due: Slot[] = []
  /** The keys before this one have positions, but for those that have changed since. */
  #settledThrough: Slot = 0
  readonly #unsettled: Slot[] = []

  constructor({ store, vector, floor, ended, retired, reissued, departures }: NewStateOptions) {
    this.#store = store
    this.table = store.table
    this.ended = ended
    this.retired = retired
    this.reissued = reissued
    this.#departures = departures
    this.clock = store.clock
    this.applied = vector
    this.floor = floor
    this.keyspaceChanges = store.keyspaces.changesCount
    this.#reader = new OperationReader(store.table)
    this.#records = new StagedRecords(store.log)
    this.writer = new DomainWriter(DOMAINS.shared, { replica: newReplicaId(store.env), sequence: 0 }, store.table)
    for (const [replica] of vector.entries()) this.writer.noteApplied(replica)
  }

  keyspaceFor(key: string, slot: Slot | undefined): Keyspace {
    const { keyspaces } = this.#store
    if (slot !== undefined) return keyspaces.list[this.keys.keyspace[slot]!] as Keyspace
    return keyspaces.find(key) ?? keyspaces.unregistered
  }

  /**
   * Takes in the items of a chunk that lies in the log, in steps. All chunks come before anything else.
   * They are read once more when the state is published.
   */
  stage(
    chunk: Position,
    bytes: Uint8Array,
    { told, meter }: { readonly told: (operation: OperationReader) => void; readonly meter: Meter },
  ): Generator<void, void> {
    const visit = ({ type, start, end }: Item): boolean => {
      if (type === ITEM.snapshot) return this.#stageSnapshot({ bytes, start, end })
      if (type === ITEM.part) return this.#isSent(readPart(bytes, start, end, this.table).key)
      const operation = this.#reader.load(bytes, start, end)
      const isPart = isOfKey(operation.kind) ? this.#stageOperation(operation) : this.#stageAside(operation)
      told(operation)
      return isPart
    }
    return this.#records.addChunk(chunk, bytes, visit, meter)
  }

  #isSent(key: string): boolean {
    return this.keyspaceFor(key, this.keys.find(key)).domain.isSent
  }

  #stageSnapshot({ bytes, start, end }: SnapshotBytes): boolean {
    const snapshot = readSnapshotHead(bytes, start, end, this.table)
    const known = this.keys.find(snapshot.key)
    const keyspace = this.keyspaceFor(snapshot.key, known)
    if (!keyspace.domain.isSent) return false
    const ordinal = this.#records.next(0)
    const slot = known ?? this.keys.add(snapshot.key, keyspace.index)
    installSnapshot(this.keys, slot, { ...snapshot, through: ordinal, version: snapshot.baseVersion }, ordinal)
    this.#store.clock.observe(snapshot.hlc)
    return true
  }

  #stageOperation(operation: OperationReader): boolean {
    const key = textOf(operation.bytes, operation.keyStart, operation.keyEnd)
    const known = this.keys.find(key)
    const keyspace = this.keyspaceFor(key, known)
    if (!keyspace.domain.isSent) return false
    this.#advance(key, known, keyspace, operation)
    this.#store.clock.observe(operation.hlc)
    return true
  }

  /**
   * It belongs to no key. Nothing lets go of such operations yet, so what had been applied before is
   * in the log.
   */
  #stageAside(operation: OperationReader): boolean {
    const name = formatDot(operation)
    this.#noteLease(operation)
    if (this.#store.applied.includes(operation.replica, operation.sequence) || this.#ofNoKey.has(name)) return false
    this.#ofNoKey.add(name)
    const ordinal = this.#records.next(0)
    this.#placeLease(operation, ordinal)
    this.#store.clock.observe(operation.hlc)
    this.#say(operation)
    return true
  }

  /** Also of one that has been here before: what the sender does not tell of is over. */
  #noteLease(operation: OperationReader): void {
    const { replica, sequence } = operation
    const note = leaseNoteIn(operation)
    if (note !== undefined) this.#leaseNotes.push({ note: { ...note, dot: { replica, sequence } }, ordinal: 0 })
  }

  #placeLease({ replica, sequence }: OperationReader, ordinal: number): void {
    const last = this.#leaseNotes.at(-1)
    if (last?.note.dot.replica === replica && last.note.dot.sequence === sequence) last.ordinal = ordinal
  }

  /** What the operations say of leases, in their order. They have been published. */
  *leaseNotes(): IterableIterator<PlacedLeaseNote> {
    for (const { note, ordinal } of this.#leaseNotes)
      yield { ...note, position: ordinal === 0 ? 0 : this.#records.positionOf(ordinal) }
  }

  #say(operation: OperationReader): void {
    const note = departureIn(operation, this.table)
    const { replica, sequence } = operation
    if (note !== undefined) this.said.push({ note, by: { replica, sequence } })
  }

  /** Writes an operation once more, under the new id. */
  append(draft: Draft): Dot {
    const { writer: from, table, keys, floor } = this
    const { key, keyspace, kind, slot, isExact, dots, fields, lifeMs = 0 } = draft
    const context = draft.context ?? writtenContext(keys, floor, from.replica, draft)
    const isUpdate = kind === OPERATION_KIND.update
    const hlc = draft.hlc ?? this.#store.clock.tick()
    const header = {
      ...{ kind, hlc, key, context, isExact, dots, replicaBytes: from.bytes, sequence: from.sequence + 1 },
      strategy: draft.strategy ?? (isUpdate ? keyspace.code : 0),
      dependencies: from.dependencies(this.applied),
      fields: lifeMs > 0 ? { ...fields, lifeMs } : fields,
    }
    this.#records.write((writer) => {
      writeEnvelopeHeader(writer, header, table)
      if (isUpdate) encodeInto(writer, draft.payload)
      else if (draft.opaque !== undefined) writer.raw(draft.opaque)
    })
    from.advance()
    const { replica, sequence } = from
    this.#advance(key, slot, keyspace, { kind, strategy: header.strategy, hlc, replica, sequence, lifeMs })
    if (sequence % OWN_EVERY === 1) this.#ownOrdinals.push(this.#records.count)
    this.applied.raise(replica, sequence)
    return { replica, sequence }
  }

  /** Takes in operations of another replica as they are, if the state may have all of them. */
  admit(envelopes: readonly Uint8Array[]): void {
    const takes = (envelope: Uint8Array, ahead: number): boolean =>
      this.#takes(this.#reader.load(envelope, 0, envelope.length), ahead)
    if (envelopes.every(takes)) for (const envelope of envelopes) this.#admitOne(envelope)
  }

  #admitOne(envelope: Uint8Array): void {
    const operation = this.#reader.load(envelope, 0, envelope.length)
    const { replica, sequence } = operation
    this.#records.write((writer) => writer.raw(envelope))
    if (isOfKey(operation.kind)) {
      const key = textOf(operation.bytes, operation.keyStart, operation.keyEnd)
      const slot = this.keys.find(key)
      const keyspace = this.keyspaceFor(key, slot)
      if (keyspace.domain.isSent) this.#advance(key, slot, keyspace, operation)
      else this.#records.next(0)
      const origin = operation.origin()
      if (origin !== undefined) this.reissued.add(origin, operation.hlc)
    } else {
      this.#noteLease(operation)
      this.#placeLease(operation, this.#records.next(0))
      this.#say(operation)
    }
    this.applied.raise(replica, sequence)
    this.writer.noteApplied(replica)
  }

  /**
   * What the border asks (`src/store/border.ts`), of an operation that has passed it once. So many of
   * its transaction come before it: they end where that begins.
   */
  #takes(operation: OperationReader, ahead: number): boolean {
    const { applied, ended, retired } = this
    const { replica, sequence } = operation
    if (applied.includes(replica, sequence) || ended.isPruned(replica)) return false
    if (sequence > retired.endOf(replica) || sequence !== applied.get(replica) + 1 + ahead) return false
    const dependencies = operation.hasDependencies ? operation.dependencies() : []
    const isWithout = this.#lacks(dependencies)
    const isOver = isWithout ? this.#areVoid(dependencies) : this.#isOver(operation, dependencies, ahead)
    if (isOver) retired.retire(replica, sequence - 1 - ahead)
    return !isOver && !isWithout && !this.#exceedsEnds(operation)
  }

  #lacks(dependencies: VectorEntries): boolean {
    const { applied, ended } = this
    return dependencies.some(([other, at]) => !applied.includes(other, at) && !ended.includes(other, at))
  }

  #areVoid(dependencies: VectorEntries): boolean {
    const { ended, retired } = this
    return dependencies.some(([other, at]) => ended.isBeyond(other, at)) || retired.voidIn(dependencies).length > 0
  }

  /** Its writer has not seen what has been compacted, or that its first name has come to its end. */
  #isOver(operation: OperationReader, dependencies: VectorEntries, ahead: number): boolean {
    const { applied, ended, floor } = this
    const isNewcomer = applied.get(operation.replica) === 0 && ahead === 0
    if (isNewcomer && !ended.normalised(VersionVector.from(dependencies)).dominates(floor)) return true
    const origin = operation.origin()
    return origin !== undefined && ended.includes(origin.replica, origin.sequence)
  }

  #exceedsEnds(operation: OperationReader): boolean {
    if (operation.kind !== OPERATION_KIND.end) return false
    const note = departureIn(operation, this.table)
    if (note?.kind !== 'ended') return false
    const departures = this.departures()
    return note.ends.some(([of, end]) => this.applied.get(of) > end && departures.of(of) !== 'left')
  }

  /** Who takes part no more, for whoever has this state. */
  departures(): Departures {
    const { ended, said } = this
    const departures = new Departures()
    departures.join(this.#departures)
    for (const { note, by } of said) takeDeparture(note, by, { departures, ended })
    return departures
  }

  foldedOf(slot: Slot): VersionVector | undefined {
    this.#unsettle(slot)
    const ordinal = this.#snapshotOf(slot)
    if (ordinal === 0) return undefined
    const { bytes, start, end } = this.#records.recordOf(ordinal)
    return readSnapshotHead(bytes, start, end, this.table).vector
  }

  behindFolded(slot: Slot, max: number): readonly Named[] | undefined {
    this.#unsettle(slot)
    const names: Named[] = []
    const last = this.#snapshotOf(slot)
    for (let ordinal = this.keys.head[slot]!; ordinal > last; ordinal = this.#records.previousOf(ordinal)) {
      if (names.length === max) return undefined
      const { bytes, start, end } = this.#records.recordOf(ordinal)
      const operation = this.#reader.load(bytes, start, end)
      const { replica, sequence } = operation
      names.push({ replica, sequence, origin: operation.origin() })
    }
    return names
  }

  #snapshotOf(slot: Slot): number {
    return this.keys.snapshot[slot]!
  }

  /** Makes an operation part of its key. */
  #advance(key: string, known: Slot | undefined, keyspace: Keyspace, operation: Staged): void {
    const slot = known ?? this.keys.add(key, keyspace.index)
    this.#unsettle(slot)
    const ordinal = this.#records.next(this.keys.head[slot]!)
    // The chain begins behind what was before.
    if (known === undefined) this.keys.cut[slot] = ordinal
    if (operation.kind === OPERATION_KIND.update) this.keys.noteStrategy(slot, operation.strategy)
    this.keys.advance(slot, operation, ordinal)
    this.operationsCount++
  }

  /**
   * Writes into the group what is not in it yet, and makes ordinals positions, in steps. Ends early
   * when the group has been overtaken. Throws what `LongGroup.commit` throws.
   */
  *publish(group: LongGroup, meter: Meter): Generator<void, void> {
    yield* this.#records.publish(group, meter)
    if (group.isOvertaken) return
    const { keys } = this
    while (this.#settledThrough < keys.slotsUsed || this.#unsettled.length > 0) {
      const slot = this.#unsettled.pop() ?? this.#firstOf(this.#settledThrough++)
      if (keys.head[slot]! < POSITION_MIN) this.#settle(slot)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    keys.foldedThrough = this.#records.placeOf(this.#records.count)
  }

  /** The key becomes settled for the first time. */
  #firstOf(slot: Slot): Slot {
    if (this.keyspaceFor('', slot).retain !== 'all') this.due.push(slot)
    return slot
  }

  #settle(slot: Slot): void {
    const { keys } = this
    const records = this.#records
    const snapshot = keys.snapshot[slot]!
    keys.tip[slot] = records.positionOf(keys.tip[slot]!)
    keys.head[slot] = records.placeOf(keys.head[slot]!)
    keys.snapshot[slot] = snapshot === 0 ? 0 : records.positionOf(snapshot)
    keys.cut[slot] = snapshot === 0 ? records.placeOf(keys.cut[slot]!) - 1 : records.placeOf(keys.cut[slot]!)
  }

  /** What follows reads or changes its ordinals. */
  #unsettle(slot: Slot): void {
    const { keys } = this
    if (keys.head[slot]! < POSITION_MIN) return
    const records = this.#records
    const snapshot = keys.snapshot[slot]!
    keys.tip[slot] = records.ordinalAt(keys.tip[slot]!)
    keys.head[slot] = records.ordinalAt(keys.head[slot]!)
    keys.snapshot[slot] = snapshot === 0 ? 0 : records.ordinalAt(snapshot)
    keys.cut[slot] = records.ordinalAt(snapshot === 0 ? keys.cut[slot]! + 1 : keys.cut[slot]!)
    this.#unsettled.push(slot)
  }

  /** Where some of the operations lie that were written under the new id. */
  get ownPlaces(): (readonly [sequence: number, position: Position])[] {
    return this.#ownOrdinals.map((ordinal, i) => [i * OWN_EVERY + 1, this.#records.placeOf(ordinal)] as const)
  }
}
