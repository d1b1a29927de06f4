/**
 * Whatever is sent to the port: nothing is thrown, requests are answered in their order, and what is no request
 * ends the connection. Bytes come cut anywhere.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProtocolError } from '../adapters/resp/protocol/protocol-error.ts'
import { RequestParser } from '../adapters/resp/protocol/request-parser.ts'
import { byExtent } from '../test/support/extent.ts'
import { request } from '../test/support/resp/raw-client.ts'

const RUNS = byExtent({ some: 2000, all: 20_000, soak: 500_000 })
const LIMITS = { argumentBytesMax: 200_000, requestBytesMax: 300_000 }

const WORD = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  maxLength: 30,
})
const REQUEST = fc.array(WORD, { minLength: 1, maxLength: 5 })
const HOSTILE = fc.oneof(
  fc.constantFrom(
    '*',
    '$',
    '*1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '$-1\r\n',
    '\r\n',
    '\n',
    '"',
    "'",
    '*2147483647\r\n',
    '$0\r\n\r\n',
  ),
  fc.constantFrom('*1\r\n$5\r\nab', 'PING\r\n', '"a\\x', '*1\r\n$99999999\r\n', '>1\r\n', '%1\r\n', '\0\xff'),
  WORD,
  REQUEST.map(request),
)

/** The text in pieces that end at these places. */
function piecesOf(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b)
  return [...places, text.length].map((end, i) => text.slice(places[i - 1] ?? 0, end))
}

interface Parsed {
  readonly requests: readonly (readonly string[])[]
  readonly problem: string | undefined
}

/** Each piece lies in the same memory, which is overwritten when it has been read. */
function parse(pieces: readonly string[]): Parsed {
  const parser = new RequestParser(LIMITS)
  const requests: string[][] = []
  try {
    for (const piece of pieces) {
      const memory = Buffer.from(piece, 'latin1')
      parser.push(memory)
      for (let one = parser.next(); one !== undefined; one = parser.next()) requests.push(one)
      parser.release()
      memory.fill(0x2a)
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { requests, problem: error.message }
  }
  return { requests, problem: undefined }
}

test('what is sent is understood in the same way however it is cut', () => {
  fc.assert(
    fc.property(fc.array(HOSTILE, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
      const text = parts.join('')
      expect(parse(piecesOf(text, cuts))).toEqual(parse([text]))
      expect(parse([...text])).toEqual(parse([text]))
    }),
    { numRuns: RUNS },
  )
})

test('requests come out as they went in, in their order', () => {
  fc.assert(
    fc.property(fc.array(REQUEST, { maxLength: 10 }), fc.array(fc.nat(), { maxLength: 20 }), (requests, cuts) => {
      const { requests: found, problem } = parse(piecesOf(requests.map(request).join(''), cuts))
      expect(problem).toBeUndefined()
      expect(found).toEqual(requests)
    }),
    { numRuns: RUNS },
  )
})

test('an argument that does not end as it says is refused', () => {
  expect(parse(['*1\r\n$4\r\nPINGxx']).problem).toContain('invalid CRLF in request')
})

test('a large value in small pieces is not looked at again for each of them', () => {
  const value = 'x'.repeat(200_000)
  const text = request(['SET', 'k', value])
  const parser = new RequestParser(LIMITS)
  let copied = 0
  for (let at = 0; at < text.length; at += 100) {
    const before = parser.heldBytes
    parser.push(Buffer.from(text.slice(at, at + 100), 'latin1'))
    const found = parser.next()
    parser.release()
    if (parser.heldBytes !== before) copied += parser.heldBytes
    if (found !== undefined) expect(found).toEqual(['SET', 'k', value])
  }
  // Memory grows by doubling: all the copies together are a few times the value.
  expect(copied).toBeLessThan(value.length * 20)
})

test('whoever has not said who it is sends little', () => {
  const parse = (text: string): unknown => {
    const parser = new RequestParser(LIMITS)
    parser.isKnown = false
    parser.push(Buffer.from(text, 'latin1'))
    return parser.next()
  }
  expect(() => parse('*11\r\n')).toThrow('unauthenticated multibulk length')
  expect(() => parse('*2\r\n$4\r\nAUTH\r\n$16385\r\n')).toThrow('unauthenticated bulk length')
  expect(parse(request(['AUTH', 'x'.repeat(16_384)]))).toHaveLength(2)
})
