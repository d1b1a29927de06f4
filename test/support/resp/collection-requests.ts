/** Requests of hashes, sets, sorted sets and lists by chance, as `requests.ts`; now and then of a key of another type. */
import fc from 'fast-check'
import type { Request } from './judged.ts'
import { INTEGER, some, words } from './requests.ts'

const ITEM = fc.constantFrom('x', 'y', 'z', '', '\xff\0', '7', 'abc')
const ITEMS = fc.array(ITEM, { minLength: 1, maxLength: 4 })
const SMALL = fc.integer({ min: -4, max: 5 }).map(String)
const COUNT = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('0', '1', '2', '5') }, INTEGER)
const WEIRD = fc.constantFrom('x', '', '-1', '0')
/** Quarters: Valkey shows others otherwise than Redis 7.0.15. */
const SCORE = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -12, max: 12 }).map((n) => String(n / 4)) },
  fc.constantFrom('inf', '-inf', '+5', 'nan', 'x', '', '1e3', ' 1'),
)

/** Keys of a group, and at times one that holds something else. */
function keysOf(prefix: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(`${prefix}1`, `${prefix}2`, `${prefix}3`) },
    { weight: 1, arbitrary: fc.constantFrom('other', 'h1', 's1', 'z1', 'l1') },
  )
}

const OTHER: fc.Arbitrary<Request> = fc.oneof(
  words('SET', 'other', ITEM),
  words('DEL', fc.constantFrom('h1', 's1', 'z1', 'l1')),
  words('TYPE', fc.constantFrom('h1', 's1', 'z1', 'l1', 's2', 'z2')),
  words('EXISTS', 'h1', 's1', 'z1', 'l1', 'h2', 's2'),
)

const HASH = keysOf('h')
export const HASH_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: words('HSET', HASH, ITEM, ITEM, some(2, words(ITEM, ITEM))) },
  words('HSET', HASH, ITEM, ITEM, some(1, words(ITEM))),
  words('HMSET', HASH, ITEM, ITEM, some(1, words(ITEM, ITEM))),
  words('HSETNX', HASH, ITEM, ITEM),
  { weight: 3, arbitrary: words('HDEL', HASH, ITEMS) },
  { weight: 4, arbitrary: words('HINCRBY', HASH, ITEM, INTEGER) },
  words('HINCRBYFLOAT', HASH, ITEM, fc.constantFrom('0.5', '-2.25', '3', '1e2', 'nan', 'inf', 'x', '5.')),
  { weight: 2, arbitrary: words('HGET', HASH, ITEM) },
  words('HMGET', HASH, ITEMS),
  { weight: 2, arbitrary: words('HGETALL', HASH) },
  words(fc.constantFrom('HKEYS', 'HVALS', 'HLEN'), HASH),
  words(fc.constantFrom('HEXISTS', 'HSTRLEN'), HASH, ITEM),
  words('HRANDFIELD', HASH, some(1, words(COUNT))),
  words('HRANDFIELD', HASH, COUNT, fc.constantFrom('WITHVALUES', 'x')),
  words(
    'HSCAN',
    HASH,
    fc.constantFrom('0', '0', '17', 'x'),
    some(1, words('MATCH', fc.constantFrom('*', '[xy]', '?')), words('COUNT', COUNT)),
  ),
  OTHER,
)

const SET = keysOf('s')
const SETS = fc.array(SET, { minLength: 1, maxLength: 3 })
export const SET_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: words('SADD', SET, ITEMS) },
  { weight: 3, arbitrary: words('SREM', SET, ITEMS) },
  words('SMOVE', SET, SET, ITEM),
  words('SPOP', SET, fc.constantFrom('100')),
  words('SPOP', SET, fc.oneof(WEIRD)),
  words('SRANDMEMBER', SET, some(1, words(COUNT))),
  words('SCARD', SET),
  words('SISMEMBER', SET, ITEM),
  words('SMISMEMBER', SET, ITEMS),
  { weight: 3, arbitrary: words('SMEMBERS', SET) },
  words('SSCAN', SET, fc.constantFrom('0', 'x'), some(1, words('COUNT', COUNT))),
  { weight: 3, arbitrary: words(fc.constantFrom('SINTER', 'SUNION', 'SDIFF'), SETS) },
  { weight: 3, arbitrary: words(fc.constantFrom('SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'), SET, SETS) },
  words('SINTERCARD', fc.constantFrom('1', '2', '0', '5', 'x'), SET, SET, some(1, words('LIMIT', COUNT))),
  OTHER,
)

