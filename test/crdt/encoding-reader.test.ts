import { describe, expect, test } from 'vitest'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

const u16 = (value: number): string => value.toString(16).padStart(4, '0')
const u32 = (value: number): string => value.toString(16).padStart(8, '0')

/** What there is to read where `bytes` are refused; nothing where they happen to be another payload. */
function messageOf(bytes: Uint8Array): string {
  try {
    decode(bytes)
    return ''
  } catch (error) {
    return String(error)
  }
}

describe('decode', () => {
  const hostile: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a second value', 'c0c0'],
    ['the unused type', 'c1'],
    ['a string that ends early', 'a261'],
    ['a length that ends early', 'd9'],
    ['a string of 4 GiB', 'dbffffffff61'],
    ['bytes that end early', 'c40100'.slice(0, 4)],
    ['bytes of 4 GiB', 'c6ffffffff00'],
    ['an array that ends early', '9201'],
    ['an array of 4 G elements', 'ddffffffff01'],
    ['an array of 65,536 elements in no bytes', `dd${u32(65_536)}`],
    ['a map that ends early', '81a161'],
    ['a map of 65,535 entries in two bytes', `de${u16(65_535)}a101`],
    ['a number key', '810101'],
    ['a null key', '81c001'],
    ['equal keys', '82a16101a16102'],
    ['descending keys', '82a16201a16102'],
    ['equal keys in different headers', '82a16101d9016102'],
    ['equal keys __proto__', `82${'a95f5f70726f746f5f5f01'.repeat(2)}`],
    ['a double that ends early', 'cb3ff80000000000'],
    ['a bigint that ends early', 'd300000000000000'],
    ['fixext 1', 'd40100'],
    ['fixext 4, a 32-bit timestamp', 'd6ff00000000'],
    ['fixext 8, a 64-bit timestamp', 'd7ff0000000000000000'],
    ['fixext 16', `d801${'00'.repeat(16)}`],
    ['ext 8 of another type', `c70c01${'00'.repeat(12)}`],
    ['ext 8 of another length', `c70bff${'00'.repeat(11)}`],
    ['ext 16', 'c8000100'],
    ['ext 32', 'c90000000100'],
    ['a timestamp that ends early', `c70cff${'00'.repeat(11)}`],
    ['a timestamp of a nanosecond', `c70cff00000001${'00'.repeat(8)}`],
    ['a timestamp of 1,000 ms and no second', `c70cff3b9aca00${'00'.repeat(8)}`],
    ['a timestamp after the last Date', 'c70cff000f42400000 07dba8218000'.replace(' ', '')],
    ['a timestamp of 2^63 seconds', `c70cff000000008000000000000000`],
    ['a stray continuation byte', 'a180'],
    ['an overlong slash', 'a2c0af'],
    ['an overlong NUL in three bytes', 'a3e08080'],
    ['a surrogate', 'a3eda080'],
    ['a code point beyond U+10FFFF', 'a4f4908080'],
    ['half a character', 'a1c3'],
    ['an invalid key', '81a1ff01'],
    ['invalid UTF-8 in a long text', `d940${'61'.repeat(63)}ff`],
    ['10,000 levels', '91'.repeat(10_000)],
    ['10,000 levels of maps', '81a161'.repeat(10_000)],
  ]

  test.each(hostile)('refuses %s', (_, hex) => {
    const error = refused(() => decode(fromHex(hex)))
    expect(error.code).toBe('WARP_E_PROTOCOL')
    expect(error.message).toMatch(/^malformed payload: .*, at byte \d+$/)
    expect(error.details['offset']).toBeTypeOf('number')
  })

  test('an error says where, counted from the start of the range', () => {
    expect(refused(() => decode(fromHex('ffff9201c1'), 2)).message).toContain('at byte 2')
    expect(refused(() => decode(fromHex('82a16201a16102'))).message).toContain('keys that do not ascend, at byte 4')
  })

  test('an error shows nothing of the payload, wherever it is damaged', () => {
    const payload = encode({
      secret: ['opensesame', 'opensesame'.repeat(10)],
      opensesame: 1,
      ['opensesame'.repeat(10)]: 2,
    })
    for (let at = 0; at < payload.length; at++) {
      for (const byte of [0xff, 0xc1, 0x00]) {
        const damaged = payload.slice()
        damaged[at] = byte
        expect(messageOf(damaged)).not.toContain('sesame')
      }
      expect(messageOf(payload.subarray(0, at))).not.toContain('sesame')
    }
  })

  test('a count that the bytes left cannot hold is seen before anything is read', () => {
    expect(refused(() => decode(fromHex('dc00030101'))).message).toContain('at byte 3')
    expect(refused(() => decode(fromHex('de0002a16101a1'))).message).toContain('it ends early')
    expect(refused(() => decode(fromHex('de0003a16101a162'))).message).toContain('at byte 3')
  })

  test.each([
    ['twice', 20, 20],
    ['descending', 21, 20],
  ])('keys %s are refused in maps of many keys, too', (_, a, b) => {
    const numbers = Array.from({ length: 40 }, (__, i) => (i === 20 ? a : i === 21 ? b : i))
    const entries = numbers.map((n) => `a2${toHex(new TextEncoder().encode(String(n + 10)))}01`)
    expect(refused(() => decode(fromHex(`de0028${entries.join('')}`))).message).toContain('keys that do not ascend')
  })

  test('takes longer forms than canonical ones', () => {
    const forms = {
      cb3ff0000000000000: 1,
      ca3fc00000: 1.5,
      d90161: 'a',
      dc000101: [1],
      df00000001a16101: { a: 1 },
      ce00000007: 7,
    }
    for (const [hex, value] of Object.entries(forms)) expect(decode(fromHex(hex))).toStrictEqual(value)
    expect(decode(fromHex('cb8000000000000000'))).toBe(0)
    expect(decode(fromHex('cf0000000000000001'))).toBe(1n)
  })

  test('reads only its range', () => {
    const bytes = fromHex('c1a16191c1')
    expect(decode(bytes, 1, 3)).toBe('a')
    expect(refused(() => decode(bytes, 1, 2)).code).toBe('WARP_E_PROTOCOL')
    expect(refused(() => decode(bytes, 3, 4)).code).toBe('WARP_E_PROTOCOL')
  })

  test('freezes arrays and objects, the empty ones too', () => {
    const value = decode(
      encode({ a: [{ b: [] }, {}], c: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, [i]])) }),
    )
    const unfrozen: unknown[] = []
    const walk = (inner: unknown): void => {
      if (typeof inner !== 'object' || inner === null) return
      if (!Object.isFrozen(inner)) unfrozen.push(inner)
      for (const child of Object.values(inner)) walk(child)
    }
    walk(value)
    expect(unfrozen).toEqual([])
  })

  test('copies bytes, also out of a Buffer', () => {
    const source = Buffer.from(encode({ key: Uint8Array.of(1, 2, 3) }))
    const value = decode(source) as { key: Uint8Array }
    source.fill(0)
    expect(value.key).toStrictEqual(Uint8Array.of(1, 2, 3))
    expect(value.key.buffer.byteLength).toBe(3)
  })

  test('remembers no key out of a buffer that is written again', () => {
    const source = Buffer.from(encode({ reusedBufferKey: 1 }))
    decode(source)
    Buffer.from(encode({ reusedBufferKez: 1 })).copy(source)
    expect(decode(source)).toStrictEqual({ reusedBufferKez: 1 })
    expect(decode(encode({ reusedBufferKey: 1 }))).toStrictEqual({ reusedBufferKey: 1 })
  })

  test('dangerous names are own properties', () => {
    const text = '{"__proto__":{"polluted":1},"constructor":2,"toString":3,"valueOf":null,"":4,"hasOwnProperty":5}'
    const value = JSON.parse(text) as Encodable
    const again = decode(encode(value)) as object
    expect(Object.keys(again).sort()).toEqual(['', '__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf'])
    expect(Object.getPrototypeOf(again)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(Object.getOwnPropertyDescriptor(again, '__proto__')?.value).toStrictEqual({ polluted: 1 })
  })

  test('keeps a byte order mark', () => {
    for (const text of ['\ufeffx', `\ufeff${'x'.repeat(100)}`]) expect(decode(encode(text))).toBe(text)
  })

  test('reads the same after more key paths than it remembers', () => {
    for (let i = 0; i < 3000; i++)
      expect(decode(encode({ [`path${i}`]: i, z: i }))).toStrictEqual({ [`path${i}`]: i, z: i })
  })
})
