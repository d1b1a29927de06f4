/** The bodies of the engine's records, as docs/wire-format.md has them. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { ByteReader } from '../../src/operation/byte-reader.ts'
import { readSnapshot, writeSnapshot } from '../../src/merge/snapshot-record.ts'
import { readMeta, writeMeta } from '../../src/store/meta-record.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { RetiredIds } from '../../src/operation/retired-ids.ts'
import { fromHex, toHex } from '../support/hex.ts'

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
  vector: VersionVector.from([[A, 3]]),
  state: 42,
}

const meta = {
  shared: A,
  local: B,
  localSequence: 2,
  home: 'here',
  hlc: 2048,
  floor: VersionVector.from([[A, 1]]),
  applied: VersionVector.from([[A, 3]]),
  isResyncing: false,
  hasMetOthers: true,
  formers: new VersionVector(),
  reissuing: new VersionVector(),
  retired: new RetiredIds([[B, 0]]),
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
    floor: [[A, 1]],
    applied: [[A, 3]],
    isResyncing: false,
    hasMetOthers: true,
    retired: [[B, 0]],
  })
})

test('a meta record of version 1, which knows of no ends, is read', () => {
  const [, flags = '', rest = ''] = /^02(..)(.*)01[0-9a-f]{16}00$/.exec(vectorOf('meta')) ?? []
  const read = readMeta(new ByteReader(fromHex(`01${flags}${rest}`)), table)
  expect([read.shared, read.applied.sorted(), read.retired.size]).toEqual([A, [[A, 3]], 0])
})