const ZSET = keysOf('z')
const SOURCE = fc.oneof({ weight: 5, arbitrary: ZSET }, SET)
const SCORED = words(SCORE, ITEM)
const BOUND = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -12, max: 12 }).map((n) => String(n / 4)) },
  { weight: 3, arbitrary: fc.constantFrom('(1', '(-1.5', '-inf', '+inf', '(inf', 'x', '(') },
)
const NAME_BOUND = fc.constantFrom('-', '+', '[x', '(x', '[', '(y', '[zz', 'x')
const LIMIT = words('LIMIT', fc.constantFrom('0', '1', '2', '-1'), fc.constantFrom('1', '2', '-1', '0'))
export const SORTED_SET_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 8, arbitrary: words('ZADD', ZSET, SCORED, some(3, SCORED)) },
  {
    weight: 4,
    arbitrary: words('ZADD', ZSET, some(3, 'NX', 'XX', 'GT', 'LT', 'CH', 'INCR'), SCORED, some(1, SCORED, 'x')),
  },
  { weight: 3, arbitrary: words('ZINCRBY', ZSET, SCORE, ITEM) },
  { weight: 2, arbitrary: words('ZREM', ZSET, ITEMS) },
  words('ZCARD', ZSET),
  words(fc.constantFrom('ZSCORE', 'ZRANK', 'ZREVRANK'), ZSET, ITEM),
  words('ZMSCORE', ZSET, ITEMS),
  { weight: 2, arbitrary: words('ZRANGE', ZSET, SMALL, SMALL, some(3, 'WITHSCORES', 'REV', LIMIT)) },
  { weight: 2, arbitrary: words('ZRANGE', ZSET, BOUND, BOUND, 'BYSCORE', some(2, 'WITHSCORES', 'REV', LIMIT)) },
  words('ZREVRANGE', ZSET, SMALL, SMALL, some(1, 'WITHSCORES', 'x')),
  {
    weight: 2,
    arbitrary: words(
      fc.constantFrom('ZRANGEBYSCORE', 'ZREVRANGEBYSCORE'),
      ZSET,
      BOUND,
      BOUND,
      some(2, 'withscores', LIMIT),
    ),
  },
  words('ZRANGESTORE', ZSET, ZSET, BOUND, BOUND, 'BYSCORE', some(1, 'REV', LIMIT)),
  words('ZRANGESTORE', ZSET, ZSET, SMALL, SMALL, some(1, 'REV', 'WITHSCORES')),
  words('ZCOUNT', ZSET, BOUND, BOUND),
  words('ZREMRANGEBYRANK', ZSET, SMALL, SMALL),
  words('ZREMRANGEBYSCORE', ZSET, BOUND, BOUND),
  words(fc.constantFrom('ZPOPMIN', 'ZPOPMAX'), ZSET, some(1, words(COUNT))),
  words(
    'ZMPOP',
    fc.constantFrom('1', '2', '0'),
    ZSET,
    ZSET,
    fc.constantFrom('MIN', 'max', 'x'),
    some(1, words('COUNT', COUNT)),
  ),
  words(fc.constantFrom('BZPOPMIN', 'BZPOPMAX'), 'z1', 'z2', fc.constantFrom('0.001', '-1', 'x')),
  words('ZRANDMEMBER', ZSET, some(1, words(COUNT))),
  words('ZSCAN', ZSET, '0'),
  words(
    fc.constantFrom('ZUNION', 'ZINTER', 'ZDIFF'),
    fc.constantFrom('2', '2', '1', '0', 'x', '5'),
    SOURCE,
    SOURCE,
    some(
      2,
      'WITHSCORES',
      words('AGGREGATE', fc.constantFrom('MIN', 'max', 'SUM', 'x')),
      words('WEIGHTS', SCORE, SCORE),
    ),
  ),
  words(
    fc.constantFrom('ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE'),
    ZSET,
    fc.constantFrom('2', '2', '0'),
    SOURCE,
    SOURCE,
    some(1, words('AGGREGATE', fc.constantFrom('MIN', 'MAX')), words('WEIGHTS', SCORE, SCORE)),
  ),
  words('ZINTERCARD', fc.constantFrom('2', '0', '9'), SOURCE, SOURCE, some(1, words('LIMIT', COUNT))),
  OTHER,
)

