/** Values as the command reads and prints them. What comes back is property-tests/cli-values. */
import { describe, expect, test } from 'vitest'
import { fromJson, toJson } from '../../../src/control/tagged-json.ts'
import { parseValue, printable, show, showCell } from '../../../bin/cli/values.ts'

describe('for people', () => {
  test.each([
    ['text', 'text'],
    [['a', 'b'], '["a", "b"]'],
    [{ name: 'Alice', 'first-name': 1 }, '{ name: "Alice", "first-name": 1 }'],
    [12n, '12n'],
    [new Set(['a']), '{"a"}'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Uint8Array([1, 171]), '<2 bytes 01ab>'],
    [new Uint8Array(40), `<40 bytes ${'00'.repeat(32)}…>`],
    [Number.NaN, 'NaN'],
    [undefined, 'undefined'],
  ])('%o', (value, shown) => {
    expect(show(value)).toBe(shown)
  })

  test('a cell has one line', () => {
    expect(showCell('a\nb\tc')).toBe('"a\\nb\\tc"')
  })

  test('what turns the writing round is shown as an escape', () => {
    expect(show('a\u202eb')).toBe('a\\u202eb')
  })

  test('a key is one line, and nothing in it is invisible', () => {
    expect(printable('user:1\nuser:2\tx\u200b\u2066\x1b[2J')).toBe('user:1\\nuser:2\\tx\\u200b\\u2066\\u001b[2J')
    expect(show('two\nlines')).toBe('two\nlines')
  })
})

describe('as JSON', () => {
  test('a document is what it makes of itself', () => {
    expect(toJson({ toJSON: () => ({ body: 'hello' }) })).toEqual({ body: 'hello' })
  })

  test.each([
    { $bigint: 'x' },
    { $bigint: 1 },
    { $bytes: '!' },
    { $date: 'yesterday' },
    { $number: '12' },
    { $set: 1 },
    { $plain: [] },
  ])('%j is refused', (json) => {
    expect(() => fromJson(json)).toThrow(expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }))
  })

  test('an unknown tag is an object like any other', () => {
    expect(fromJson({ $ref: 'a' })).toEqual({ $ref: 'a' })
  })

  test('what nests too deep is refused', () => {
    const deep = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000))
    expect(() => fromJson(deep)).toThrow('deeper than 128')
    expect(() => toJson(deep)).toThrow('deeper than 128')
    expect(() => toJson(() => 1)).toThrow('a function')
  })
})

test('what stands on a command line is JSON if it reads as JSON', () => {
  expect(parseValue('{"a":1}', false)).toEqual({ a: 1 })
  expect(parseValue('hello', false)).toBe('hello')
  expect(parseValue('12', true)).toBe('12')
  expect(parseValue('{"a":[1e999,-0]}', false)).toEqual({ a: [{ $number: 'Infinity' }, { $number: '-0' }] })
})
