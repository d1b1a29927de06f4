/** Requests by chance, group by group: few keys and few values, so that they meet; wrong ones too. */
import fc from 'fast-check'
import type { Request } from './judged.ts'

export const KEY: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'n', 'list', '\xc3\xa9')
export const INTEGER: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '01', '+1', ' 1', '1.5', '', 'x', '-0'],
    ),
  },
)
export const VALUE: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', 'v', 'hello world', '10', '-5', '3.0', '5.0e3', '\0\xff\r\n', 'x'.repeat(50)),
  INTEGER,
)
const FLOAT = fc.oneof(
  fc.constantFrom('0.1', '-2.5', '1e2', '3', '.5', '5.', 'nan', 'inf', 'abc', '1e-5'),
  fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 100)),
)
const SECONDS = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 50, max: 9000 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('0', '-1', '9223372036854775807', '-9223372036854775808', 'x', '1.5') },
)
const MILLISECONDS = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 50_000, max: 9_000_000 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('0', '-1', '9223372036854775807', 'x') },
)

type Words = fc.Arbitrary<readonly string[]>

/** The words one after the other; each is a text, one word by chance, or several. */
export function words(...parts: readonly (string | fc.Arbitrary<string> | Words)[]): fc.Arbitrary<Request> {
  const each = parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))
  return fc.tuple(...each).map((all) => all.flat())
}

/** Up to so many of these, in any order. */
export function some(max: number, ...parts: readonly (string | fc.Arbitrary<string | Request>)[]): Words {
  const each = parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))
  return fc.array(fc.oneof(...each), { maxLength: max }).map((all) => all.flat())
}

const EXPIRY = fc.oneof(words('EX', SECONDS), words('px', MILLISECONDS), words('KEEPTTL'))
const KEYS = fc.array(KEY, { minLength: 1, maxLength: 3 })

export const STRING_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 4, arbitrary: words('GET', KEY) },
  { weight: 4, arbitrary: words('SET', KEY, VALUE) },
  { weight: 3, arbitrary: words('SET', KEY, VALUE, some(3, 'NX', 'xx', 'GET', EXPIRY)) },
  { weight: 2, arbitrary: words(fc.constantFrom('INCR', 'DECR'), KEY) },
  { weight: 3, arbitrary: words(fc.constantFrom('INCRBY', 'DECRBY'), KEY, INTEGER) },
  words('APPEND', KEY, VALUE),
  words('STRLEN', KEY),
  words(fc.constantFrom('GETRANGE', 'SUBSTR'), KEY, INTEGER, INTEGER),
  words('SETRANGE', KEY, fc.integer({ min: -1, max: 30 }).map(String), VALUE),
  words('SETNX', KEY, VALUE),
  words('SETEX', KEY, SECONDS, VALUE),
  words('PSETEX', KEY, MILLISECONDS, VALUE),
  words('GETSET', KEY, VALUE),
  words('GETDEL', KEY),
  words('GETEX', KEY, some(1, EXPIRY, 'PERSIST')),
  words('MGET', KEYS),
  words('MSET', KEY, VALUE, some(2, words(KEY, VALUE)), some(1, KEY)),
  words('MSETNX', KEY, VALUE, KEY, VALUE),
  words('LCS', KEY, KEY, some(2, 'LEN', 'IDX', 'WITHMATCHLEN', words('MINMATCHLEN', INTEGER))),
)

/** What other commands would show of sums of decimals is said by `EXPLAINED`. */
export const DECIMAL_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 3, arbitrary: words('INCRBYFLOAT', KEY, FLOAT) },
  words('SET', KEY, FLOAT),
  words('INCR', KEY),
  words('GET', KEY),
)

export const GENERIC_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  words(fc.constantFrom('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), KEYS),
  words('TYPE', KEY),
  words('EXPIRE', KEY, SECONDS, some(2, 'NX', 'xx', 'GT', 'LT', 'FOO')),
  words('PEXPIRE', KEY, MILLISECONDS, some(1, 'NX', 'XX', 'GT', 'LT')),
  words('EXPIREAT', KEY, fc.constantFrom('1', '99999999999', '4000000000', 'x')),
  words('PEXPIREAT', KEY, fc.constantFrom('1', '4000000000000')),
  words(fc.constantFrom('TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'PERSIST'), KEY),
  words(fc.constantFrom('RENAME', 'RENAMENX'), KEY, KEY),
  words('COPY', KEY, KEY, some(1, 'REPLACE', 'FOO')),
  words('KEYS', fc.constantFrom('*', 'a*', '?', '[a-c]', '[^a]', '\\a', 'h[]]', '*[', '')),
  words('DBSIZE'),
  words(
    'SCAN',
    fc.constantFrom('0', 'x', '-1', '18446744073709551616'),
    some(2, words('COUNT', INTEGER), words('MATCH', '*'), 'X'),
  ),
  words('RANDOMKEY'),
  words('OBJECT', fc.constantFrom('ENCODING', 'REFCOUNT'), KEY),
  words('OBJECT', 'NOSUCH', KEY),
)

export const CONNECTION_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  words('PING', some(2, 'x')),
  words('ECHO', VALUE),
  words('ECHO'),
  words(fc.constantFrom('NOSUCH', 'nosuch', 'GETT'), some(3, 'a', 'b'.repeat(130), '\r\n')),
  words('CLIENT', fc.constantFrom('GETNAME', 'NOSUCH', 'SETNAME'), some(1, 'x')),
  words('OBJECT'),
  words('COMMAND', 'GETKEYS', fc.constantFrom('GET', 'MSET', 'NOSUCH', 'PING'), some(4, 'k')),
  words('SELECT', fc.constantFrom('x', '16000', '99999999999', '-1')),
  words('PUBLISH', 'judged-nobody', VALUE),
  words('PUBSUB', 'NUMSUB', 'judged-nobody'),
  words('HELLO', fc.constantFrom('4', 'x', '1')),
  words('CONFIG', 'GET', 'nosuch*'),
)

const GATHERED = fc.oneof(
  { weight: 3, arbitrary: words('SET', KEY, VALUE) },
  { weight: 3, arbitrary: words('GET', KEY) },
  words('INCR', KEY),
  words('DEL', KEY),
  words('DBSIZE'),
  { weight: 1, arbitrary: fc.constantFrom(['NOSUCH'], ['GET'], ['SET', 'a']) },
)

/** Transactions one after the other, at times refused, given up, or over a watched key. */
export const TRANSACTIONS: fc.Arbitrary<readonly Request[]> = fc
  .array(
    fc.tuple(
      some(1, words('WATCH', KEY)),
      some(1, words('SET', KEY, VALUE), words('DEL', KEY), words('UNWATCH')),
      fc.array(GATHERED, { maxLength: 6 }),
      fc.constantFrom('EXEC', 'EXEC', 'EXEC', 'DISCARD'),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((all) =>
    all.flatMap(([watch, change, gathered, end]) => [
      ...[watch, change].filter(({ length }) => length > 0),
      ['MULTI'],
      ...gathered,
      [end],
    ]),
  )

/** So many requests of a group. */
export function sequenceOf(group: fc.Arbitrary<Request>, requestsMax: number): fc.Arbitrary<readonly Request[]> {
  return fc.array(group, { minLength: 1, maxLength: requestsMax, size: 'max' })
}
