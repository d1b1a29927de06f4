/**
 * Whole-state transfer, for a replica that is behind what its peers have compacted. The stream is, key by key, the key's snapshot and the
 * operations behind it, each as it stands in the log:
 *
 *     chunk = item*        item = type:u8 bytes:varint body        type 1: snapshot record, 2: envelope
 *
 * The receiver replaces its own state key by key and forgets keys that the peer no longer has. What it holds beyond the
 * snapshot is not lost: foreign operations are admitted again, its own are issued again under a new identity, because
 * the others may have compacted past the places that they had.
 */
import { ByteWriter } from '../crdt/byte-writer.ts'
import type { Encodable } from '../crdt/encodable.ts'
import { decode } from '../crdt/encoding.ts'
import type { ReplicaId } from '../crdt/replica-id.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { ByteReader } from './byte-reader.ts'
import type { Slot } from './key-table.ts'
import type { KeyStore } from './key-store.ts'
import { RECORD_KIND } from './log/log.ts'
import { readSnapshot, writeSnapshot } from './merge/snapshot-record.ts'
import { OPERATION_KIND, OperationReader, type VectorEntries } from './operation.ts'
import { installSnapshot, textOf } from './recovery.ts'
import type { Position, SnapshotExport, SnapshotImport } from './replication/store.ts'

const ITEM = { snapshot: 1, operation: 2 } as const

interface ExportedKey {
  readonly head: Position
  readonly snapshot: Position
  readonly cut: Position
}

/** What is exported is settled when the export begins; later writes do not show, and compaction has to wait. */
export class SnapshotReader implements SnapshotExport {
  readonly vector: VersionVector
  readonly #store: KeyStore
  readonly #keys: readonly ExportedKey[]
  readonly #chunkBytes: number
  readonly #writer = new ByteWriter(64 * 1024)
  readonly #done: () => void
  #next = 0
  #isDone = false

  constructor(store: KeyStore, chunkBytes: number, done: () => void) {
    this.#store = store
    this.#chunkBytes = chunkBytes
    this.#done = done
    this.vector = store.applied.copy()
    const { keys } = store
    this.#keys = [...keys.occupied()]
      .filter((slot) => isShared(store, slot))
      .map((slot) => ({ head: keys.head[slot]!, snapshot: keys.snapshot[slot]!, cut: keys.cut[slot]! }))
  }

  next(): Uint8Array | undefined {
    if (this.#next >= this.#keys.length) {
      this.close()
      return undefined
    }
    this.#writer.reset()
    while (this.#next < this.#keys.length && this.#writer.at - this.#writer.start < this.#chunkBytes) {
      this.#writeKey(this.#keys[this.#next++] as ExportedKey)
    }
    return this.#writer.take()
  }

  /** Lets compaction go on. Idempotent. */
  close(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#done()
  }

  #writeKey(key: ExportedKey): void {
    if (key.snapshot > 0) this.#writeItem(ITEM.snapshot, key.snapshot)
    for (const { position } of this.#store.folder.operations(key)) this.#writeItem(ITEM.operation, position)
  }

  #writeItem(type: number, position: Position): void {
    const record = this.#store.log.record(position)
    this.#writer.u8(type)
    this.#writer.varint(record.end - record.start)
    this.#writer.raw(record.bytes, record.start, record.end)
  }
}

/** An operation that the snapshot does not hold. */
interface Leftover {
  readonly envelope: Uint8Array
  readonly isOwn: boolean
}

export interface SnapshotWriterOptions {
  readonly store: KeyStore
  readonly vector: VersionVector
  /** Appends a meta record. */
  readonly writeMeta: (isResyncing: boolean) => void
  readonly takeNewIdentity: () => void
  readonly admit: (envelope: Uint8Array) => void
  /** The state has been replaced, or what there was of it abandoned. */
  readonly onEnd: (finished: boolean) => void
}

export class SnapshotWriter implements SnapshotImport {
  readonly #options: SnapshotWriterOptions
  readonly #store: KeyStore
  readonly #leftovers: Leftover[] = []
  readonly #installed = new Set<string>()
  readonly #reader: OperationReader
  readonly #formerSelf: ReplicaId
  #current = ''

  constructor(options: SnapshotWriterOptions) {
    this.#options = options
    this.#store = options.store
    this.#formerSelf = options.store.lanes.shared.replica
    this.#reader = new OperationReader(options.store.table)
    this.#gatherLeftovers()
    options.writeMeta(true)
  }

  chunk(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    while (reader.remaining > 0) {
      const type = reader.u8()
      const count = reader.varint()
      const start = reader.skip(count)
      if (type === ITEM.snapshot) this.#installSnapshot(bytes, start, start + count)
      else if (type === ITEM.operation) this.#installOperation(bytes, start, start + count)
      else throw reader.malformed(`an item of type ${type}`)
    }
  }

