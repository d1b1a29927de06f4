/**
 * The body of a checkpoint, in steps: the key table as it was at one moment, though keys are written
 * while it is encoded. A key that is about to change is encoded first, and keys that are new are left
 * out. If the whole table is replaced, the rest is read from what it was. What the log holds behind
 * the checkpoint is read on top of it. `recovered.ts` has the layout, and reads it.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { finishNow, UNBOUNDED, type Meter } from '../operation/budget.ts'
import type { DotIndex } from '../operation/dot-index.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import { writeVector } from '../operation/envelope/vector-entries.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { Position } from '../operation/position.ts'
import type { LeaseBook } from './aside/lease-book.ts'
import { writeMeta, type Meta } from './meta-record.ts'
import type { Forgotten } from './recovered.ts'

export interface CheckpointSource {
  /** That of the log. */
  readonly format: number
  readonly keys: KeyTable
  readonly dots: DotIndex
  readonly operationsCount: number
  readonly metaPosition: Position
  readonly forgotten: readonly Forgotten[]
  readonly feeds: FeedCheckpoints
  readonly leases: LeaseBook
}

const KEY_BYTES = 96
/** What may be taken at once; more is taken when it is needed. */
const RESERVED_KEYS_MAX = 65_536

export class CheckpointBody {
  /** The table as it was in the beginning, but for keys that have been encoded. */
  #keys: KeyTable
  readonly #letGo: () => void
  readonly #table: ReplicaTable
  readonly #writer: ByteWriter
  /** 1 for slots that had a key when the encoding began, and are not encoded yet. */
  readonly #isDue: Uint8Array
  readonly #kept: Uint8Array
  readonly #leases: Uint8Array
  /** Of the keys, in the order in which they are encoded. */
  readonly #strategies: ByteWriter

  /** Encodes what stands in front of the keys. From now on, until all is encoded, changes of keys are followed. */
  constructor(source: CheckpointSource, meta: Meta, table: ReplicaTable) {
    const { keys } = source
    this.#keys = keys
    this.#table = table
    this.#writer = new ByteWriter(256 + Math.min(keys.size, RESERVED_KEYS_MAX) * KEY_BYTES)
    this.#isDue = new Uint8Array(keys.slotsUsed)
    for (const slot of keys.occupied()) this.#isDue[slot] = 1
    this.#encodeHead(source, meta)
    this.#kept = keptOf(keys)
    this.#leases = leasesIn(source.leases, table)
    this.#strategies = new ByteWriter(keys.size)
    const beforeChange = (slot: Slot): void => this.#encodeDue(slot)
    keys.beforeChange = beforeChange
    keys.whenReplaced = (former) => (this.#keys = former)
    this.#letGo = () => {
      if (keys.beforeChange === beforeChange) keys.beforeChange = keys.whenReplaced = undefined
    }
  }

  /** The rest. The bytes are the caller's. */
  *steps(meter: Meter): Generator<void, Uint8Array> {
    const writer = this.#writer
    try {
      for (let slot = 0; slot < this.#isDue.length; slot++) {
        const from = writer.at
        this.#encodeDue(slot)
        meter.spend(1, writer.at - from)
        if (meter.isSpent) yield
      }
    } finally {
      this.#letGo()
    }
    writer.raw(this.#kept)
    writer.raw(this.#strategies.take())
    this.#encodeMixed()
    writer.raw(this.#leases)
    return writer.bytes.subarray(writer.start, writer.at)
  }

  #encodeHead(source: CheckpointSource, meta: Meta): void {
    const writer = this.#writer
    writer.u8(source.format)
    writer.f64(source.metaPosition)
    writeMeta(writer, { ...meta, ended: this.#table.ended }, this.#table, source.format)
    writer.varint(source.operationsCount)
    source.dots.write(writer, this.#table)
    writer.varint(source.forgotten.length)
    for (const { position, through } of source.forgotten) {
      writer.f64(position)
      writer.f64(through)
    }
    writer.f64(this.#keys.forgottenThrough)
    const feeds = source.feeds.list()
    writer.varint(feeds.length)
    for (const { name, position } of feeds) {
      writer.text(name)
      writer.f64(position)
    }
    writer.varint(this.#keys.size)
  }

  #encodeDue(slot: Slot): void {
    if (this.#isDue[slot] !== 1) return
    this.#isDue[slot] = 0
    const keys = this.#keys
    const writer = this.#writer
    writer.text(keys.keys[slot] as string)
    writer.f64(keys.head[slot]!)
    writer.f64(keys.tip[slot]!)
    writer.f64(keys.tipHlc[slot]!)
    writer.raw(this.#table.bytes(keys.tipReplica[slot] as ReplicaId))
    writer.varint(keys.tipSequence[slot]!)
    writer.varint(keys.lifeMs(slot))
    writer.varint(keys.version[slot]!)
    writer.f64(keys.snapshot[slot]!)
    writer.f64(keys.cut[slot]!)
    writeVector(writer, keys.vectors[slot]?.sorted() ?? [], this.#table)
    this.#strategies.u8(keys.strategy[slot]!)
  }

  /** Also those that have come to be of several strategies since: it costs a look at their operations. */
  #encodeMixed(): void {
    const writer = this.#writer
    const { keys, mixed } = this.#keys
    writer.varint(mixed.size)
    for (const slot of mixed) writer.text(keys[slot] as string)
  }
}

/** Where the states lie that are kept, of few keys. */
function keptOf(keys: KeyTable): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(keys.kept.size)
  for (const [slot, { position, through }] of keys.kept) {
    writer.text(keys.keys[slot] as string)
    writer.f64(position)
    writer.f64(through)
  }
  writer.f64(keys.expiredThroughMs)
  return writer.take()
}

function leasesIn(leases: LeaseBook, table: ReplicaTable): Uint8Array {
  const writer = new ByteWriter()
  leases.write(writer, table)
  return writer.take()
}

/** The same in one go. */
export function encodeCheckpoint(source: CheckpointSource, meta: Meta, table: ReplicaTable): Uint8Array {
  return finishNow(new CheckpointBody(source, meta, table).steps(UNBOUNDED))
}
