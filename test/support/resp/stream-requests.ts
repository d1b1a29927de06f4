/** Requests of streams by chance, as `requests.ts`: ids are said, as those that are made are nobody's word. */
import fc from 'fast-check'
import type { Request } from './judged.ts'
import { INTEGER, some, words } from './requests.ts'

const KEY = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('x1', 'x1', 'x2') },
  { weight: 1, arbitrary: fc.constantFrom('other') },
)
const ID = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }).map((n) => `${Math.ceil(n / 4)}-${n % 4}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('5', '0-0', '0', 'x', '1-', '-1', '18446744073709551615-18446744073709551615'),
  },
)
const BOUND = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('-', '+', '(5', '(5-1', '(x') },
  { weight: 3, arbitrary: ID },
)
const COUNT = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('0', '1', '2', '5', '-1') }, INTEGER)
const TRIMMING = fc.oneof(
  words('MAXLEN', some(1, '=', '~'), fc.constantFrom('0', '1', '3', '5', '-1', 'x')),
  words('MINID', some(1, '=', '~'), ID),
  words('LIMIT', COUNT),
)
const TRIM = fc.oneof({ weight: 4, arbitrary: TRIMMING }, words('NOMKSTREAM'))
const FIELDS = words(fc.constantFrom('f', 'g'), fc.constantFrom('v', '', '\xff'))
const GROUP = fc.constantFrom('g', 'g', 'h')
const CONSUMER = fc.constantFrom('c', 'd')
const READ_ID = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('>', '>', '>', '0', '$') },
  { weight: 1, arbitrary: ID },
)

export const STREAM_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 14, arbitrary: words('XADD', KEY, ID, FIELDS, some(1, FIELDS)) },
  { weight: 3, arbitrary: words('XADD', KEY, some(2, TRIM), ID, FIELDS) },
  words('XADD', KEY, ID, FIELDS, 'odd'),
  words('XLEN', KEY),
  { weight: 3, arbitrary: words('XRANGE', KEY, BOUND, BOUND, some(1, words('COUNT', COUNT), 'COUNT')) },
  { weight: 3, arbitrary: words('XREVRANGE', KEY, BOUND, BOUND, some(1, words('COUNT', COUNT))) },
  words('XRANGE', KEY, '-', '+'),
  { weight: 3, arbitrary: words('XDEL', KEY, ID, some(2, ID)) },
  { weight: 2, arbitrary: words('XTRIM', KEY, TRIMMING, some(1, TRIMMING)) },
  words('XSETID', KEY, ID, some(1, words('ENTRIESADDED', COUNT, 'MAXDELETEDID', ID))),
  {
    weight: 2,
    arbitrary: words('XREAD', some(1, words('COUNT', COUNT)), 'STREAMS', fc.constantFrom('x1', 'x2'), READ_ID),
  },
  words('XREAD', 'COUNT', '3', 'STREAMS', 'x1', 'x2', ID, ID),
  words('XREAD', 'BLOCK', fc.constantFrom('1', '-1', 'x'), 'STREAMS', 'x1', fc.constantFrom('$', '0')),
  words('XREAD', fc.constantFrom('NOACK', 'GROUP', 'COUNT', 'STREAMS'), 'g', 'c', 'STREAMS', 'x1', '0'),
  {
    weight: 4,
    arbitrary: words('XGROUP', 'CREATE', KEY, GROUP, fc.constantFrom('0', '$', '3', 'x'), some(1, 'MKSTREAM', 'x')),
  },
  words('XGROUP', 'SETID', KEY, GROUP, fc.constantFrom('0', '$', '3')),
  words('XGROUP', fc.constantFrom('CREATECONSUMER', 'DELCONSUMER'), KEY, GROUP, CONSUMER),
  words('XGROUP', 'DESTROY', KEY, GROUP),
  {
    weight: 8,
    arbitrary: words(
      'XREADGROUP',
      'GROUP',
      GROUP,
      CONSUMER,
      some(2, words('COUNT', COUNT), 'NOACK'),
      'STREAMS',
      KEY,
      READ_ID,
    ),
  },
  { weight: 4, arbitrary: words('XACK', KEY, GROUP, ID, some(2, ID)) },
  { weight: 2, arbitrary: words('XPENDING', KEY, GROUP) },
  {
    weight: 3,
    arbitrary: words('XPENDING', KEY, GROUP, some(1, words('IDLE', '0')), BOUND, BOUND, COUNT, some(1, CONSUMER, 'e')),
  },
  {
    weight: 3,
    arbitrary: words(
      ...['XCLAIM', KEY, GROUP, CONSUMER, fc.constantFrom('0', '0', '99999', 'x'), ID, some(2, ID)],
      some(2, 'FORCE', 'JUSTID', words('RETRYCOUNT', COUNT), words('IDLE', '5'), 'x'),
    ),
  },
  {
    weight: 2,
    arbitrary: words(
      ...['XAUTOCLAIM', KEY, GROUP, CONSUMER, '0', fc.constantFrom('0', '3', '(2', 'x')],
      some(2, 'JUSTID', words('COUNT', COUNT), 'x'),
    ),
  },
  words('SET', 'other', 'v'),
  words('DEL', KEY),
  words('TYPE', KEY),
  words('RENAME', 'x1', 'x2'),
  words('COPY', 'x2', 'x1', 'REPLACE'),
  words('OBJECT', 'ENCODING', 'x1'),
)

const COUNTED = fc.constantFrom('p1', 'p2', 'p3', 'other')
const ELEMENT = fc.oneof(
  fc.integer({ min: 0, max: 5000 }).map((n) => `element:${n}`),
  fc.constantFrom('', 'a', '\xff\0\xfe', 'x'.repeat(100)),
)
export const HYPERLOGLOG_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 8, arbitrary: words('PFADD', COUNTED, some(40, ELEMENT)) },
  { weight: 4, arbitrary: words('PFCOUNT', COUNTED, some(2, COUNTED)) },
  { weight: 2, arbitrary: words('PFMERGE', COUNTED, some(2, COUNTED)) },
  words('SET', 'other', fc.constantFrom('v', 'HYLL')),
  words('RPUSH', 'other', 'v'),
  words('DEL', COUNTED),
  words('TYPE', COUNTED),
  words('COPY', 'p1', 'p2', 'REPLACE'),
  words('RENAME', 'p2', 'p3'),
  words('EXPIRE', COUNTED, '100'),
  words('TTL', COUNTED),
)