  finish(): void {
    const store = this.#store
    for (const slot of [...store.keys.occupied()]) {
      if (isShared(store, slot) && !this.#installed.has(store.keys.keys[slot] as string)) forgetKey(store, slot)
    }
    store.applied.join(this.#options.vector)
    this.#options.onEnd(true)
    if (this.#leftovers.some(({ isOwn }) => isOwn)) this.#options.takeNewIdentity()
    for (const [replica] of this.#options.vector.entries()) store.lanes.shared.noteApplied(replica)
    this.#options.writeMeta(false)
    this.#reissue()
  }

  abandon(): void {
    this.#options.onEnd(false)
  }

  #installSnapshot(bytes: Uint8Array, start: number, end: number): void {
    const store = this.#store
    const snapshot = readSnapshot(bytes, start, end, store.table)
    const slot = this.#beginKey(snapshot.key) ?? store.addKey(snapshot.key, store.keyspaceFor(snapshot.key, undefined), store.log.end)
    const through = store.log.end
    const moved = { ...snapshot, through, version: snapshot.baseVersion }
    writeSnapshot(store.log.begin(), moved, store.table)
    installSnapshot(store.keys, slot, moved, store.log.commit(RECORD_KIND.snapshot, 0))
    store.clock.observe(snapshot.hlc)
    store.residency.outdate(slot)
  }

  #installOperation(bytes: Uint8Array, start: number, end: number): void {
    const store = this.#store
    const operation = this.#reader.load(bytes, start, end)
    const key = textOf(bytes, operation.keyStart, operation.keyEnd)
    const slot = this.#beginKey(key)
    store.log.begin().raw(bytes, start, end)
    const position = store.log.commit(RECORD_KIND.operation, slot === undefined ? 0 : store.keys.head[slot]!)
    store.clock.observe(operation.hlc)
    store.take(key, slot, store.keyspaceFor(key, slot), position, operation)
  }

  /** At the first item of a key, forgets what this replica had of it. Returns the key's slot if it has one now. */
  #beginKey(key: string): Slot | undefined {
    if (key !== this.#current) {
      this.#current = key
      this.#installed.add(key)
      const old = this.#store.keys.find(key)
      if (old !== undefined) forgetKey(this.#store, old)
    }
    return this.#store.keys.find(key)
  }

  #gatherLeftovers(): void {
    const { log, lanes } = this.#store
    log.scan(0, (record) => {
      if (record.kind !== RECORD_KIND.operation) return true
      const { replica, sequence } = this.#reader.load(record.bytes, record.start, record.end)
      if (replica === lanes.local.replica || this.#options.vector.includes(replica, sequence)) return true
      this.#leftovers.push({ envelope: record.bytes.slice(record.start, record.end), isOwn: replica === this.#formerSelf })
      return true
    })
  }

  #reissue(): void {
    const renamed = new Map<number, number>()
    for (const { envelope, isOwn } of this.#leftovers) {
      if (isOwn) this.#issueAgain(this.#reader.load(envelope, 0, envelope.length), renamed)
      else this.#options.admit(envelope)
    }
  }

  #issueAgain(operation: OperationReader, renamed: Map<number, number>): void {
    const store = this.#store
    const { bytes, kind, sequence, payloadStart, end } = operation
    const key = textOf(bytes, operation.keyStart, operation.keyEnd)
    const slot = store.keys.find(key)
    const keyspace = store.keyspaceFor(key, slot)
    const context = this.#renamedContext(operation)
    const written = kind === OPERATION_KIND.update ? decode(bytes, payloadStart, end) : undefined
    const lane = store.lanes.shared
    const rename = (replica: ReplicaId, old: number): readonly [ReplicaId, number] =>
      replica === this.#formerSelf && renamed.has(old) ? [lane.replica, renamed.get(old) as number] : [replica, old]
    const payload = written === undefined ? undefined : ((keyspace.strategy.rebase?.(written, rename) ?? written) as Encodable)
    store.append({ key, keyspace, slot, kind, payload, context })
    renamed.set(sequence, lane.sequence)
  }

  /** What the writer had seen, its former self's operations among it as far as they are in the snapshot. */
  #renamedContext(operation: OperationReader): VectorEntries {
    const former = Math.min(this.#options.vector.get(this.#formerSelf), operation.sequence - 1)
    const others = operation.context()
    return former > 0 ? [...others, [this.#formerSelf, former]] : others
  }
}

/** Writes that a key is forgotten, so that its records are ignored when the log is read again, and forgets it. */
export function forgetKey(store: KeyStore, slot: Slot): void {
  const writer = store.log.begin()
  writer.text(store.keys.keys[slot] as string)
  writer.f64(store.keys.head[slot]!)
  store.log.commit(RECORD_KIND.forget, 0)
  store.removeKey(slot)
}

function isShared(store: KeyStore, slot: Slot): boolean {
  return store.keyspaceFor('', slot).mode !== 'local'
}
