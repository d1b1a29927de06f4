/**
 * A snapshot: the state of one key after a causally stable prefix of its log, as the body of a log
 * record.
 *
 *     snapshot = key:text format:u8 strategy:u8 flags:u8 through:f64 baseVersion:varint version:varint [ parts ]
 *                hlc:f64 replica:8 sequence:varint [ lifeMs:varint ] vector [ seen:vector ] [ names ] state
 *
 * `baseVersion` is the key's version after the last operation that the state holds, `version` the
 * one when the snapshot was written; `through` is the position of the last record of the key's
 * chain that the state holds; hlc, replica and sequence are those of its greatest operation, and
 * lifeMs how long that lives if it says so itself (flag 2). Flag 1: the key exists; `vector` says
 * which operations it holds, those of pruned ids left aside, and `seen` (flag 4) names operations
 * that ended them (`operation/ended-ids.ts`); `names` (flag 8) are the first names of operations
 * that it holds as they were issued again (`operation/names/first-names.ts`); `state` is the strategy's own encoding (canonical MessagePack).
 * Of a large state all but the beginning lies in records in front of this one, and `parts` (flag 16)
 * says where (`snapshot-parts.ts`).
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encodeInto } from '../../crdt/encoding/encoding.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { FirstNames } from '../operation/names/first-names.ts'
import { writeVector } from '../operation/envelope/vector-entries.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { Position } from '../operation/position.ts'
import { FLAG_PARTS, hasParts, readParts, writeParts, type SnapshotPart } from './snapshot-parts.ts'

const FLAG_PRESENT = 1
const FLAG_LIFE = 2
const FLAG_SEEN = 4
const FLAG_NAMES = 8
const FLAGS_KNOWN = FLAG_PRESENT | FLAG_LIFE | FLAG_SEEN | FLAG_NAMES | FLAG_PARTS

export interface KeySnapshot {
  readonly key: string
  readonly strategy: number
  /** Whether the key exists in this state. */
  readonly present: boolean
  readonly through: Position
  readonly baseVersion: number
  readonly version: number
  readonly hlc: Hlc
  readonly replica: ReplicaId
  readonly sequence: number
  /**
   * How long the value lives from `hlc` on, if its greatest operation says so itself; otherwise 0.
   */
  readonly lifeMs: number
  readonly vector: VersionVector
  /** Who writes the key has seen these too: they stand for ids that the vector leaves out. */
  readonly seen?: VersionVector | undefined
  /** First names of operations that were issued again: under another name they do not count. */
  readonly firstNames?: FirstNames | undefined
  /** Where the state lies, but for its beginning, if it is too large for this record. */
  readonly parts?: readonly SnapshotPart[] | undefined
  readonly state: Encodable
}

export function writeSnapshot(writer: ByteWriter, snapshot: KeySnapshot, table: ReplicaTable): void {
  writeSnapshotHead(writer, snapshot, table)
  encodeInto(writer, snapshot.state)
}

/** All but the state, whose encoding is to follow. */
export function writeSnapshotHead(writer: ByteWriter, snapshot: Omit<KeySnapshot, 'state'>, table: ReplicaTable): void {
  writer.text(snapshot.key)
  writer.u8(table.formats.forWriting())
  writer.u8(snapshot.strategy)
  const { seen, firstNames, parts } = snapshot
  const hasSeen = seen !== undefined && seen.size > 0
  writer.u8(
    (snapshot.present ? FLAG_PRESENT : 0) |
      (snapshot.lifeMs > 0 ? FLAG_LIFE : 0) |
      (hasSeen ? FLAG_SEEN : 0) |
      (firstNames === undefined ? 0 : FLAG_NAMES) |
      (parts === undefined ? 0 : FLAG_PARTS),
  )
  writer.f64(snapshot.through)
  writer.varint(snapshot.baseVersion)
  writer.varint(snapshot.version)
  if (parts !== undefined) writeParts(writer, parts)
  writer.f64(snapshot.hlc)
  writer.raw(table.bytes(snapshot.replica))
  writer.varint(snapshot.sequence)
  if (snapshot.lifeMs > 0) writer.varint(snapshot.lifeMs)
  writeVector(writer, snapshot.vector.sorted(), table)
  if (hasSeen) writeVector(writer, seen.sorted(), table)
  firstNames?.write(writer, table)
}

