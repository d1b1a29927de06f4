/** Values as the command reads and prints them. What comes back is property-tests/cli-values. */
import { describe, expect, test } from 'vitest'
import { fromJson, toJson } from '../../../src/control/tagged-json.ts'
import { jsonLine, parseValue, printable, show, showCell } from '../../../bin/cli/values.ts'

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
  expect(parseValue('{"a":[-0]}', false)).toEqual({ a: [{ $number: '-0' }] })
})

describe('on a command line', () => {
  test.each([
    '647463207857815565',
    '12345678901234567890',
    '123e4567',
    '-1e999',
    '3.141592653589793238',
    '[{"id":1, "x":9007199254740993}]',
  ])('%s, which would be rounded, is refused with what to do', (text) => {
    expect(() => parseValue(text, false)).toThrow(
      expect.objectContaining({ code: 'WARP_E_UNENCODABLE', message: expect.stringContaining('$bigint') as string }),
    )
    expect(parseValue(text, true)).toBe(text)
  })

  test.each([
    ['9007199254740993', false],
    ['9007199254740992', true],
    ['0.1', true],
    ['1.10', true],
    ['100', true],
    ['1e21', true],
    ['1E+2', true],
    ['0.000001', true],
    ['0.0', true],
    ['5e-324', true],
    ['1.7976931348623157e308', true],
    ['2e-324', false],
    ['{"a\\"123456789012345678901":"123456789012345678901"}', true],
  ])('%s is kept exactly: %s', (text, isKept) => {
    if (isKept) expect(parseValue(text, false)).toEqual(JSON.parse(text))
    else expect(() => parseValue(text, false)).toThrow('would be kept as')
  })
})

test('as JSON too, nothing steers a terminal or is hidden, and it reads as the same', () => {
  const hostile = 'a\u009b31m\u007f\u202e\u00ad\u180e\u200d\u{e0041}b'
  const line = jsonLine({ [hostile]: hostile })
  const shown = 'a\\u009b31m\\u007f\\u202e\\u00ad\\u180e\\u200d\\udb40\\udc41b'
  expect(line).toBe(`{"${shown}":"${shown}"}`)
  expect(JSON.parse(line)).toEqual({ [hostile]: hostile })
  expect(show(hostile)).toBe(shown)
})
