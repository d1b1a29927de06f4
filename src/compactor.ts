/**
 * Compaction: folds what is causally stable and not retained into snapshots, forgets keys that are gone, and rewrites segments that are
 * mostly garbage. In small steps between which the event loop turns, so that writes never wait for it.
 *
 * A key's prefix may be folded only if every known replica has applied it (`stable`), if every operation behind it observed all of
 * it, and, for folds in canonical order, if all of those come behind it in that order: then no operation still to come can
 * belong inside, and no read changes (Baquero, Almeida, Shoker 2014 on causal stability). What is dropped raises the floor.
 */
import { hlcToMs } from '../crdt/hlc.ts'
import { VersionVector } from '../crdt/version-vector.ts'
import { WarpError } from '../crdt/warp-error.ts'
import { ByteReader } from './byte-reader.ts'
import type { KeyStore } from './key-store.ts'
import type { Slot } from './key-table.ts'
import type { Keyspace } from './keyspace.ts'
import { RECORD_KIND, type RecordView } from './log/log.ts'
import type { Placed } from './merge/folder.ts'
import { writeSnapshot } from './merge/snapshot-record.ts'
import { OperationReader } from './operation.ts'
import { textOf, installSnapshot } from './recovery.ts'
import type { Compaction } from './public.ts'
import type { Position } from './replication/store.ts'
import { forgetKey } from './snapshot-transfer.ts'

/** Keys looked at between two turns of the event loop: some 100 µs. */
const KEYS_PER_STEP = 64
/** A segment is rewritten when this part of it is garbage. */
const GARBAGE_SHARE_MIN = 0.5
const POSITIONS_PER_SEGMENT = 4_294_967_296

export interface CompactorOptions {
  readonly store: KeyStore
  /** Operations at or below may be gone. Raised here. */
  readonly floor: VersionVector
  /** What every known replica has applied. */
  readonly stable: () => VersionVector
  /** Appends a meta record, which carries the floor. */
  readonly writeMeta: () => void
  readonly metaPosition: () => Position
  /** Whether segments have to stay as they are for now. */
  readonly isHeld: () => boolean
}

