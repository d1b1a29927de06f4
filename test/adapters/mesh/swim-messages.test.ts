import { expect, test } from 'vitest'
import type { MemberRecord } from '../../../adapters/mesh/membership/member-record.ts'
import {
  BODY_BYTES_MAX,
  decodeAck,
  decodePing,
  decodePingRequest,
  decodeRecords,
  encodeAck,
  encodePing,
  encodePingRequest,
  encodeRecords,
} from '../../../adapters/mesh/membership/swim-messages.ts'
import { fromHex, toHex } from '../../support/hex.ts'

const profile = { member: '0123456789abcdef', zone: '', roles: [] }
const record: MemberRecord = { profile, state: 'alive', incarnation: 1, endpoint: { host: '10.0.0.2', port: 7946 } }
const RECORDS_HEX = '01130123456789abcdef0001040a0000021f0a0000'

test('the bodies have these bytes', () => {
  const records = [record]
  expect(toHex(encodePing({ sequence: 258, records }))).toBe(`00000102${RECORDS_HEX}`)
  expect(toHex(encodeAck({ sequence: 258, wallMs: 1, records }))).toBe(`000001023ff0000000000000${RECORDS_HEX}`)
  expect(toHex(encodePingRequest({ sequence: 258, target: profile.member, records }))).toBe(
    `000001020123456789abcdef${RECORDS_HEX}`,
  )
  expect(encodeRecords(records).map(toHex)).toEqual([RECORDS_HEX])
})

test('what was written is read', () => {
  const ping = { sequence: 2 ** 32 - 1, records: [record] }
  expect(decodePing(encodePing(ping))).toEqual(ping)
  expect(decodeAck(encodeAck({ ...ping, wallMs: 1_700_000_000_000 }))).toEqual({ ...ping, wallMs: 1_700_000_000_000 })
  expect(decodeAck(encodeAck(ping))).toEqual(ping)
  const request = { ...ping, target: 'fedcba9876543210' }
  expect(decodePingRequest(encodePingRequest(request))).toEqual(request)
})

test('what follows a body belongs to later versions', () => {
  expect(decodePing(fromHex(`00000102${RECORDS_HEX}ffff`)).records).toEqual([record])
})

test.each(['7ff0000000000000', '4350000000000000', 'c350000000000000'])('%s is no time', (hex) => {
  expect(() => decodeAck(fromHex(`00000001${hex}00`))).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
})

test('many records take several bodies, each within the bound', () => {
  const records = Array.from({ length: 1000 }, (_, i) => ({ ...record, incarnation: i }))
  const bodies = encodeRecords(records)
  expect(bodies.every((body) => body.length <= BODY_BYTES_MAX)).toBe(true)
  expect(bodies.flatMap(decodeRecords)).toEqual(records)
})

test('more records than fit a ping are left out', () => {
  const records = Array.from({ length: 100 }, (_, i) => ({ ...record, incarnation: i }))
  const body = encodePing({ sequence: 1, records })
  expect(body.length).toBeLessThanOrEqual(BODY_BYTES_MAX)
  expect(decodePing(body).records.length).toBeGreaterThan(20)
})
