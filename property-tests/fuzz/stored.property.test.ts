/** What comes from disks and travels inside of frames: payloads, operations, snapshots, segments, checkpoints. */
import { beforeAll, expect, test } from 'vitest'
import { type AnyStrategy, counter, custom, multiValue, register, set, text } from '../../crdt/index.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
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
import { OperationReader } from '../../src/operation/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { textOf } from '../../src/operation/text.ts'
import { fuzz } from './fuzz.ts'
import { type Recorded, recordedLog } from './operations.ts'

let recorded: Recorded

beforeAll(async () => {
  recorded = await recordedLog()
})

/** What it takes, it writes again to the same bytes as the second time. */
test('a payload', () => {
  const values = [
    null,
    [true, -1, 300, 70_000, 2 ** 40, 0.5, NaN, 7n, -(2n ** 63n)],
    { a: [{ b: 'é😀' }], ['__proto__']: 1, constructor: new Date(5) },
    'x'.repeat(40),
    new Uint8Array(300),
    Array.from({ length: 20 }, (_, i) => ({ id: i, name: `n${i}` })),
  ]
  fuzz({
    name: 'payload',
    corpus: values.map(encode),
    decode: (bytes) => expectStable(encode(decode(bytes))),
  })
})

function expectStable(bytes: Uint8Array): void {
  if (Buffer.compare(encode(decode(bytes)), bytes) !== 0) throw new Error('encoded otherwise the second time')
}

test('an operation', () => {
  const reader = new OperationReader(new ReplicaTable())
  fuzz({
    name: 'operation',
    corpus: recorded.envelopes,
    decode(bytes) {
      const { replica, keyStart, keyEnd } = reader.load(bytes, 0, bytes.length)
      textOf(bytes, keyStart, keyEnd)
      return [reader.context(), reader.dependencies(), reader.observed(replica, 1)]
    },
  })
})

test('what a log says of itself', () => {
  const table = new ReplicaTable()
  fuzz({
    name: 'meta',
    corpus: recorded.metas,
    decode: (bytes) => readMeta(new ByteReader(bytes), table),
    refusals: ['WARP_E_PROTOCOL', 'WARP_E_LOG_VERSION'],
  })
})

test('a snapshot, and the state in it', () => {
  const table = new ReplicaTable()
  const made: AnyStrategy[] = [register(), counter(), set(), multiValue(), text(), custom((_, next) => next)]
  const strategies = new Map(made.map((strategy) => [strategy.code, strategy]))
  fuzz({
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

test('a segment, record by record', () => {
  fuzz({
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
test('a checkpoint', () => {
  fuzz({
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