export class Compactor {
  readonly #options: CompactorOptions
  readonly #store: KeyStore
  readonly #reader: OperationReader
  /** Slots written since they were last looked at, in keyspaces that do not retain everything. */
  readonly #dirty: Slot[] = []
  #isDirty = new Uint8Array(64)
  #running: Promise<Compaction> | undefined

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#store = options.store
    this.#reader = new OperationReader(options.store.table)
  }

  /** How many keys wait to be looked at. */
  get dirtyCount(): number {
    return this.#dirty.length
  }

  /** A key has been written. */
  note(slot: Slot): void {
    if (slot >= this.#isDirty.length) {
      const larger = new Uint8Array(Math.max(slot + 1, this.#isDirty.length * 2))
      larger.set(this.#isDirty)
      this.#isDirty = larger
    }
    if (this.#isDirty[slot] === 1) return
    this.#isDirty[slot] = 1
    this.#dirty.push(slot)
  }

  /** One run over everything that is due. A second call joins the first. */
  run(signal?: AbortSignal): Promise<Compaction> {
    this.#running ??= this.#run(signal).finally(() => (this.#running = undefined))
    return this.#running
  }

  async #run(signal?: AbortSignal): Promise<Compaction> {
    const before = this.#store.log.stats().bytes
    const floor = this.#options.floor.copy()
    const droppedOperationsCount = await this.#foldKeys(signal)
    if (!floor.dominates(this.#options.floor)) this.#options.writeMeta()
    if (this.#store.log.persistent) await this.#store.log.settled('durable')
    await this.#rewriteSegments(signal)
    return { droppedOperationsCount, freedBytes: Math.max(0, before - this.#store.log.stats().bytes) }
  }

  async #foldKeys(signal?: AbortSignal): Promise<number> {
    const slots = this.#dirty.splice(0)
    let dropped = 0
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as Slot
      this.#isDirty[slot] = 0
      if (this.#store.keys.keys[slot] !== undefined) dropped += this.#foldKey(slot)
      if (i % KEYS_PER_STEP === KEYS_PER_STEP - 1) await this.#pause(signal)
    }
    return dropped
  }

  /** Returns how many operations the key's log has lost. */
  #foldKey(slot: Slot): number {
    const store = this.#store
    const keyspace = store.keyspaceFor('', slot)
    if (keyspace.retain === 'all') return 0
    const chain = { ...store.chain(slot) }
    const operations = store.folder.operations(chain)
    const count = this.#foldableCount(keyspace, operations)
    // What could not go yet, and what will have expired by then, is looked at again in the next run.
    if (count < operations.length || keyspace.ttlMs > 0) this.note(slot)
    if (operations.length === 0) return this.#forgetExpired(slot, keyspace)
    if (count === 0 || !this.#isWorthwhile(slot, operations, count)) return 0
    const prefix = operations.slice(0, count)
    const resident = store.folder.foldOf(keyspace.strategy, chain, prefix)
    this.#raiseFloor(keyspace, prefix)
    for (const { position } of prefix) store.log.discard(position)
    if (chain.snapshot > 0) store.log.discard(chain.snapshot)
    if (count === operations.length && !this.#isAlive(slot, keyspace, resident.present)) {
      forgetKey(store, slot)
      return count
    }
    const version = store.keys.version[slot]!
    const snapshot = {
      key: store.keys.keys[slot] as string,
      strategy: keyspace.strategy.code,
      present: resident.present,
      through: (prefix.at(-1) as Placed).position,
      baseVersion: version - (operations.length - count),
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
    return count
  }

  #forgetExpired(slot: Slot, keyspace: Keyspace): number {
    if (this.#isAlive(slot, keyspace, true)) return 0
    this.#store.log.discard(this.#store.keys.snapshot[slot]!)
    forgetKey(this.#store, slot)
    return 0
  }

  /** Replacing one live operation by a snapshot of it would gain nothing. */
  #isWorthwhile(slot: Slot, operations: readonly Placed[], count: number): boolean {
    return count > 1 || operations.length > 1 || this.#store.keys.snapshot[slot]! > 0 || this.#store.read(slot) === undefined
  }

  #isAlive(slot: Slot, keyspace: Keyspace, isPresent: boolean): boolean {
    if (!isPresent) return false
    return keyspace.ttlMs === 0 || keyspace.isSliding || this.#store.expiresAt(slot, keyspace) > this.#store.env.now()
  }

  /** The length of the longest prefix, in order of arrival, that may be folded. */
  #foldableCount(keyspace: Keyspace, operations: readonly Placed[]): number {
    const unretained = this.#unretainedCount(keyspace, operations)
    const stable = keyspace.mode === 'local' ? undefined : this.#options.stable()
    let count = 0
    while (count < unretained && (stable === undefined || isStable(stable, operations[count] as Placed))) count++
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
      const reader = this.#store.folder.read(later.position)
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
  }

  async #rewriteSegments(signal?: AbortSignal): Promise<void> {
    const { log } = this.#store
    for (const { number, bytes, sealed, discardedBytes } of log.segments()) {
      if (this.#options.isHeld()) return
      if (!sealed || discardedBytes < bytes * GARBAGE_SHARE_MIN) continue
      await log.rewrite(number, (record) => this.#isLive(record), signal)
    }
  }

  #isLive(record: RecordView): boolean {
    const { keys } = this.#store
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
        return !this.#isForgetDone(record)
      case RECORD_KIND.meta:
        return record.position === this.#options.metaPosition()
      default:
        return true
    }
  }

  /** A note that a key is forgotten is needed for as long as records of the key may be left in older segments. */
  #isForgetDone(record: RecordView): boolean {
    const reader = new ByteReader(record.bytes, record.start, record.end)
    reader.text()
    return this.#store.log.rewrittenSince(record.position, Math.floor(reader.f64() / POSITIONS_PER_SEGMENT))
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw new WarpError('WARP_E_ABORTED', 'compaction was given up; what it had done stays done', { cause: signal.reason })
    await this.#store.env.yield()
  }
}

function isStable(stable: VersionVector, operation: Placed): boolean {
  return stable.includes(operation.replica, operation.sequence)
}
