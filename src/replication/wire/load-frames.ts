/**
 * The bodies of the frames by which one replica loads for others, there and back, writes rows for them, and
 * tells them of the copies that it holds.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { KEY_BYTES_MAX, LIFE_MS_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import { writeVector } from '../../operation/envelope/vector-entries.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { FilledRow, HoldingsTold, HoldingsWanted, ToldCopy } from '../../ports/talk/copy-talk.ts'
import type { StoredRow } from '../../ports/talk/load-talk.ts'
import {
  HELD_KEYS_PER_FRAME_MAX,
  ROWS_PER_FRAME_MAX,
  type HoldingsToldFrame,
  type HoldingsWantedFrame,
  type LoadFillFrame,
  type LoadRequestFrame,
} from './frames.ts'
import type { IdReader } from './id-reader.ts'

const SECOND = 1
const KINDS = ['cannot', 'working', 'fill'] as const
const HOLDINGS = ['cannot', 'keys', 'copies'] as const
/** Index, flags, life and the number of tags. */
const COPY_BYTES_MIN = 4
const HAS_VALUE = 4
/** The value is that of a row of a store; more about it follows. */
const HAS_ROW = 8
const IS_THERE = 1
const NO_BYTES = new Uint8Array(0)
/** As many as a value may have where it is loaded, from keyspace, call and loader. */
const TAGS_READ_MAX = 256
const TAG_BYTES_MAX = 2048

export function writeLoadRequest(
  writer: ByteWriter,
  { number, isSecond, key, need }: LoadRequestFrame,
  table: ReplicaTable,
): void {
  writer.varint(number)
  writer.u8(isSecond ? SECOND : 0)
  writer.text(key)
  writeVector(writer, need.sorted(), table)
}

export function readLoadRequest(reader: ByteReader, ids: IdReader): LoadRequestFrame {
  const number = reader.varint()
  const flags = reader.u8()
  return { number, isSecond: (flags & SECOND) !== 0, key: readKey(reader), need: ids.vector(reader) }
}

function readKey(reader: ByteReader): string {
  const from = reader.at
  const key = reader.text()
  if (key === '' || reader.at - from > KEY_BYTES_MAX + 3) throw reader.malformed('a key that is none')
  return key
}

export function writeLoadFill(writer: ByteWriter, { number, answer }: LoadFillFrame, table: ReplicaTable): void {
  writer.varint(number)
  writer.u8(KINDS.indexOf(answer.kind) | (answer.kind === 'fill' ? flagsOf(answer) : 0))
  if (answer.kind !== 'fill') return
  writeVector(writer, answer.begin.sorted(), table)
  writeCopy(writer, answer, table)
}

function flagsOf({ value, row }: ToldCopy): number {
  return (value === undefined ? 0 : HAS_VALUE) | (row === undefined ? 0 : HAS_ROW)
}

function writeCopy(writer: ByteWriter, { leftMs, tags, value, row }: ToldCopy, table: ReplicaTable): void {
  writer.varint(leftMs)
  writer.varint(tags.length)
  for (const tag of tags) writer.text(tag)
  if (value !== undefined) writeBytes(writer, value)
  if (row === undefined) return
  writer.u8(row.meta === undefined ? 0 : IS_THERE)
  writeBytes(writer, row.meta ?? NO_BYTES)
  writeBytes(writer, row.token)
  writeVector(writer, row.known.sorted(), table)
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length)
  writer.raw(bytes)
}

function readBytes(reader: ByteReader): Uint8Array {
  const length = reader.varint()
  const at = reader.skip(length)
  return reader.bytes.slice(at, at + length)
}

export function readLoadFill(reader: ByteReader, ids: IdReader): LoadFillFrame {
  const number = reader.varint()
  const flags = reader.u8()
  const kind = KINDS[flags & ~(HAS_VALUE | HAS_ROW)]
  if (kind === undefined) throw reader.malformed(`an answer with flags ${flags}`)
  if (kind !== 'fill') return { number, answer: { kind } }
  const begin: VersionVector = ids.vector(reader)
  return { number, answer: { kind, begin, ...readCopy(reader, flags, ids) } }
}

