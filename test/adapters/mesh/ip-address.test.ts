import fc from 'fast-check'
import { isIP } from 'node:net'
import { expect, test } from 'vitest'
import { formatIp, isLoopback, isUnicast, parseIp } from '../../../adapters/mesh/sockets/ip-address.ts'
import { runs } from '../../../property-tests/seed.ts'

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
  ['::ffff:a00:1', '::ffff:10.0.0.1'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
])('%s is %s', (given, canonical) => {
  expect(formatIp(parseIp(given) ?? new Uint8Array(4))).toBe(canonical)
})

test.each([
  '',
  'localhost',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '::12345',
  'fe80::1%eth0',
  '1:2:3:4:5:6:7::8',
  '1.2.3.4::',
])('%s is no address', (text) => {
  expect(parseIp(text)).toBeUndefined()
})

test('Node reads what is written, and reads the same', () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.from(bytes)),
  )
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const text = formatIp(bytes)
      expect(isIP(text)).toBe(bytes.length === 4 ? 4 : 6)
      expect(parseIp(text)).toEqual(bytes)
    }),
    runs(2000),
  )
})

test('it agrees with Node on what an address is', () => {
  const anyText = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:::..')), maxLength: 24 }),
  )
  fc.assert(
    fc.property(anyText, (text) => {
      expect(parseIp(text)?.length).toBe({ 0: undefined, 4: 4, 6: 16 }[isIP(text)])
    }),
    runs(5000),
  )
})

test('loopback is 127/8 and ::1, mapped or not', () => {
  expect(
    ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'].filter((host) => !isLoopback(host)),
  ).toEqual([])
  expect(['10.0.0.1', '128.0.0.1', '::2', '::', '::ffff:10.0.0.1', 'localhost'].filter(isLoopback)).toEqual([])
})

test('only what can be one member is unicast', () => {
  expect(['10.0.0.1', '127.0.0.1', '::1', 'fe80::1%eth0', '2001:db8::1'].filter((host) => !isUnicast(host))).toEqual([])
  const others = [
    '0.0.0.0',
    '::',
    '224.0.0.1',
    '239.1.2.3',
    '255.255.255.255',
    'ff02::1',
    '::ffff:239.1.2.3',
    'localhost',
  ]
  expect(others.filter(isUnicast)).toEqual([])
})
