/**
 * The parts of a state that is too large for one record. They lie in records of their own, in front
 * of the snapshot that they belong to, which says where each of them lies and how long it is.
 *
 *     part  = key:text format:u8 strategy:u8 flags:u8 bytes            flags: 32, and nothing else
 *     parts = count:varint (bytes:varint position:f64)*                in the snapshot, in their order
 *
 * The state is what stands in the snapshot itself, and then the bytes of the parts. Parts are written
 * over many turns while others write to the log. They count for nothing until their snapshot is
 * there, which is one record behind them: so after a crash the state is there as a whole or not at
 * all. Parts without a snapshot are garbage.
 *
 * A build that does not know of parts does not know the flag either, and refuses the log at the first
 * one.
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { STATE_BYTES_MAX } from '../limits.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log/log.ts'
import { STEP, type Meter } from '../operation/budget.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'

/** States of fewer bytes stand in their snapshot as a whole. */
export const UNDIVIDED_BYTES_MAX = 4_194_304
/** A part is written and read in one step. */
export const PART_BYTES: number = STEP.bytes

export const FLAG_PART = 32
/** Of a snapshot. */
export const FLAG_PARTS = 16

/** Length and position in a snapshot take no less. */
const ENTRY_BYTES_MIN = 9

/** A part of a state, as its snapshot knows it. */
export interface SnapshotPart {
  readonly position: Position
  /** How much of the state it holds. */
  readonly bytes: number
}

export interface PartOf {
  readonly key: string
  /** The code of the strategy. */
  readonly strategy: number
}

/** Where bytes lie. */
interface Stretch {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export function writePart(
  writer: ByteWriter,
  { key, strategy }: PartOf,
  { bytes, start, end }: Stretch,
  table: ReplicaTable,
): void {
  writer.text(key)
  writer.u8(table.formats.forWriting())
  writer.u8(strategy)
  writer.u8(FLAG_PART)
  writer.raw(bytes, start, end)
}

/** A part, and where its bytes of the state begin. Throws `WARP_E_PROTOCOL`. */
export function readPart(
  bytes: Uint8Array,
  start: number,
  end: number,
  table: ReplicaTable,
): PartOf & { readonly stateStart: number } {
  const reader = new ByteReader(bytes, start, end)
  const key = reader.text()
  table.formats.take(reader.u8(), 'a part of a snapshot')
  const strategy = reader.u8()
  if (reader.u8() !== FLAG_PART) throw reader.malformed('flags that a part of a snapshot does not have')
  if (reader.isAtEnd) throw reader.malformed('an empty part of a snapshot')
  return { key, strategy, stateStart: reader.at }
}

/** Whether the record is a part, for all that can be told without reading it. */
export function isPart({ kind, bytes, start }: Pick<RecordView, 'kind' | 'bytes' | 'start'>): boolean {
  return kind === RECORD_KIND.snapshot && flagsAt(bytes, start) === FLAG_PART
}

/** Whether the state of a snapshot lies in parts, for all that can be told without reading it. */
export function hasParts(bytes: Uint8Array, start: number): boolean {
  return (flagsAt(bytes, start) & FLAG_PARTS) !== 0
}

/** The flags stand behind the key, the format and the strategy. */
function flagsAt(bytes: Uint8Array, start: number): number {
  let at = start
  let keyBytes = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] ?? 0
    keyBytes += (byte & 0x7f) * scale
    if (byte < 0x80) return bytes[at + keyBytes + 2] ?? 0
  }
}

export function writeParts(writer: ByteWriter, parts: readonly SnapshotPart[]): void {
  writer.varint(parts.length)
  for (const { bytes, position } of parts) {
    writer.varint(bytes)
    writer.f64(position)
  }
}

/** Throws `WARP_E_PROTOCOL`. */
export function readParts(reader: ByteReader): readonly SnapshotPart[] {
  const count = reader.varint()
  if (count === 0 || count > reader.remaining / ENTRY_BYTES_MIN) throw reader.malformed(`${count} parts of a state`)
  const parts: SnapshotPart[] = []
  let whole = 0
  for (let left = count; left > 0; left--) {
    const bytes = reader.varint()
    whole += bytes
    if (bytes === 0 || whole > STATE_BYTES_MAX) throw reader.malformed(`a part of ${bytes} bytes of a state`)
    parts.push({ bytes, position: reader.f64() })
  }
  return parts
}

/** How many bytes there are in parts. */
export function bytesInParts(parts: readonly SnapshotPart[] | undefined): number {
  return parts === undefined ? 0 : parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** What a snapshot says of its state, as far as it matters here. */
interface Divided extends PartOf {
  readonly stateStart: number
  readonly parts?: readonly SnapshotPart[] | undefined
}

/**
 * The bytes of a state, its parts included, as the caller's own. `record` holds the snapshot, and
 * `head` is what it says. Throws `WARP_E_LOG_CORRUPT` if a part is not there.
 */
export function* stateBytesSteps(
  log: Log,
  { record, head }: { readonly record: RecordView; readonly head: Divided },
  table: ReplicaTable,
  meter: Meter,
): Generator<void, Uint8Array> {
  const { bytes, end, position } = record
  const { stateStart, parts = [] } = head
  let at = end - stateStart
  const state = new Uint8Array(at + bytesInParts(parts))
  state.set(bytes.subarray(stateStart, end))
  meter.spend(1, at)
  for (const part of parts) {
    if (meter.isSpent) yield
    const { start, bytes: lent } = stretchOf(log, { part, head, before: position }, table)
    state.set(lent.subarray(start, start + part.bytes), at)
    at += part.bytes
    meter.spend(1, part.bytes)
  }
  return state
}

/** Where the bytes of a part lie; valid until the next record is read. */
function stretchOf(
  log: Log,
  { part, head, before }: { readonly part: SnapshotPart; readonly head: Divided; readonly before: Position },
  table: ReplicaTable,
): Stretch {
  if (part.position >= before) throw notThere(head.key, part)
  const record = log.record(part.position)
  if (!isPart(record)) throw notThere(head.key, part)
  const { key, strategy, stateStart } = readPart(record.bytes, record.start, record.end, table)
  const isOfState = key === head.key && strategy === head.strategy && record.end - stateStart === part.bytes
  if (!isOfState) throw notThere(head.key, part)
  return { bytes: record.bytes, start: stateStart, end: record.end }
}

function notThere(key: string, { position }: SnapshotPart): WarpError {
  return new WarpError(
    'WARP_E_LOG_CORRUPT',
    `the snapshot of '${key}' says that a part of its state lies where none does; restore the log from a backup or ` +
      'let another replica supply the data',
    { details: { key, position } },
  )
}
