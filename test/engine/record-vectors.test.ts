/** The bodies of the engine's records, as docs/wire-format.md has them. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { ByteReader } from '../../src/operation/byte-reader.ts'
import { readKept, readKeptPlace, writeKept } from '../../src/merge/kept-record.ts'
import { readPart, writePart } from '../../src/merge/snapshot-parts.ts'
import { readSnapshot, readSnapshotHead, writeSnapshot, writeSnapshotHead } from '../../src/merge/snapshot-record.ts'
import { readMeta, writeMeta } from '../../src/store/meta-record.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { Departures } from '../../src/operation/departures.ts'
import { Reissued } from '../../src/operation/names/reissued.ts'
import { RetiredIds } from '../../src/operation/retired-ids.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

const A = parseReplicaId('0102030405060708')
const B = parseReplicaId('1112131415161718')
const table = new ReplicaTable()

const snapshot = {
  key: 'cart:7',
  strategy: 3,
  present: true,
  through: 4096,
  baseVersion: 5,
  version: 6,
  hlc: 2048,
  replica: A,
  sequence: 3,
  lifeMs: 0,
  vector: VersionVector.from([[A, 3]]),
  state: 42,
}

const meta = {
  shared: A,
  local: B,
  localSequence: 2,
  home: 'here',
  name: 'web-1',
  hlc: 2048,
  floor: VersionVector.from([[A, 1]]),
  applied: VersionVector.from([[A, 3]]),
  isResyncing: false,
  hasMetOthers: true,
  formers: new VersionVector(),
  reissued: new Reissued(),
  reissuing: new VersionVector(),
  retired: new RetiredIds([[B, 0]]),
  departures: new Departures(),
}

function vectorOf(name: string): string {
  const text = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
  const section = text.split('\n### Vectors of records\n')[1]?.split('\n#')[0] ?? ''
  return new RegExp(`^\\| ${name} \\| \`([0-9a-f]+)\``, 'm').exec(section)?.[1] ?? ''
}

function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter()
  write(writer)
  return toHex(writer.take())
}

test('a snapshot record is written and read as documented', () => {
  expect(written((writer) => writeSnapshot(writer, snapshot, table))).toBe(vectorOf('snapshot'))
  const bytes = fromHex(vectorOf('snapshot'))
  const { vector, ...facts } = readSnapshot(bytes, 0, bytes.length, table)
  const { vector: expected, ...others } = snapshot
  expect(facts).toEqual(others)
  expect(vector.sorted()).toEqual(expected.sorted())
})

test('the record of a kept state is written and read as documented', () => {
  expect(written((writer) => writeKept(writer, { fold: '1:counter', snapshot }, table))).toBe(vectorOf('kept state'))
  const bytes = fromHex(vectorOf('kept state'))
  expect(readKept(bytes, 0, bytes.length, table)).toMatchObject({ fold: '1:counter', snapshot: { state: 42 } })
  expect(readKeptPlace(bytes, 0, bytes.length)).toEqual({ key: 'cart:7', through: 4096 })
})

test('a meta record is written and read as documented', () => {
  expect(written((writer) => writeMeta(writer, meta, table))).toBe(vectorOf('meta'))
  const read = readMeta(new ByteReader(fromHex(vectorOf('meta'))), table)
  const { floor, applied, retired } = read
  const vectors = { floor: floor.sorted(), applied: applied.sorted(), retired: retired.entries() }
  expect({ ...read, ...vectors }).toMatchObject({
    shared: A,
    local: B,
    localSequence: 2,
    home: 'here',
    name: 'web-1',
    floor: [[A, 1]],
    applied: [[A, 3]],
    isResyncing: false,
    hasMetOthers: true,
    retired: [[B, 0]],
  })
})

test('a snapshot of a value that says how long it lives says so as documented', () => {
  const lasting = { ...snapshot, lifeMs: 90_000 }
  expect(written((writer) => writeSnapshot(writer, lasting, table))).toBe(vectorOf('snapshot with a life'))
  const bytes = fromHex(vectorOf('snapshot with a life'))
  expect(readSnapshot(bytes, 0, bytes.length, table).lifeMs).toBe(90_000)
})

test('a snapshot whose state lies in parts, and a part, are written and read as documented', () => {
  const parts = [
    { position: 2 ** 32 + 64, bytes: 3 },
    { position: 2 ** 32 + 100, bytes: 2 },
  ]
  const { state: _, ...head } = { ...snapshot, parts }
  const name = 'snapshot with parts'
  const vector = written((writer) => {
    writeSnapshotHead(writer, head, table)
    writer.u8(0x92)
  })
  expect(vector).toBe(vectorOf(name))
  const bytes = fromHex(vectorOf(name))
  const read = readSnapshotHead(bytes, 0, bytes.length, table)
  expect(read.parts).toEqual(parts)
  expect(bytes.subarray(read.stateStart)).toEqual(new Uint8Array([0x92]))
  expect(refused(() => readSnapshot(bytes, 0, bytes.length, table)).code).toBe('WARP_E_PROTOCOL')
  const of = { key: 'cart:7', strategy: 2 }
  const stretch = { bytes: new Uint8Array([9, 1, 2, 3]), start: 1, end: 4 }
  expect(written((writer) => writePart(writer, of, stretch, table))).toBe(vectorOf('part'))
  const part = fromHex(vectorOf('part'))
  expect(readPart(part, 0, part.length, table)).toEqual({ ...of, stateStart: part.length - 3 })
  expect(refused(() => readSnapshotHead(part, 0, part.length, table)).code).toBe('WARP_E_PROTOCOL')
})

test.each([
  ['no parts', 0, 0],
  ['more parts than it has bytes for', 0, 200],
  ['an empty part', 1, 0],
])('a snapshot that says that its state lies in %s is refused', (_, offset, byte) => {
  const bytes = fromHex(vectorOf('snapshot with parts'))
  // Key with its length, format, strategy, flags, through, and both versions.
  bytes[7 + 3 + 8 + 2 + offset] = byte
  expect(refused(() => readSnapshotHead(bytes, 0, bytes.length, table)).code).toBe('WARP_E_PROTOCOL')
})

test('a part of another format, or of nothing, is refused', () => {
  const bytes = fromHex(vectorOf('part'))
  expect(refused(() => readPart(bytes, 0, bytes.length - 3, table)).code).toBe('WARP_E_PROTOCOL')
  bytes[7] = 1
  expect(refused(() => readPart(bytes, 0, bytes.length, table)).code).toBe('WARP_E_PROTOCOL')
})

test.each([1, 3])('a meta record of format %i is refused', (format) => {
  const bytes = fromHex(vectorOf('meta'))
  bytes[0] = format
  expect(refused(() => readMeta(new ByteReader(bytes), table)).code).toBe('WARP_E_LOG_VERSION')
})

test.each([
  ['of another format', 7, 1],
  ['with a flag that this format does not have', 9, 4],
])('a snapshot record %s is refused', (_, at, byte) => {
  const bytes = fromHex(vectorOf('snapshot'))
  bytes[at] = byte
  expect(refused(() => readSnapshot(bytes, 0, bytes.length, table)).code).toBe('WARP_E_PROTOCOL')
})