/** One whose state is in this record. Throws `WARP_E_PROTOCOL`. */
export function readSnapshot(bytes: Uint8Array, start: number, end: number, table: ReplicaTable): KeySnapshot {
  const { stateStart, ...head } = readSnapshotHead(bytes, start, end, table)
  if (head.parts !== undefined) throw new ByteReader(bytes, start).malformed('a snapshot whose state is in parts')
  return { ...head, state: decode(bytes, stateStart, end) }
}

/**
 * What a snapshot says of its state. Looks at the state as well, if all of it is here and it takes no
 * more than `bytesMax`. Throws `WARP_E_PROTOCOL`.
 */
export function checkSnapshot(
  { bytes, start, end }: SnapshotBytes,
  table: ReplicaTable,
  bytesMax: number = Infinity,
): SnapshotHead {
  const head = readSnapshotHead(bytes, start, end, table)
  if (head.parts === undefined && end - start <= bytesMax) decode(bytes, head.stateStart, end)
  return head
}

/** What a snapshot says of its state, and where that begins. */
export interface SnapshotHead extends Omit<KeySnapshot, 'state'> {
  readonly stateStart: number
}

/** Throws `WARP_E_PROTOCOL`. The state is not looked at. */
export function readSnapshotHead(bytes: Uint8Array, start: number, end: number, table: ReplicaTable): SnapshotHead {
  const reader = new ByteReader(bytes, start, end)
  const key = reader.text()
  table.formats.take(reader.u8(), 'a snapshot')
  const strategy = reader.u8()
  const flags = reader.u8()
  if ((flags & ~FLAGS_KNOWN) !== 0) throw reader.malformed('flags that a snapshot of this format does not have')
  const present = (flags & FLAG_PRESENT) !== 0
  const through = reader.f64()
  const baseVersion = reader.varint()
  const version = reader.varint()
  const parts = (flags & FLAG_PARTS) === 0 ? undefined : readParts(reader)
  const hlc = reader.f64()
  const replica = table.read(bytes, reader.skip(REPLICA_ID_BYTES))
  const sequence = reader.varint()
  const lifeMs = (flags & FLAG_LIFE) === 0 ? 0 : reader.varint()
  const vector = readVector(reader, table)
  const seen = (flags & FLAG_SEEN) === 0 ? undefined : readVector(reader, table)
  const firstNames = (flags & FLAG_NAMES) === 0 ? undefined : FirstNames.read(reader, table)
  return {
    key,
    strategy,
    present,
    through,
    baseVersion,
    version,
    hlc,
    replica,
    sequence,
    lifeMs,
    vector,
    seen,
    firstNames,
    parts,
    stateStart: reader.at,
  }
}

/** Where a snapshot lies. */
export interface SnapshotBytes {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/**
 * Copies a snapshot to where it stands for the records up to `through`, and nothing lies behind it.
 * Its state is copied as it is; its parts lie at `parts` now.
 */
export function moveSnapshot(
  writer: ByteWriter,
  { bytes, start, end }: SnapshotBytes,
  { through, parts }: { readonly through: Position; readonly parts: readonly Position[] },
): void {
  const reader = new ByteReader(bytes, start, end)
  reader.text()
  reader.skip(3)
  writer.raw(bytes, start, reader.at)
  reader.f64()
  writer.f64(through)
  const version = reader.varint()
  reader.varint()
  writer.varint(version)
  writer.varint(version)
  if (hasParts(bytes, start)) {
    const moved = readParts(reader).map((part, i) => ({ ...part, position: parts[i] as Position }))
    writeParts(writer, moved)
  }
  writer.raw(bytes, reader.at, end)
}

export function readVector(reader: ByteReader, table: ReplicaTable): VersionVector {
  return VersionVector.from(readEntries(reader, table))
}

export function* readEntries(reader: ByteReader, table: ReplicaTable): Generator<readonly [ReplicaId, number]> {
  for (let left = reader.varint(); left > 0; left--)
    yield [table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES)), reader.varint()]
}
