import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode, encodeInto, identityOf } from '../../crdt/encoding/encoding.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

describe('encode', () => {
  const vectors: readonly (readonly [string, Encodable, string])[] = [
    ['null', null, 'c0'],
    ['false', false, 'c2'],
    ['true', true, 'c3'],
    ['0', 0, '00'],
    ['-0 as 0', -0, '00'],
    ['127', 127, '7f'],
    ['128', 128, 'cc80'],
    ['255', 255, 'ccff'],
    ['256', 256, 'cd0100'],
    ['65,535', 65_535, 'cdffff'],
    ['65,536', 65_536, 'ce00010000'],
    ['2^31', 2 ** 31, 'ce80000000'],
    ['2^32 - 1', 2 ** 32 - 1, 'ceffffffff'],
    ['2^32 as a double', 2 ** 32, 'cb41f0000000000000'],
    ['2^53 - 1 as a double', Number.MAX_SAFE_INTEGER, 'cb433fffffffffffff'],
    ['-1', -1, 'ff'],
    ['-32', -32, 'e0'],
    ['-33', -33, 'd0df'],
    ['-128', -128, 'd080'],
    ['-129', -129, 'd1ff7f'],
    ['-32,768', -32_768, 'd18000'],
    ['-32,769', -32_769, 'd2ffff7fff'],
    ['-2^31', -(2 ** 31), 'd280000000'],
    ['-2^31 - 1 as a double', -(2 ** 31) - 1, 'cbc1e0000000200000'],
    ['1.5', 1.5, 'cb3ff8000000000000'],
    ['NaN', NaN, 'cb7ff8000000000000'],
    ['Infinity', Infinity, 'cb7ff0000000000000'],
    ['-Infinity', -Infinity, 'cbfff0000000000000'],
    ['0n', 0n, 'd30000000000000000'],
    ['-1n', -1n, 'd3ffffffffffffffff'],
    ['-2^63', -(2n ** 63n), 'd38000000000000000'],
    ['2^63 - 1', 2n ** 63n - 1n, 'd37fffffffffffffff'],
    ['2^63', 2n ** 63n, 'cf8000000000000000'],
    ['2^64 - 1', 2n ** 64n - 1n, 'cfffffffffffffffff'],
    ['an empty string', '', 'a0'],
    ['31 characters', 'a'.repeat(31), `bf${'61'.repeat(31)}`],
    ['32 characters', 'a'.repeat(32), `d920${'61'.repeat(32)}`],
    ['255 characters', 'a'.repeat(255), `d9ff${'61'.repeat(255)}`],
    ['256 characters', 'a'.repeat(256), `da0100${'61'.repeat(256)}`],
    ['65,536 characters', 'a'.repeat(65_536), `db00010000${'61'.repeat(65_536)}`],
    ['31 bytes in 16 characters', `${'é'.repeat(15)}a`, `bf${'c3a9'.repeat(15)}61`],
    ['32 bytes in 16 characters', 'é'.repeat(16), `d920${'c3a9'.repeat(16)}`],
    ['255 bytes in 85 characters', '京'.repeat(85), `d9ff${'e4baac'.repeat(85)}`],
    ['300 bytes in 100 characters', '京'.repeat(100), `da012c${'e4baac'.repeat(100)}`],
    ['a surrogate pair', '😀', 'a4f09f9880'],
    ['no bytes', new Uint8Array(0), 'c400'],
    ['255 bytes', new Uint8Array(255), `c4ff${'00'.repeat(255)}`],
    ['256 bytes', new Uint8Array(256), `c50100${'00'.repeat(256)}`],
    ['65,536 bytes', new Uint8Array(65_536), `c600010000${'00'.repeat(65_536)}`],
    ['a Buffer', Buffer.from('hi'), 'c4026869'],
    ['1970', new Date(0), 'c70cff000000000000000000000000'],
    ['1 ms before 1970', new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
    ['the last Date', new Date(8.64e15), 'c70cff00000000000007dba8218000'],
    ['an empty array', [], '90'],
    ['15 elements', Array.from({ length: 15 }, () => 1), `9f${'01'.repeat(15)}`],
    ['16 elements', Array.from({ length: 16 }, () => 1), `dc0010${'01'.repeat(16)}`],
    ['an empty object', {}, '80'],
    ['keys in order', { b: 1, a: 2 }, '82a16102a16201'],
    ['undefined properties', { a: undefined, b: 1 }, '81a16201'],
    ['keys by UTF-16 code units', { '\ue000': 1, '😀': 2 }, '82a4f09f988002a3ee808001'],
    ['integer-like keys as text', { 10: 1, 9: 2 }, '82a2313001a13902'],
  ]

  test.each(vectors)('writes %s', (_, value, hex) => {
    expect(toHex(encode(value))).toBe(hex)
  })

  test.each(vectors)('reads back %s', (name, value, hex) => {
    const changed: Record<string, Encodable> = {
      '-0 as 0': 0,
      'a Buffer': Uint8Array.of(104, 105),
      'undefined properties': { b: 1 },
    }
    expect(decode(fromHex(hex))).toStrictEqual(name in changed ? changed[name] : value)
  })

  test('writes behind the position of the writer', () => {
    const writer = new ByteWriter(2)
    writer.u8(7)
    encodeInto(writer, { a: 'b'.repeat(100) })
    encodeInto(writer, [1])
    expect(toHex(writer.take())).toBe(`0781a161d964${'62'.repeat(100)}9101`)
  })

  test('writes a NaN with other bits as the one NaN', () => {
    const odd = new Float64Array(BigUint64Array.of(0xfff8_0000_0000_0001n).buffer)
    for (const nan of odd) expect(toHex(encode([nan, nan]))).toBe('92cb7ff8000000000000cb7ff8000000000000')
  })

  test('sorts more keys than a shape may have', () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${(i * 17) % 40}`)
    const value = decode(encode(Object.fromEntries(keys.map((key) => [key, key])))) as object
    expect(Object.keys(value)).toEqual([...keys].sort())
    expect(Object.values(value)).toEqual([...keys].sort())
  })

  test('writes the same whether or not it has seen the shape, and after more shapes than it remembers', () => {
    const value = { name: 'Alice', age: 7, email: 'a@example.com', active: true }
    const first = toHex(encode(value))
    for (let i = 0; i < 3000; i++) expect(toHex(encode({ [`shape${i}`]: i, a: 1 }))).toContain('a16101')
    expect(toHex(encode(value))).toBe(first)
    expect(decode(encode(value))).toStrictEqual(value)
  })

  test('does not take inherited properties for own ones', () => {
    const prototype = Object.prototype as Record<string, unknown>
    prototype['inherited'] = 1
    try {
      expect(toHex(encode({ a: 1 }))).toBe('81a16101')
      expect(toHex(encode([{ a: 1 }]))).toBe('9181a16101')
    } finally {
      delete prototype['inherited']
    }
  })

  test('takes plain objects, dates and bytes of another realm', () => {
    const value: unknown = runInNewContext('({ b: 1, a: [new Date(0), new Uint8Array([7])] })')
    expect(toHex(encode(value))).toBe(toHex(encode({ b: 1, a: [new Date(0), Uint8Array.of(7)] })))
  })

  test('takes objects without a prototype', () => {
    expect(toHex(encode(Object.assign(Object.create(null) as object, { a: 1 })))).toBe('81a16101')
  })

  test('lets a getter encode', () => {
    const value = {
      z: 1,
      get inner() {
        return encode({ y: [1, { x: 2 }], b: 'text' })
      },
      a: 2,
    }
    const plain = { z: 1, inner: encode({ y: [1, { x: 2 }], b: 'text' }), a: 2 }
    expect(toHex(encode(value))).toBe(toHex(encode(plain)))
  })

  test('lets errors of a getter through and goes on unharmed', () => {
    const value = {
      a: 1,
      get b(): number {
        throw new RangeError('mine')
      },
    }
    expect(() => encode({ x: 1, y: value })).toThrow(RangeError)
    expect(toHex(encode({ b: 1, a: 2 }))).toBe('82a16102a16201')
  })
})

describe('identityOf', () => {
  test('equal values have one identity', () => {
    expect(identityOf({ a: 1, b: 2 })).toBe(identityOf({ b: 2, a: 1, c: undefined }))
    expect(identityOf(-0)).toBe(identityOf(0))
    expect(identityOf([-0])).toBe(identityOf([0]))
    expect(identityOf('x')).toBe(identityOf('x'))
  })

  test('different values have different identities', () => {
    const values: Encodable[] = [
      1,
      '1',
      1n,
      [1],
      { 1: 1 },
      new Date(1),
      Uint8Array.of(1),
      true,
      null,
      NaN,
      'NaN',
      'null',
      '',
    ]
    expect(new Set(values.map(identityOf)).size).toBe(values.length)
  })

  test('a value of many bytes has one', () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i)
    expect(identityOf(bytes)).toHaveLength(1 + 5 + 200_000)
  })

  test('what cannot be encoded has none', () => {
    expect(refused(() => identityOf([undefined] as unknown as Encodable)).code).toBe('WARP_E_UNENCODABLE')
  })
})
