/**
 * Compaction: folds what is causally stable and not retained into snapshots, forgets keys that are gone, and rewrites segments that are
 * mostly garbage. In small steps between which the event loop turns, so that writes never wait for it.
 *
 * A key's prefix may be folded only if every known replica has applied it (`stable`), if every operation behind it observed all of
 * it, and, for folds in canonical order, if all of those come behind it in that order: then no operation still to come can
 * belong inside, and no read changes (Baquero, Almeida, Shoker 2014 on causal stability). What is dropped raises the floor.
 */
import { hlcToMs } from '../../crdt/time/hlc.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { RECORD_KIND, segmentOf, type RecordView, type SegmentInfo } from '../log/log.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { writeSnapshot } from '../merge/snapshot-record.ts'
import { OperationReader } from '../operation/operation-reader.ts'
import { installSnapshot } from '../store/recovered.ts'
import { type Forgotten } from '../store/forgotten.ts'
import { textOf } from '../operation/text.ts'
import type { Compaction } from '../store/event.ts'
import type { Position } from '../operation/position.ts'
import { forgetKey } from '../store/forgotten.ts'

/** Keys looked at between two turns of the event loop: some 100 µs. */
const KEYS_PER_STEP = 64
/** A segment is rewritten when this part of its records is garbage. */
const GARBAGE_SHARE_MIN = 0.5
/** What the smallest segment takes: a header and a jump. */
const EMPTY_SEGMENT_BYTES = 80

export interface CompactorOptions {
  readonly store: KeyStore
  /** Operations at or below may be gone. Raised here. */
  readonly floor: VersionVector
  /** Notes that keys have been forgotten, as found in the log. */
  readonly forgotten: readonly Forgotten[]
  /** What every known replica has applied. */
  readonly stable: () => VersionVector
  /** The floor has been raised; nothing has been written yet of what raised it. */
  readonly onFloorRaised: () => void
  /** Appends a meta record, which carries the floor. */
  readonly writeMeta: () => void
  readonly metaPosition: () => Position
  /** Every checkpoint that is kept knows of the records before. */
  readonly checkpointedThrough: () => Position
  /** Whether everything has to stay as it is for now. */
  readonly isHeld: () => boolean
  /** A key's log has lost so many operations. */
  readonly onDropped: (operationsCount: number) => void
  readonly onDone: (compaction: Compaction) => void
}

