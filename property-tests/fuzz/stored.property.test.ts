/** What comes from disks and travels inside of frames: payloads, operations, snapshots, segments, checkpoints. */
import { beforeAll, expect, test } from 'vitest'
import { type AnyStrategy, counter, custom, multiValue, register, set, text } from '../../crdt/index.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { decode, encode, encodeInto } from '../../crdt/encoding/encoding.ts'
import { ByteReader } from '../../src/operation/byte-reader.ts'
import { decodeCheckpoint } from '../../src/log/opening/checkpoint.ts'
import { crc32c } from '../../src/log/segments/crc32c.ts'
import {
  checkRecord,
  decodeSegmentHeader,
  readMark,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  viewOf,
} from '../../src/log/segments/segment-format.ts'
import { readMeta } from '../../src/store/meta-record.ts'
import { readSnapshot } from '../../src/merge/snapshot-record.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import type { OperationFields } from '../../src/operation/envelope/operation-fields.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { textOf } from '../../src/operation/text.ts'
import { fuzz } from './fuzz.ts'
import { type Recorded, recordedLog } from './operations.ts'

let recorded: Recorded

beforeAll(async () => {
  recorded = await recordedLog()
})

/** What it takes, it writes again to the same bytes as the second time. */
test('a payload', async () => {
  const values = [
    null,
    [true, -1, 300, 70_000, 2 ** 40, 0.5, NaN, 7n, -(2n ** 63n)],
    { a: [{ b: 'é😀' }], ['__proto__']: 1, constructor: new Date(5) },
    'x'.repeat(40),
    new Uint8Array(300),
    Array.from({ length: 20 }, (_, i) => ({ id: i, name: `n${i}` })),
  ]
  await fuzz({
    name: 'payload',
    corpus: values.map(encode),
    decode: (bytes) => expectStable(encode(decode(bytes))),
  })
})

function expectStable(bytes: Uint8Array): void {
  if (Buffer.compare(encode(decode(bytes)), bytes) !== 0) throw new Error('encoded otherwise the second time')
}

test('an operation', async () => {
  const reader = new OperationReader(new ReplicaTable())
  await fuzz({
    name: 'operation',
    corpus: [...recorded.envelopes, ...envelopesWithFields()],
    decode(bytes) {
      const { replica, keyStart, keyEnd } = reader.load(bytes, 0, bytes.length)
      textOf(bytes, keyStart, keyEnd)
      reader.seen().includes(replica, 3)
      const facts = [reader.context(), reader.dots(), reader.dependencies(), reader.observed(replica, 1)]
      // Fields that are malformed count as none, until they are checked.
      const fields = [reader.former(), reader.origin(), reader.lifeMs, reader.graceMs, reader.provenance()]
      const binding = [reader.condition(), reader.writtenAt(), reader.fieldsBeside([1])]
      reader.checkFields()
      return [facts, fields, binding]
    },
  })
})

/** With everything that an operation may say. */
function envelopesWithFields(): Uint8Array[] {
  const table = new ReplicaTable()
  const [a, b] = [
    table.read(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2), 0),
    table.read(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 4), 0),
  ]
  const dot = { replica: b, sequence: 300 }
  const header = {
    ...{ kind: 1, strategy: 1, replicaBytes: table.bytes(a), sequence: 7, hlc: 9, key: 'k', dependencies: undefined },
    ...{ context: [[a, 2]] as const, isExact: true, dots: [[a, 5]] as const },
  }
  const every: OperationFields[] = [
    {
      former: [
        [a, 1],
        [b, 2],
      ],
      origin: dot,
      lifeMs: 100_000,
      graceMs: 5,
      others: Uint8Array.of(90, 2, 1, 2),
    },
    { provenance: { guest: a, sequence: 4, principal: 'Zoë' }, writtenAt: 2 ** 45 },
    { condition: { version: 3, fence: 9, transaction: { id: dot, index: 1, count: 2 } } },
  ]
  return every.map((fields) => {
    const writer = new ByteWriter()
    writeEnvelopeHeader(writer, { ...header, fields }, table)
    encodeInto(writer, { a: 1 })
    return writer.take()
  })
}

test('what a log says of itself', async () => {
  const table = new ReplicaTable()
  await fuzz({
    name: 'meta',
    corpus: recorded.metas,
    decode: (bytes) => readMeta(new ByteReader(bytes), table),
    refusals: ['WARP_E_PROTOCOL', 'WARP_E_LOG_VERSION'],
  })
})

test('a snapshot, and the state in it', async () => {
  const table = new ReplicaTable()
  const made: AnyStrategy[] = [register(), counter(), set(), multiValue(), text(), custom((_, next) => next)]
  const strategies = new Map(made.map((strategy) => [strategy.code, strategy]))
  await fuzz({
    name: 'snapshot',
    corpus: recorded.snapshots,
    decode(bytes) {
      const { strategy, state } = readSnapshot(bytes, 0, bytes.length, table)
      const folded = strategies.get(strategy)
      // What was decoded is looked at next, and written again at the next compaction.
      if (folded === undefined) return
      const decoded: unknown = folded.decodeState(state)
      folded.read(decoded)
      folded.encodeState(decoded)
    },
    refusals: ['WARP_E_PROTOCOL', 'WARP_E_LOG_CORRUPT'],
  })
})

test('a segment, record by record', async () => {
  await fuzz({
    name: 'segment',
    corpus: recorded.segments,
    decode(bytes) {
      const found = decodeSegmentHeader(bytes)
      if (found.kind !== 'header') return false
      const view = viewOf(bytes)
      const { number, salt } = found.header
      for (let at = SEGMENT_HEADER_BYTES, length = 1; length > 0; at += length) {
        length = checkRecord(view, at, bytes.length, { base: number * 2 ** 32, salt, offset: at })
        if (at + length > bytes.length) throw new Error('a record beyond the end')
        if (length >= RECORD_HEADER_BYTES + 24) readMark(view, at + RECORD_HEADER_BYTES)
      }
      return true
    },
  })
})

/** Each as it is, and with checksums that say that all is well. */
test('a checkpoint', async () => {
  await fuzz({
    name: 'checkpoint',
    corpus: recorded.checkpoints,
    decode(bytes) {
      const asItIs = decodeCheckpoint(bytes, 'checkpoint-1')
      const repaired = decodeCheckpoint(withChecksums(bytes.slice()), 'checkpoint-1')
      return typeof asItIs !== 'string' || typeof repaired !== 'string'
    },
    refusals: ['WARP_E_LOG_VERSION'],
  })
})

function withChecksums(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 64) return bytes
  const view = viewOf(bytes)
  const bodyAt = 64 + view.getUint32(36) * 8
  const end = bodyAt + view.getUint32(40)
  if (end <= bytes.length) {
    view.setUint32(48, crc32c(bytes, 64, bodyAt))
    view.setUint32(44, crc32c(bytes, bodyAt, end))
  }
  view.setUint32(60, crc32c(bytes, 8, 60))
  return bytes
}

test('every kind of what is fuzzed is there', () => {
  const { envelopes, snapshots, metas, segments, checkpoints } = recorded
  expect([envelopes, snapshots, metas, segments, checkpoints].every((corpus) => corpus.length > 0)).toBe(true)
  expect(snapshots.length).toBeGreaterThan(4)
})
