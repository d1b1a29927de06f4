/** Requests of bits and of registers of HyperLogLogs by chance, as `requests.ts`. */
import fc from 'fast-check'
import type { Request } from './judged.ts'
import { INTEGER, some, VALUE, words } from './requests.ts'

const KEY = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 1, arbitrary: fc.constantFrom('list') },
)
const OFFSET = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 90 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('-1', 'x', '', '#1', '4294967296', '01') },
)
const BIT = fc.constantFrom('0', '1', '1', '1', '2', 'x')
const BOUND = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -12, max: 12 }).map(String) }, INTEGER)
const UNIT = fc.constantFrom('BIT', 'byte', 'BIT', 'x')
const RANGE = words(BOUND, BOUND, some(1, UNIT))
const FIELD = fc.constantFrom('u8', 'i8', 'u1', 'i5', 'u63', 'i64', 'u16', 'i1', 'u64', 'i65', 'u0', 'x8', 'u')
const FIELD_OFFSET = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 40 }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom('#0', '#1', '#2') },
  { weight: 1, arbitrary: fc.constantFrom('-1', '#-1', 'x', '#') },
)
const AMOUNT = fc.oneof(
  fc.integer({ min: -300, max: 300 }).map(String),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '255', '-1', 'x'),
)
const FIELD_STEP = fc.oneof(
  words('GET', FIELD, FIELD_OFFSET),
  words('SET', FIELD, FIELD_OFFSET, AMOUNT),
  { weight: 2, arbitrary: words('incrby', FIELD, FIELD_OFFSET, AMOUNT) },
  words('OVERFLOW', fc.constantFrom('SAT', 'wrap', 'FAIL', 'FAIL', 'x')),
  { weight: 1, arbitrary: fc.constantFrom(['GET'], ['SET', 'u8', '0'], ['x']) },
)

export const BIT_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: words('SETBIT', KEY, OFFSET, BIT) },
  { weight: 2, arbitrary: words('GETBIT', KEY, OFFSET) },
  { weight: 3, arbitrary: words('BITCOUNT', KEY, some(1, RANGE)) },
  words('BITCOUNT', KEY, BOUND),
  { weight: 3, arbitrary: words('BITPOS', KEY, BIT, some(1, RANGE, words(BOUND))) },
  {
    weight: 2,
    arbitrary: words('BITOP', fc.constantFrom('AND', 'or', 'XOR', 'NOT', 'x'), KEY, KEY, some(2, KEY, 'missing')),
  },
  { weight: 6, arbitrary: words('BITFIELD', KEY, some(4, FIELD_STEP)) },
  words('BITFIELD_RO', KEY, some(2, FIELD_STEP)),
  { weight: 2, arbitrary: words('GET', KEY) },
  words('SET', KEY, VALUE),
  words('SET', KEY, '\xff\xff\xf0'),
  words('APPEND', KEY, fc.constantFrom('\xff', '\0', 'q')),
  words('INCR', KEY),
  words('DEL', KEY),
  words('EXPIRE', KEY, '100'),
  words('TTL', KEY),
  words('RPUSH', 'list', 'x'),
)
