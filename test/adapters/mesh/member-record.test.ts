import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  INCARNATION_MAX,
  type MemberRecord,
  RECORD_BYTES_MAX,
  RECORDS_MAX,
  readRecord,
  readRecords,
  writeRecord,
  writeRecords,
} from '../../../adapters/mesh/membership/member-record.ts'
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { runs } from '../../../property-tests/seed.ts'
import { ByteReader } from '../../../src/operation/byte-reader.ts'
import { fromHex, toHex } from '../../support/hex.ts'
import { seededRandom } from '../../../testing/world/random.ts'

const profile = { member: '0123456789abcdef', zone: 'eu-1', roles: ['web', 'cache'] }
const record: MemberRecord = { profile, state: 'suspect', incarnation: 300, endpoint: { host: '10.0.0.2', port: 7946 } }
const RECORD_HEX = '0123456789abcdef01ac02040a0000021f0a0465752d310203776562056361636865'

function encode(given: MemberRecord): Uint8Array {
  const writer = new ByteWriter()
  writeRecord(writer, given)
  return writer.take()
}

function decode(bytes: Uint8Array): MemberRecord {
  return readRecord(new ByteReader(bytes))
}

const label = (bytesMax: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'grapheme', maxLength: bytesMax })
    .filter((text) => new TextEncoder().encode(text).length <= bytesMax && !/\p{Cc}/u.test(text) && text.isWellFormed())

const anyRecord: fc.Arbitrary<MemberRecord> = fc.record({
  profile: fc.record({
    member: fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 16, maxLength: 16 }),
    zone: label(64),
    roles: fc.array(label(32), { maxLength: 8 }),
  }),
  state: fc.constantFrom('alive', 'suspect', 'down', 'left'),
  incarnation: fc.integer({ min: 0, max: INCARNATION_MAX }),
  endpoint: fc.record({
    host: fc.constantFrom('127.0.0.1', '::1', 'fe80::1', '2001:db8::2:1'),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
})

describe('a record', () => {
  test('has these bytes', () => {
    expect(toHex(encode(record))).toBe(RECORD_HEX)
    expect(decode(fromHex(RECORD_HEX))).toEqual(record)
  })

  test('survives encoding, whatever it says', () => {
    fc.assert(
      fc.property(anyRecord, (given) => {
        expect(decode(encode(given))).toEqual(given)
      }),
      runs(2000),
    )
  })

  test('with an address that means nothing elsewhere is told without it', () => {
    const { endpoint: _scoped, ...homeless } = record
    expect(decode(encode({ ...record, endpoint: { host: 'fe80::1%eth0', port: 1 } }))).toEqual(homeless)
  })

  test('may be longer in later versions', () => {
    expect(decode(fromHex(`${RECORD_HEX}ffff`))).toEqual(record)
  })

  test('cut short anywhere is refused', () => {
    const bytes = encode(record)
    for (let end = 0; end < bytes.length; end++)
      expect(() => decode(bytes.subarray(0, end)), `${end} bytes`).toThrow(
        expect.objectContaining({ code: 'WARP_E_PROTOCOL' }),
      )
  })

  test.each([
    ['a state that there is not', '0123456789abcdef04ac0200000000'],
    ['an incarnation beyond 2^32', '0123456789abcdef00808080801000000000'],
    ['an address family that there is not', '0123456789abcdef0000050000'],
    ['port 0', '0123456789abcdef0000047f00000100000000'],
    ['a zone of 65 bytes', `0123456789abcdef00000041${'61'.repeat(65)}00`],
    ['nine roles', `0123456789abcdef0000000009${'0161'.repeat(9)}`],
    ['a role of 33 bytes', `0123456789abcdef000000000121${'61'.repeat(33)}`],
    ['an escape sequence for terminals', '0123456789abcdef000000031b5b6d00'],
    ['a zone that is not UTF-8', '0123456789abcdef00000002c32800'],
  ])('%s is refused', (_what, hex) => {
    expect(() => decode(fromHex(hex))).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  })

  test('the longest one fits the bound', () => {
    const roles = Array.from({ length: 8 }, () => 'r'.repeat(32))
    const longest = { ...record, profile: { ...profile, zone: 'z'.repeat(64), roles }, incarnation: INCARNATION_MAX }
    expect(encode({ ...longest, endpoint: { host: '2001:db8::1', port: 65_535 } }).length).toBeLessThan(
      RECORD_BYTES_MAX,
    )
  })
})

describe('several records', () => {
  test('as many as fit are written', () => {
    const writer = new ByteWriter()
    const records = Array.from({ length: 100 }, (_, i) => ({ ...record, incarnation: i }))
    const count = writeRecords(writer, records, 512)
    const bytes = writer.take()
    expect(bytes.length).toBeLessThanOrEqual(512)
    expect(bytes.length).toBeGreaterThan(450)
    expect(readRecords(new ByteReader(bytes))).toEqual(records.slice(0, count))
  })

  test('a number of records that cannot be there is refused before anything is allocated', () => {
    for (const hex of [`${(RECORDS_MAX + 1).toString(16)}${'00'.repeat(2000)}`, '02', 'ffffffffffffff0f'])
      expect(() => readRecords(new ByteReader(fromHex(hex)))).toThrow(
        expect.objectContaining({ code: 'WARP_E_PROTOCOL' }),
      )
  })

  test('200,000 random and damaged inputs are read or refused', () => {
    const random = seededRandom(11)
    const writer = new ByteWriter()
    writeRecords(writer, [record, { ...record, endpoint: { host: '2001:db8::1', port: 9 } }], 512)
    const good = writer.take()
    let refusedCount = 0
    for (let i = 0; i < 200_000; i++) {
      const bytes = random.chance(0.3) ? random.bytes(random.below(80)) : good.slice(0, random.between(1, good.length))
      for (let flips = random.below(3); flips > 0 && bytes.length > 0; flips--)
        bytes[random.below(bytes.length)] = random.below(256)
      refusedCount += isRefused(bytes) ? 1 : 0
    }
    expect(refusedCount).toBeGreaterThan(100_000)
    expect(refusedCount).toBeLessThan(200_000)
  })
})

function isRefused(bytes: Uint8Array): boolean {
  try {
    return readRecords(new ByteReader(bytes)).some(({ profile: read }) => read.member.length !== 16)
  } catch (error) {
    if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
    return true
  }
}
