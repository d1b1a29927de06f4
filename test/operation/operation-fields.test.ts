import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { runs } from '../../property-tests/seed.ts'
import { FIELDS_BYTES_MAX, LIFE_MS_MAX } from '../../src/limits.ts'
import { writeEnvelopeHeader, type EnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { FIELD } from '../../src/operation/envelope/format.ts'
import { isApplied, OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import type { OperationFields } from '../../src/operation/envelope/operation-fields.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

const IDS = ['0a', '0c', '0e'].map((id) => parseReplicaId(id.padStart(16, '0')))
const [A, B] = IDS as [ReplicaId, ReplicaId]
const table = new ReplicaTable()

function written(header: Partial<EnvelopeHeader>): Uint8Array {
  const writer = new ByteWriter()
  const fixed = {
    kind: OPERATION_KIND.update,
    strategy: 1,
    replicaBytes: table.bytes(A),
    sequence: 7,
    hlc: 99,
    key: 'k',
  }
  writeEnvelopeHeader(writer, { ...fixed, context: undefined, dependencies: undefined, ...header }, table)
  writer.u8(0xc0)
  return writer.take()
}

function load(bytes: Uint8Array): OperationReader {
  return new OperationReader(table).load(bytes, 0, bytes.length)
}

/** Fields as bytes, behind their length. */
function withFields(hex: string): OperationReader {
  const fields = fromHex(hex)
  return load(written({ fields: { others: fields } }))
}

const EVERYTHING: Required<Omit<OperationFields, 'others'>> = {
  former: [
    [A, 1],
    [B, 300],
  ],
  origin: { replica: A, sequence: 1 },
  lifeMs: LIFE_MS_MAX,
  graceMs: 1,
  provenance: { guest: B, sequence: 2 ** 40, principal: 'Zoë' },
  rowName: { replica: B, sequence: 7 },
  condition: { version: 0, fence: 3, transaction: { id: { replica: B, sequence: 4 }, index: 1, count: 2 } },
  writtenAt: 2 ** 52,
}

describe('the fields of an operation', () => {
  test('are read as they were written', () => {
    const reader = load(written({ fields: EVERYTHING }))
    reader.checkFields()
    expect({
      ...{ former: reader.former(), origin: reader.origin(), lifeMs: reader.lifeMs, graceMs: reader.graceMs },
      ...{
        provenance: reader.provenance(),
        rowName: reader.rowName(),
        condition: reader.condition(),
        writtenAt: reader.writtenAt(),
      },
    }).toEqual(EVERYTHING)
    expect(reader.tags()).toEqual([1, 2, 3, 4, 5, 7, 128, 129])
    expect(toHex(reader.bytes.subarray(reader.payloadStart, reader.end))).toBe('c0')
  })

  test('that are not there are none, and cost nothing', () => {
    const reader = load(written({}))
    expect([reader.hasFields, reader.former(), reader.origin(), reader.lifeMs, reader.graceMs]).toEqual([
      ...[false, [], undefined, 0, 0],
    ])
    expect([reader.provenance(), reader.condition(), reader.writtenAt(), reader.fieldsBeside([])]).toEqual(
      Array.from({ length: 4 }, () => undefined),
    )
    expect(written({ fields: undefined })).toEqual(written({}))
  })

  test('that are not known are kept as they came, and copied to where the operation is issued again', () => {
    const others = fromHex('50 03 010203 51 00')
    const reader = load(written({ fields: { lifeMs: 5, others } }))
    reader.checkFields()
    expect([reader.lifeMs, isApplied(reader.kind)]).toEqual([5, true])
    expect(reader.fieldsBeside([FIELD.life])).toEqual(others)
    const again = load(written({ fields: { others: reader.fieldsBeside([]) } }))
    expect([again.tags(), again.lifeMs]).toEqual([[3, 80, 81], 5])
  })

  test.each([FIELD.condition, FIELD.writtenAt, FIELD.keyId, 200])(
    'of tag %i make an operation that cannot be applied here',
    (tag) => {
      const reader = withFields(`${tag.toString(16)}00`)
      expect([reader.kind & 0xff, isApplied(reader.kind)]).toEqual([OPERATION_KIND.update, false])
    },
  )

  test.each([
    ['a life of 0', '03 01 00'],
    ['a life beyond the bound', '03 06 ffffffffff7f'],
    ['a life with more behind it', '03 02 0500'],
    ['a grace of 0', '04 01 00'],
    ['half a former name', `01 04 00000000`],
    ['a former name with sequence 0', `01 09 ${A}00`],
    ['an origin of two dots', `02 12 ${A}01${A}02`],
    ['a principal that is not UTF-8', `05 0b ${A}01 01 ff`],
    ['a part of a condition that is not known', '8001 08'],
    ['an operation beyond its transaction', `800c 04 ${A}01 02 02`],
    ['a time beyond 2^53', '8108 ffffffffffffffff'],
    ['a field twice', '03 01 05 03 01 06'],
  ])('are refused at the border: %s', (_, hex) => {
    const reader = withFields(hex)
    expect(refused(() => reader.checkFields()).code).toBe('WARP_E_PROTOCOL')
  })

  test('that the border would refuse count as none where they are read all the same', () => {
    expect(withFields('03 01 00').lifeMs).toBe(0)
    expect(withFields(`01 04 00000000`).former()).toEqual([])
    expect(withFields('8001 08').condition()).toBeUndefined()
  })

  test.each([0, 0.5, -1, NaN, LIFE_MS_MAX + 1, Infinity])('a life of %d ms is not written', (lifeMs) => {
    const error = refused(() => written({ fields: { lifeMs } }))
    expect([error.code, error.message]).toEqual(['WARP_E_LIMIT', expect.stringContaining(`ttlMs is ${lifeMs}`)])
  })

  test('a life of a part of a millisecond is rounded up', () => {
    expect(load(written({ fields: { lifeMs: 1.2 } })).lifeMs).toBe(2)
  })

  test('take at most 64 KiB, written or read', () => {
    const principal = 'x'.repeat(FIELDS_BYTES_MAX)
    const provenance = { guest: B, sequence: 1, principal }
    expect(refused(() => written({ fields: { provenance } })).code).toBe('WARP_E_LIMIT')
    const hostile = written({})
    hostile[3] = 4
    const long = new Uint8Array(hostile.length + FIELDS_BYTES_MAX + 10)
    long.set(hostile.subarray(0, hostile.length - 1))
    long.set(fromHex('818004'), hostile.length - 1)
    expect(refused(() => load(long)).message).toContain('fields of 65537 bytes')
  })
})

describe('what a writer had seen', () => {
  const entries = fc.array(fc.tuple(fc.constantFrom(...IDS), fc.integer({ min: 0, max: 9 })), { maxLength: 3 })
  const dots = fc.array(fc.tuple(fc.constantFrom(...IDS), fc.integer({ min: 1, max: 12 })), { maxLength: 4 })

  test('is the context, the dots beyond it and, unless the context is exact, its own earlier operations', () => {
    const seen = {
      context: fc.uniqueArray(
        entries.map((list) => list[0] ?? ([A, 0] as const)),
        { selector: ([id]) => id },
      ),
    }
    fc.assert(
      fc.property(
        seen.context,
        dots,
        fc.boolean(),
        fc.integer({ min: 1, max: 8 }),
        (context, single, isExact, sequence) => {
          const reader = load(written({ context, dots: single, isExact, sequence }))
          // The oracle: every operation that was seen, one by one.
          const names = new Set(single.map(([id, at]) => `${id}:${at}`))
          for (const [id, through] of context) for (let at = 1; at <= through; at++) names.add(`${id}:${at}`)
          if (!isExact) for (let at = 1; at < sequence; at++) names.add(`${A}:${at}`)
          const all = reader.seen()
          for (const id of IDS) {
            for (let at = 1; at <= 13; at++) {
              // What it names of itself beyond its own number does not count unless it is exact: nobody writes that.
              if (!isExact && id === A && at >= sequence) continue
              expect([id, at, reader.observed(id, at)]).toEqual([id, at, names.has(`${id}:${at}`)])
              expect([id, at, all.includes(id, at)]).toEqual([id, at, names.has(`${id}:${at}`)])
              const hasAll = Array.from({ length: at }, (_, i) => names.has(`${id}:${i + 1}`)).every(Boolean)
              if (reader.observedThrough(id, at)) expect(hasAll).toBe(true)
              if (single.length === 0) expect(reader.observedThrough(id, at)).toBe(hasAll)
            }
          }
        },
      ),
      runs(),
    )
  })
})