function readCopy(reader: ByteReader, flags: number, ids: IdReader): ToldCopy {
  const leftMs = reader.varint()
  if (leftMs > LIFE_MS_MAX) throw reader.malformed(`a life of ${leftMs} ms`)
  const tags: string[] = []
  for (let left = reader.count(TAGS_READ_MAX, 1); left > 0; left--) tags.push(readTag(reader))
  const value = (flags & HAS_VALUE) === 0 ? undefined : readBytes(reader)
  const copy = { value, leftMs, tags }
  return (flags & HAS_ROW) === 0 ? copy : { ...copy, row: readRow(reader, ids) }
}

function readRow(reader: ByteReader, ids: IdReader): FilledRow {
  const isThere = (reader.u8() & IS_THERE) !== 0
  const meta = readBytes(reader)
  return { meta: isThere ? meta : undefined, token: readBytes(reader), known: ids.vector(reader) }
}

export function writeRowsStored(writer: ByteWriter, rows: readonly StoredRow[], table: ReplicaTable): void {
  writer.varint(rows.length)
  for (const { key, vector } of rows) {
    writer.text(key)
    writeVector(writer, vector.sorted(), table)
  }
}

export function readRowsStored(reader: ByteReader, ids: IdReader): StoredRow[] {
  const rows: StoredRow[] = []
  for (let left = reader.count(ROWS_PER_FRAME_MAX, 3); left > 0; left--)
    rows.push({ key: readKey(reader), vector: ids.vector(reader) })
  reader.mustBeAtEnd()
  return rows
}

export function writeHoldingsWanted(writer: ByteWriter, { number, wanted }: HoldingsWantedFrame): void {
  writer.varint(number)
  writer.u8(HOLDINGS.indexOf(wanted.kind))
  if (wanted.kind === 'keys') {
    writer.text(wanted.pattern)
    writer.varint(wanted.from)
  } else writeKeys(writer, wanted.keys)
}

export function readHoldingsWanted(reader: ByteReader): HoldingsWantedFrame {
  const number = reader.varint()
  const flags = reader.u8()
  const kind = HOLDINGS[flags]
  if (kind === undefined || kind === 'cannot') throw reader.malformed(`a question with flags ${flags}`)
  const wanted: HoldingsWanted =
    kind === 'keys' ? { kind, pattern: readKey(reader), from: reader.varint() } : { kind, keys: readKeys(reader) }
  return { number, wanted }
}

export function writeHoldingsTold(writer: ByteWriter, { number, told }: HoldingsToldFrame, table: ReplicaTable): void {
  writer.varint(number)
  writer.u8(HOLDINGS.indexOf(told.kind))
  if (told.kind === 'keys') {
    writer.varint(told.next)
    writeKeys(writer, told.keys)
  }
  if (told.kind !== 'copies') return
  writeVector(writer, told.begin.sorted(), table)
  writer.varint(told.lookedCount)
  writer.varint(told.copies.length)
  for (const [index, copy] of told.copies) {
    writer.varint(index)
    writer.u8(flagsOf(copy))
    writeCopy(writer, copy, table)
  }
}

export function readHoldingsTold(reader: ByteReader, ids: IdReader): HoldingsToldFrame {
  const number = reader.varint()
  const flags = reader.u8()
  const kind = HOLDINGS[flags]
  if (kind === undefined) throw reader.malformed(`an answer with flags ${flags}`)
  return { number, told: readTold(reader, kind, ids) }
}

function readTold(reader: ByteReader, kind: HoldingsTold['kind'], ids: IdReader): HoldingsTold {
  if (kind === 'cannot') return { kind }
  if (kind === 'keys') return { kind, next: reader.varint(), keys: readKeys(reader) }
  const begin = ids.vector(reader)
  const lookedCount = reader.varint()
  const copies: (readonly [number, ToldCopy])[] = []
  for (let left = reader.count(HELD_KEYS_PER_FRAME_MAX, COPY_BYTES_MIN); left > 0; left--) {
    const index = reader.varint()
    copies.push([index, readCopy(reader, reader.u8(), ids)])
  }
  return { kind, begin, lookedCount, copies }
}

function writeKeys(writer: ByteWriter, keys: readonly string[]): void {
  writer.varint(keys.length)
  for (const key of keys) writer.text(key)
}

function readKeys(reader: ByteReader): string[] {
  const keys: string[] = []
  for (let left = reader.count(HELD_KEYS_PER_FRAME_MAX, 2); left > 0; left--) keys.push(readKey(reader))
  return keys
}

function readTag(reader: ByteReader): string {
  const from = reader.at
  const tag = reader.text()
  if (reader.at - from > TAG_BYTES_MAX) throw reader.malformed('a tag that is too long')
  return tag
}
