import { describe, expect, test } from 'vitest'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode, ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from '../../crdt/encoding/encoding.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

function nested(depth: number): Encodable {
  let value: Encodable = 1
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { k: value }
  return value
}

const u32 = (value: number): string => value.toString(16).padStart(8, '0')

describe('what cannot be encoded', () => {
  class User {
    name = 'secret'
  }
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['undefined', undefined, 'value is undefined'],
    ['an undefined element', { tags: [1, undefined] }, 'value.tags[1] is undefined'],
    ['a hole', { tags: [1, , 3] }, 'value.tags[1] is a hole'],
    ['a function', { f: () => 1 }, 'value.f is a function'],
    ['a symbol', [Symbol('s')], 'value[0] is a symbol'],
    ['a Map', { m: new Map() }, 'value.m is a Map; use an object'],
    ['a Set', { m: new Set() }, 'value.m is a Set; use an array'],
    ['a Promise', { p: Promise.resolve() }, 'value.p is a Promise; await it'],
    ['a class instance', { deep: { user: new User() } }, 'value.deep.user is an instance of User'],
    ['an Error', new Error('x'), 'value is an instance of Error'],
    ['a Float64Array', { a: new Float64Array(1) }, 'value.a is of type Float64Array'],
    ['an ArrayBuffer', { a: new ArrayBuffer(1) }, 'value.a is of type ArrayBuffer'],
    ['an invalid Date', { at: new Date(NaN) }, 'value.at is an invalid Date'],
    ['2^64', { n: 2n ** 64n }, 'value.n is a bigint beyond 64 bits'],
    ['-2^63 - 1', { n: -(2n ** 63n) - 1n }, 'value.n is a bigint beyond 64 bits'],
    ['a lone surrogate', { 'a b': 'x\ud800' }, 'value["a b"] is a string with a lone surrogate'],
    ['a lone surrogate in a long text', { t: `${'x'.repeat(100)}\udc00` }, 'value.t is a string with a lone surrogate'],
    ['a lone surrogate in a key', { 'x\ud800y': 1 }, 'is a property whose name has a lone surrogate'],
  ]

  test.each(cases)('%s is refused with its path', (_, value, message) => {
    const error = refused(() => encode(value))
    expect(error.code).toBe('WARP_E_UNENCODABLE')
    expect(error.message).toContain(message)
    expect(error.message).toContain('a value may hold null, booleans, numbers')
    expect(error.message).not.toContain('secret')
  })

  test('a value refused in the middle leaves nothing behind for the next one', () => {
    refused(() => encode({ b: { d: 1, c: () => 1 }, a: 2, z: 3 }))
    expect(toHex(encode({ z: 1, b: 2 }))).toBe('82a16202a17a01')
  })

  test('a value that has been refused is not kept alive', async () => {
    const refuse = (): WeakRef<object> => {
      const held = { large: 1 }
      refused(() => encode({ a: () => 1, b: held }))
      return new WeakRef(held)
    }
    const reference = refuse()
    // A WeakRef holds on until the end of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc?.()
    expect(reference.deref()).toBeUndefined()
  })

  test('64 levels are written and read, 65 are not', () => {
    expect(decode(encode(nested(ENCODED_DEPTH_MAX - 1)))).toStrictEqual(nested(ENCODED_DEPTH_MAX - 1))
    expect(decode(encode(nested(ENCODED_DEPTH_MAX)))).toStrictEqual(nested(ENCODED_DEPTH_MAX))
    expect(refused(() => encode(nested(ENCODED_DEPTH_MAX + 1))).code).toBe('WARP_E_LIMIT')
    expect(refused(() => decode(fromHex(`${'91'.repeat(65)}01`))).message).toContain(
      'deeper than 64 levels, at byte 65',
    )
  })

  test('a cycle is called one', () => {
    const value: Record<string, unknown> = { name: 'x' }
    value['self'] = [value]
    const error = refused(() => encode(value))
    expect(error.code).toBe('WARP_E_UNENCODABLE')
    expect(error.message).toBe('value.self[0] is value again, a cycle; leave it out, or name it by a key')
  })

  test('65,536 elements are written and read, 65,537 are not', () => {
    for (const count of [ENCODED_ENTRIES_MAX - 1, ENCODED_ENTRIES_MAX]) {
      expect(decode(encode(new Array(count).fill(1)))).toHaveLength(count)
    }
    const error = refused(() => encode({ a: new Array(ENCODED_ENTRIES_MAX + 1).fill(1) }))
    expect(error.code).toBe('WARP_E_LIMIT')
    expect(error.message).toContain('value.a is an array of 65537 elements, more than the 65536 allowed')
    const hostile = fromHex(`dd${u32(65_537)}${'01'.repeat(65_537)}`)
    expect(refused(() => decode(hostile)).message).toContain('more than 65536 entries')
  })

  test('65,536 properties are written and read, 65,537 are not', () => {
    const of = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i.toString().padStart(5, '0')}`, 1]))
    for (const count of [ENCODED_ENTRIES_MAX - 1, ENCODED_ENTRIES_MAX]) {
      expect(Object.keys(decode(encode(of(count))) as object)).toHaveLength(count)
    }
    expect(refused(() => encode(of(ENCODED_ENTRIES_MAX + 1))).code).toBe('WARP_E_LIMIT')
  })

  test('undefined properties do not count', () => {
    const value = Object.fromEntries(
      Array.from({ length: ENCODED_ENTRIES_MAX + 5 }, (_, i) => [`k${i}`, i < 5 ? 1 : undefined]),
    )
    expect(Object.keys(decode(encode(value)) as object)).toHaveLength(5)
  })
})
