import { describe, expect, test } from 'vitest'
import { msgpackrCodec } from '../../../adapters/stores/msgpackr/msgpackr-codec.ts'
import { bytesCodec, jsonCodec } from '../../../src/ports/stores/codecs.ts'

class Point {
  readonly x = 1
}

const PLAIN: unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65_536,
    2 ** 40,
    1.5,
    '',
    'text',
    'é\0\u{1f600}',
    'x'.repeat(300),
  ],
  ...[
    [],
    {},
    [1, [2, [3]]],
    { a: { b: [null, 'c'] } },
    Array.from({ length: 20 }, (_, i) => ({ i })),
    'y'.repeat(70_000),
  ],
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`name ${i}`, i])),
]

describe('json', () => {
  test.each(PLAIN)('%j comes back', (value) => {
    expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(value)
  })

  test.each([
    ...[undefined, NaN, Infinity, -0, 1n, Symbol('s'), () => 1, new Date(0), new Map(), new Set(), new Point()],
    ...[Uint8Array.of(1), [undefined], { deep: [{ at: new Date(0) }] }, [NaN]],
  ])('%s would come back as something else: refused', (value) => {
    expect(() => jsonCodec.encode(value)).toThrow(expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }))
  })

  test('what is no JSON, or no text, is refused', () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0xff), new TextEncoder().encode('{')])
      expect(() => jsonCodec.decode(bytes)).toThrow(expect.objectContaining({ code: 'WARP_E_STORE' }))
  })

  test('a refusal names another codec only where that one keeps the value', () => {
    for (const value of [Number.NaN, Infinity, Uint8Array.of(1)]) {
      expect(() => jsonCodec.encode(value)).toThrow(/msgpackrCodec\(\)/)
      expect(msgpackrCodec().encode(value)).toBeInstanceOf(Uint8Array)
    }
    for (const value of [new Date(0), 1n, -0, new Map(), () => 1])
      expect(() => jsonCodec.encode(value)).toThrow(/store what JSON has instead/)
  })
})

describe('msgpackr', () => {
  const codec = msgpackrCodec()

  test.each([...PLAIN, NaN, Uint8Array.of(0, 255), { bytes: new Uint8Array(300) }])('%j comes back', (value) => {
    expect(codec.decode(codec.encode(value))).toEqual(value)
  })

  test.each([
    ...[
      new Date(0),
      new Set([1]),
      { deep: [new Date(0)] },
      /a/,
      new Map(),
      new Point(),
      -0,
      1n,
      undefined,
      [undefined],
    ],
    ...[() => 1, Float64Array.of(1), new Error('e')],
  ])('%s would come back as something else: refused', (value) => {
    expect(() => codec.encode(value)).toThrow(expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }))
  })

  test.each([
    ['an extension', [0xd4, 0x72, 0x40]],
    ['a record inside an array', [0x91, 0xd4, 0x72, 0x40]],
    ['an extension of 8 bits of length', [0xc7, 1, 1, 0]],
    ['the byte that is never used', [0xc1]],
    ['an end in the middle', [0x92, 1]],
    ['an array of four billion', [0xdd, 0xff, 0xff, 0xff, 0xff, 1]],
    ['a text that is longer than the bytes', [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ['nothing', []],
    ['bytes behind the value', [1, 2]],
    ['a hundred levels', [...new Array<number>(100).fill(0x91), 1]],
  ])('%s in stored bytes: refused', (_, bytes) => {
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'WARP_E_STORE' }))
  })
})

test('bytes are bytes, and nothing else is', () => {
  expect(bytesCodec.decode(bytesCodec.encode(Uint8Array.of(1, 2)))).toEqual(Uint8Array.of(1, 2))
  expect(() => bytesCodec.encode('text')).toThrow(expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }))
})