export class Compactor {
  /** Notes that keys have been forgotten, kept for as long as they are needed. */
  forgotten: Forgotten[]
  /** Operations since the last run began, in keyspaces that do not retain everything. */
  notedCount = 0
  readonly #options: CompactorOptions
  readonly #store: KeyStore
  readonly #reader: OperationReader
  /** Slots to be looked at. */
  #dirty: Slot[] = []
  #isDirty = new Uint8Array(64)
  /** Notes that are not in the log any more. */
  readonly #goneNotes = new Set<Position>()
  /** Operations that need not be retained and were not stable in the last run. */
  #unstableCount = 0
  #droppedCount = 0
  /** Something has been folded away since the last meta record. */
  #isMetaDue = false
  #running: Promise<Compaction> | undefined

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#store = options.store
    this.#reader = new OperationReader(options.store.table)
    this.forgotten = [...options.forgotten]
  }

  /** Operations that may be foldable once they are stable. */
  get waitingCount(): number {
    return this.notedCount + this.#unstableCount
  }

  /** A key has been written. */
  note(slot: Slot): void {
    this.notedCount++
    this.look(slot)
  }

  /** The next run is to look at a key. */
  look(slot: Slot): void {
    if (slot >= this.#isDirty.length) {
      const larger = new Uint8Array(Math.max(slot + 1, this.#isDirty.length * 2))
      larger.set(this.#isDirty)
      this.#isDirty = larger
    }
    if (this.#isDirty[slot] === 1) return
    this.#isDirty[slot] = 1
    this.#dirty.push(slot)
  }

  /** One run over everything that is due. A second call joins the first. Does nothing while it is held. */
  run(signal?: AbortSignal): Promise<Compaction> {
    this.#running ??= this.#run(signal).finally(() => (this.#running = undefined))
    return this.#running
  }

  async #run(signal?: AbortSignal): Promise<Compaction> {
    if (this.#options.isHeld()) return { droppedOperationsCount: 0, freedBytes: 0 }
    const { log } = this.#store
    const before = log.stats().bytes
    this.#droppedCount = 0
    try {
      await this.#foldKeys(signal)
    } finally {
      // Behind the records that it is about, and stored before anything is rewritten.
      if (this.#isMetaDue) this.#options.writeMeta()
      this.#isMetaDue = false
    }
    await this.#rewriteSegments(signal)
    const compaction = {
      droppedOperationsCount: this.#droppedCount,
      freedBytes: Math.max(0, before - log.stats().bytes),
    }
    this.#options.onDone(compaction)
    return compaction
  }

  async #foldKeys(signal?: AbortSignal): Promise<void> {
    const slots = this.#dirty
    this.#dirty = []
    this.notedCount = 0
    this.#unstableCount = 0
    let done = 0
    try {
      while (done < slots.length && !this.#options.isHeld()) {
        this.#look(slots[done] as Slot)
        if (++done % KEYS_PER_STEP === 0) await this.#pause(signal)
      }
    } finally {
      // What was not got to, or failed, is due in the next run.
      for (const slot of slots.slice(done)) {
        this.#isDirty[slot] = 0
        this.look(slot)
      }
    }
  }

  #look(slot: Slot): void {
    const { keys } = this.#store
    this.#isDirty[slot] = 0
    if (keys.keys[slot] === undefined) return
    try {
      const dropped = this.#foldKey(slot)
      this.#droppedCount += dropped
      this.#options.onDropped(dropped)
    } catch (error) {
      // A key that cannot be folded here is left as it is.
      if (!isWarpError(error, 'WARP_E_UNKNOWN_OP')) throw error
    }
  }

  /** Returns how many operations the key's log has lost. */
  #foldKey(slot: Slot): number {
    const store = this.#store
    const keyspace = store.keyspaceFor('', slot)
    if (keyspace.retain === 'all') return 0
    const chain = { ...store.chain(slot) }
    const operations = store.folder.chains.operations(chain)
    const count = this.#foldableCount(keyspace, operations)
    // What could not go yet, and what will have expired by then, is looked at again in the next run.
    if (count < operations.length || keyspace.ttlMs > 0) this.look(slot)
    if (operations.length === 0) return this.#forgetExpired(slot, keyspace)
    if (count === 0 || !this.#isWorthwhile(slot, operations, count)) return 0
    const prefix = operations.slice(0, count)
    const resident = store.folder.whole.foldOf(keyspace.strategy, chain, prefix)
    this.#raiseFloor(keyspace, prefix)
    if (count === operations.length && !this.#isAlive(slot, keyspace, resident.present)) this.#forget(slot)
    else
      this.#install(slot, keyspace, resident, {
        through: (prefix.at(-1) as Placed).position,
        behindCount: operations.length - count,
      })
    for (const { position } of prefix) store.log.discard(position)
    if (chain.snapshot > 0) store.log.discard(chain.snapshot)
    return count
  }

  #install(
    slot: Slot,
    keyspace: Keyspace,
    resident: Resident,
    cut: { readonly through: Position; readonly behindCount: number },
  ): void {
    const store = this.#store
    this.#isMetaDue = true
    const version = store.keys.version[slot]!
    const snapshot = {
      key: store.keys.keys[slot] as string,
      strategy: keyspace.strategy.code,
      present: resident.present,
      through: cut.through,
      baseVersion: version - cut.behindCount,
      version,
      hlc: resident.hlc,
      replica: resident.replica,
      sequence: resident.sequence,
      vector: resident.vector,
      state: keyspace.strategy.encodeState(resident.state),
    }
    writeSnapshot(store.log.begin(), snapshot, store.table)
    const position = store.log.commit(RECORD_KIND.snapshot, 0)
    store.dropState(slot)
    installSnapshot(store.keys, slot, snapshot, position)
  }

  #forget(slot: Slot): void {
    this.#isMetaDue = true
    this.forgotten.push(forgetKey(this.#store, slot))
  }

  #forgetExpired(slot: Slot, keyspace: Keyspace): number {
    const snapshot = this.#store.keys.snapshot[slot]!
    if (snapshot === 0 || this.#isAlive(slot, keyspace, true)) return 0
    this.#forget(slot)
    this.#store.log.discard(snapshot)
    return 0
  }

  /** Replacing one live operation by a snapshot of it would gain nothing. */
  #isWorthwhile(slot: Slot, operations: readonly Placed[], count: number): boolean {
    return (
      count > 1 || operations.length > 1 || this.#store.keys.snapshot[slot]! > 0 || this.#store.read(slot) === undefined
    )
  }

  /**
   * An expired key is forgotten only if its greatest operation is all there is to it. Others keep a snapshot: a replica whose clock is
   * behind could still write into the life that is over here (see merge/lives.ts), and would have to find it.
   */
  #isAlive(slot: Slot, keyspace: Keyspace, isPresent: boolean): boolean {
    if (!isPresent) return false
    return (
      keyspace.ttlMs === 0 ||
      keyspace.isSliding ||
      !keyspace.isLast ||
      this.#store.expiresAt(slot, keyspace) > this.#store.env.now()
    )
  }

  /** The length of the longest prefix, in order of arrival, that may be folded. */
  #foldableCount(keyspace: Keyspace, operations: readonly Placed[]): number {
    const unretained = this.#unretainedCount(keyspace, operations)
    const stable = keyspace.mode === 'local' ? undefined : this.#options.stable()
    let count = 0
    while (count < unretained && (stable === undefined || isStable(stable, operations[count] as Placed))) count++
    this.#unstableCount += unretained - count
    return count === operations.length ? count : this.#closedCount(keyspace, operations, count)
  }

  #unretainedCount(keyspace: Keyspace, operations: readonly Placed[]): number {
    const { retain } = keyspace
    if (retain === 'all') return 0
    if (retain === 'latest') return operations.length
    if ('versions' in retain) return Math.max(0, operations.length - retain.versions)
    const before = this.#store.env.now() - retain.forMs
    const kept = operations.findIndex(({ hlc }) => hlcToMs(hlc) >= before)
    return kept < 0 ? operations.length : kept
  }

  /** Shortens the prefix until everything behind it observed all of it and, where order matters, comes after it. */
  #closedCount(keyspace: Keyspace, operations: readonly Placed[], longest: number): number {
    const isOrdered = keyspace.strategy.fold === 'canonical'
    let count = longest
    for (let i = operations.length - 1; i >= count && count > 0; i--) {
      const later = operations[i] as Placed
      const reader = this.#store.folder.chains.read(later.position)
      const open = operations.slice(0, count).findIndex((earlier) => {
        return !reader.observed(earlier.replica, earlier.sequence) || (isOrdered && earlier.hlc >= later.hlc)
      })
      if (open >= 0) {
        // What is cut off the prefix lies behind it now and has to be looked at as well.
        count = open
        i = operations.length
      }
    }
    return count
  }

  #raiseFloor(keyspace: Keyspace, prefix: readonly Placed[]): void {
    if (keyspace.mode === 'local') return
    for (const { replica, sequence } of prefix) this.#options.floor.raise(replica, sequence)
    this.#options.onFloorRaised()
  }

  /** Rewriting makes notes of forgotten keys superfluous, and that may be what makes a segment worth rewriting. */
  async #rewriteSegments(signal?: AbortSignal): Promise<void> {
    let isProgress = true
    while (isProgress && !this.#options.isHeld()) {
      this.#releaseForgotten()
      isProgress = await this.#rewriteOnce(signal)
    }
  }

  async #rewriteOnce(signal?: AbortSignal): Promise<boolean> {
    const { log } = this.#store
    const due = log.segments().filter(isMostlyGarbage)
    for (const { number } of due) {
      if (this.#options.isHeld()) return false
      await log
        .rewrite(number, (record) => this.#isLive(record), signal)
        .catch((error: unknown) => {
          if (!this.#options.isHeld()) throw error
        })
    }
    return due.length > 0
  }

  #releaseForgotten(): void {
    const [needed, done] = [[] as Forgotten[], [] as Forgotten[]]
    for (const forgotten of this.forgotten) {
      if (!this.#goneNotes.has(forgotten.position)) (this.#isDone(forgotten) ? done : needed).push(forgotten)
    }
    this.#goneNotes.clear()
    for (const { position } of done) this.#discardNote(position)
    this.forgotten = needed
  }

  /** What was read from a checkpoint may have gone since. */
  #discardNote(position: Position): void {
    try {
      this.#store.log.discard(position)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
    }
  }

  #isLive(record: RecordView): boolean {
    const { keys } = this.#store
    // What is kept as it is now need not be kept as it was when the rewriting began, and what it changed to may not be stored yet.
    if (this.#options.isHeld())
      throw new WarpError('WARP_E_ABORTED', 'rewriting a segment was put off: the state is being copied or replaced')
    switch (record.kind) {
      case RECORD_KIND.operation: {
        const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
        const slot = keys.find(textOf(bytes, keyStart, keyEnd))
        return slot !== undefined && record.position > keys.cut[slot]!
      }
      case RECORD_KIND.snapshot: {
        const slot = keys.find(new ByteReader(record.bytes, record.start, record.end).text())
        return slot !== undefined && keys.snapshot[slot] === record.position
      }
      case RECORD_KIND.forget:
        return !this.#isSuperfluous(record)
      case RECORD_KIND.chunk:
        return false
      case RECORD_KIND.meta:
        return record.position === this.#options.metaPosition()
      default:
        return true
    }
  }

  #isSuperfluous(note: RecordView): boolean {
    if (!this.#isDone({ position: note.position, through: forgottenThrough(note) })) return false
    this.#goneNotes.add(note.position)
    return true
  }

  /** A note that a key is forgotten is needed for as long as records of the key may be left in older segments, or a checkpoint knows it. */
  #isDone({ position, through }: Forgotten): boolean {
    if (position >= this.#options.checkpointedThrough()) return false
    return this.#store.log.rewrittenSince(position, segmentOf(through))
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', 'compaction was given up; what it had done stays done', {
        cause: signal.reason,
      })
    await this.#store.env.yield()
  }
}

function isMostlyGarbage({ bytes, sealed, discardedBytes }: SegmentInfo): boolean {
  return sealed && discardedBytes > 0 && discardedBytes >= (bytes - EMPTY_SEGMENT_BYTES) * GARBAGE_SHARE_MIN
}

function isStable(stable: VersionVector, operation: Placed): boolean {
  return stable.includes(operation.replica, operation.sequence)
}

function forgottenThrough(record: RecordView): Position {
  const reader = new ByteReader(record.bytes, record.start, record.end)
  reader.text()
  return reader.f64()
}