/** By name, where all members have one score: of others the reply is nobody's word. */
export const NAME_RANGE_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 5, arbitrary: words('ZADD', fc.constantFrom('z1', 'z2'), '0', ITEM, some(2, words('0', ITEM))) },
  words('ZREM', 'z1', ITEM),
  words(fc.constantFrom('ZRANGEBYLEX', 'ZREVRANGEBYLEX'), 'z1', NAME_BOUND, NAME_BOUND, some(1, LIMIT)),
  words('ZRANGE', 'z1', NAME_BOUND, NAME_BOUND, 'BYLEX', some(2, 'REV', LIMIT, 'WITHSCORES')),
  words('ZLEXCOUNT', 'z1', NAME_BOUND, NAME_BOUND),
  words('ZREMRANGEBYLEX', 'z2', NAME_BOUND, NAME_BOUND),
)

const LIST = keysOf('l')
const END = fc.constantFrom('LEFT', 'right', 'x')
export const LIST_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 8, arbitrary: words(fc.constantFrom('LPUSH', 'RPUSH'), LIST, ITEMS) },
  words(fc.constantFrom('LPUSHX', 'RPUSHX'), LIST, ITEMS),
  { weight: 3, arbitrary: words(fc.constantFrom('LPOP', 'RPOP'), LIST, some(1, words(COUNT))) },
  words('LMPOP', fc.constantFrom('1', '2', '0'), LIST, LIST, END, some(1, words('COUNT', COUNT))),
  { weight: 2, arbitrary: words('LMOVE', LIST, LIST, END, END) },
  words('RPOPLPUSH', LIST, LIST),
  { weight: 3, arbitrary: words('LINSERT', LIST, fc.constantFrom('BEFORE', 'after', 'x'), ITEM, ITEM) },
  { weight: 2, arbitrary: words('LSET', LIST, SMALL, ITEM) },
  { weight: 2, arbitrary: words('LREM', LIST, SMALL, ITEM) },
  words('LTRIM', LIST, SMALL, SMALL),
  words('LLEN', LIST),
  words('LINDEX', LIST, SMALL),
  { weight: 4, arbitrary: words('LRANGE', LIST, SMALL, SMALL) },
  { weight: 2, arbitrary: words('LRANGE', LIST, '0', '-1') },
  words('LPOS', LIST, ITEM, some(3, words('RANK', SMALL), words('COUNT', COUNT), words('MAXLEN', COUNT))),
  words(fc.constantFrom('BLPOP', 'BRPOP'), 'l1', 'l2', fc.constantFrom('0.001', '-1', 'x')),
  words('BLMOVE', 'l1', 'l2', END, END, '0.001'),
  words('BLMPOP', '0.001', '2', 'l1', 'l2', END, some(1, words('COUNT', '2'))),
  OTHER,
)

const LONGITUDE = fc.oneof(
  { weight: 9, arbitrary: fc.double({ min: -180, max: 180, noNaN: true }).map((n) => n.toFixed(6)) },
  fc.constantFrom('181', 'x', '180', '-180', '0'),
)
const LATITUDE = fc.oneof(
  { weight: 9, arbitrary: fc.double({ min: -85, max: 85, noNaN: true }).map((n) => n.toFixed(6)) },
  fc.constantFrom('86', 'x', '0', '-85.05112878'),
)
const PLACE = words(LONGITUDE, LATITUDE, ITEM)
export const GEO_REQUESTS: fc.Arbitrary<Request> = fc.oneof(
  { weight: 4, arbitrary: words('GEOADD', ZSET, some(2, 'NX', 'XX', 'ch'), PLACE, some(2, PLACE)) },
  words('GEOADD', ZSET, PLACE, some(1, words(ITEM))),
  { weight: 2, arbitrary: words('GEOPOS', ZSET, ITEMS) },
  { weight: 3, arbitrary: words('GEODIST', ZSET, ITEM, ITEM, some(1, 'km', 'MI', 'ft', 'm', 'x')) },
  words('GEOHASH', ZSET, ITEMS),
  words('ZRANGE', ZSET, '0', '-1', 'WITHSCORES'),
  OTHER,
)
