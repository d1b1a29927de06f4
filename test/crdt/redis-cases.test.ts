/**
 * What concurrent commands come to, case by case: both replicas start equal, are cut off from each
 * other, write, and hear of each other. A is `a` and B is `b`; a wall clock beside an act says which of
 * two concurrent ones has the greater stamp. Both must show the same in the end.
 */
import { describe, expect, test } from 'vitest'
import { redis } from '../../crdt/redis/redis.ts'
import type { RedisView } from '../../crdt/redis/view.ts'
import type { ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import { exchange, threeReplicas } from '../support/three-replicas.ts'

const NOW_MS = 1_000
const EARLY = { wall: 10 }
const LATE = { wall: 20 }

type Do = (replica: ReferenceReplica) => unknown
type Case = readonly [name: string, start: readonly Do[], a: readonly Do[], b: readonly Do[], after: unknown]

const at =
  (wall: { readonly wall: number }, verb: string, ...parameters: unknown[]): Do =>
  (replica) =>
    replica.write(verb, [NOW_MS, ...parameters], wall)
const does =
  (verb: string, ...parameters: unknown[]): Do =>
  (replica) =>
    replica.write(verb, [NOW_MS, ...parameters])
const del: Do = (replica) => replica.delete()

const SET = (value: string, ...life: unknown[]): Do => does('put', value, ...life)
const INCR = (by: number | string = 1): Do => does('add', by)
const APPEND = (bytes: string): Do => does('patch', [{ kind: 'append', bytes }])
const SETRANGE = (offset: number, bytes: string): Do => does('patch', [{ kind: 'overwrite', offset, bytes }])
const HSET = (field: string, value: string): Do => does('setFields', [[field, value]])
const SADD = (...members: string[]): Do => does('join', members)
const ZADD = (member: string, score: number, ...mode: unknown[]): Do => does('setScores', [[member, score, ...mode]])
const ZINCRBY = (member: string, by: number): Do => does('addToScore', member, by)
const RPUSH = (...values: string[]): Do => does('push', { to: 'right', values })
const LPUSH = (...values: string[]): Do => does('push', { to: 'left', values })
const EXPIRE = (untilMs: number): Do => does('live', untilMs)
const PERSIST = EXPIRE(Infinity)

const strings: readonly Case[] = [
  ['S1 the later SET', [], [at(EARLY, 'put', 'a')], [at(LATE, 'put', 'b')], 'b'],
  [
    'S2 of SETs at the same time, that of the greater replica',
    [],
    [at(EARLY, 'put', 'a')],
    [at(EARLY, 'put', 'b')],
    'b',
  ],
  ['S3 additions add up', [], [INCR(7), INCR(-3)], [INCR(3), INCR(6)], '13'],
  [
    'S4 an INCR that a later SET had not seen counts',
    [SET('10')],
    [at(EARLY, 'add', 1)],
    [at(LATE, 'put', '100')],
    '101',
  ],
  ['S4 also if the SET is earlier', [SET('10')], [at(LATE, 'add', 1)], [at(EARLY, 'put', '100')], '101'],
  ['S5 of one replica those that it had seen', [INCR(5)], [INCR(2)], [SET('0')], '2'],
  ['S5 a SET takes away the INCRs that it had seen', [INCR(2), INCR(3)], [SET('0')], [INCR(2)], '2'],
  [
    'S6 a SET that loses takes away what it had seen, too',
    [],
    [INCR(5), at(EARLY, 'put', '0')],
    [at(LATE, 'put', '100')],
    '100',
  ],
  ['S7 INCR counts upon a concurrent SET', [], [SET('3')], [INCR(4)], '7'],
  ['S8 an addition to what is no number sleeps', [SET('1')], [SET('abc')], [INCR()], 'abc'],
  ['S9 DEL takes away what it had seen', [INCR(5)], [del], [INCR(3)], '3'],
  ['S10 a SET that a DEL had not seen stays', [SET('v')], [at(LATE, 'put', 'x'), del], [at(EARLY, 'put', 'w')], 'w'],
  [
    'S11 both APPENDs, by stamps',
    [SET('a')],
    [at(EARLY, 'patch', [{ kind: 'append', bytes: 'x' }])],
    [at(LATE, 'patch', [{ kind: 'append', bytes: 'y' }])],
    'axy',
  ],
  ['S12 an APPEND counts upon a concurrent SET', [SET('a')], [SET('b')], [APPEND('x')], 'bx'],
  ['S13 bits by themselves', [], [does('patch', [bit(1, 1n)])], [does('patch', [bit(2, 1n)])], '\x60'],
  ['S14 of one bit the later', [], [at(EARLY, 'patch', [bit(5, 1n)])], [at(LATE, 'patch', [bit(5, 0n)])], '\0'],
  ['S15 fields of bits add up', [], [does('patch', [more(16, 1n)])], [does('patch', [more(16, 1n)])], '\0\x02'],
  ['S16 SETRANGEs by stamps', [SET('Hello')], [SETRANGE(0, 'J')], [SETRANGE(4, 'y')], 'Jelly'],
  ['S19 sums go on beyond 64 bits', [SET('9223372036854775802')], [INCR(5)], [INCR(5)], '9223372036854775812'],
  ['S20 decimals add up exactly', [SET('1')], [INCR('0.1')], [INCR()], '2.1'],
]

const types: readonly Case[] = [
  [
    'T1 the type of the later write',
    [],
    [at(EARLY, 'put', 'v')],
    [at(LATE, 'push', { to: 'left', values: ['a'] })],
    ['a'],
  ],
  [
    'T2 the type of the greatest stamp that is left',
    [],
    [RPUSH('a'), at(LATE, 'push', { to: 'right', values: ['b'] })],
    [at(EARLY, 'join', ['x'])],
    ['a', 'b'],
  ],
  [
    'T5 a field that a SET had not seen, without those that it had',
    [HSET('g', '1')],
    [at(EARLY, 'put', 'v')],
    [at(LATE, 'setFields', [['f', '1']])],
    { f: '1' },
  ],
  [
    'T6 a member that SINTERSTORE had not seen',
    [SADD('s')],
    [does('join', ['r'], { replacing: {} })],
    [SADD('x')],
    ['r', 'x'],
  ],
  [
    'T7 what two SUNIONSTOREs come to',
    [SADD('s')],
    [does('join', ['1'], { replacing: {} })],
    [does('join', ['2'], { replacing: {} })],
    ['1', '2'],
  ],
]

const collections: readonly Case[] = [
  ['H1 both fields', [], [HSET('f1', 'a')], [HSET('f2', 'b')], { f1: 'a', f2: 'b' }],
  [
    'H2 of one field the later',
    [HSET('f', 'x')],
    [at(EARLY, 'setFields', [['f', 'a']])],
    [at(LATE, 'setFields', [['f', 'b']])],
    { f: 'b' },
  ],
  ['H3 HSET survives HDEL', [HSET('f', 'x')], [does('removeFields', 'f')], [HSET('f', 'y')], { f: 'y' }],
  ['H4 HINCRBYs add up', [HSET('f', '5')], [does('addToField', 'f', 1)], [does('addToField', 'f', 2)], { f: '8' }],
  [
    'H5 HINCRBY survives HDEL, alone',
    [HSET('f', '5')],
    [does('removeFields', 'f')],
    [does('addToField', 'f', 2)],
    { f: '2' },
  ],
  ['H6 HINCRBY counts upon HSET', [HSET('f', '5')], [HSET('f', '100')], [does('addToField', 'f', 2)], { f: '102' }],
  ['H7 a field that DEL had not seen', [HSET('f1', 'a')], [del], [HSET('f2', 'b')], { f2: 'b' }],
  ['H9 decimals', [HSET('f', '1.0')], [does('addToField', 'f', '0.1')], [does('addToField', 'f', '0.2')], { f: '1.3' }],
  [
    'H10 a field beside the last that goes',
    [HSET('f', '1')],
    [does('removeFields', 'f')],
    [HSET('g', '2')],
    { g: '2' },
  ],
  ['M1 both members', [], [SADD('a')], [SADD('b')], ['a', 'b']],
  ['M2 only what was seen goes', [SADD('a', 'b')], [does('leave', 'a'), does('leave', 'c')], [SADD('c')], ['b', 'c']],
  ['M3 SADD again survives SREM', [SADD('x')], [does('leave', 'x')], [SADD('x')], ['x']],
  [
    'M3 unless it does not renew',
    [SADD('x')],
    [does('leave', 'x')],
    [does('join', ['x'], { isRenewing: false })],
    undefined,
  ],
  ['M4 what both pop is gone', [SADD('x')], [does('leave', 'x')], [does('leave', 'x')], undefined],
  ['M7 a member that DEL had not seen', [SADD('a')], [del], [SADD('b')], ['b']],
  [
    'Z1 the later score',
    [],
    [at(EARLY, 'setScores', [['x', 1.1]])],
    [at(LATE, 'setScores', [['x', 2.1]])],
    [['x', 2.1]],
  ],
  ['Z3 ZINCRBYs add up', [ZADD('x', 1.1)], [ZINCRBY('x', 1)], [ZINCRBY('x', 1)], [['x', 3.1]]],
  ['Z4 ZINCRBY survives ZREM, alone', [ZADD('x', 4.5)], [does('removeScores', 'x')], [ZINCRBY('x', 2)], [['x', 2]]],
  ['Z5 ZINCRBY counts upon ZADD', [ZADD('x', 5)], [ZADD('x', 10)], [ZINCRBY('x', 2)], [['x', 12]]],
  [
    'Z6 of ZADD GTs the greatest',
    [ZADD('x', 5)],
    [at(EARLY, 'setScores', [['x', 7, 'max']])],
    [at(LATE, 'setScores', [['x', 6, 'max']])],
    [['x', 7]],
  ],
  [
    'Z6 of ZADD LTs the least',
    [ZADD('x', 5)],
    [at(EARLY, 'setScores', [['x', 2, 'min']])],
    [at(LATE, 'setScores', [['x', 3, 'min']])],
    [['x', 2]],
  ],
  ['Z7 what both pop is gone', [ZADD('x', 1)], [does('removeScores', 'x')], [does('removeScores', 'x')], undefined],
  ['Z9 a ZADD that a range had not seen', [ZADD('x', 5)], [does('removeScores', 'x')], [ZADD('x', 20)], [['x', 20]]],
  [
    'Z10 the later infinity',
    [ZADD('x', 0)],
    [at(EARLY, 'addToScore', 'x', Infinity)],
    [at(LATE, 'addToScore', 'x', -Infinity)],
    [['x', -Infinity]],
  ],
  [
    'Z11 of ZUNIONSTOREs the later scores',
    [],
    [at(EARLY, 'setScores', [['a', 1]], {})],
    [
      at(
        LATE,
        'setScores',
        [
          ['a', 2],
          ['b', 1],
        ],
        {},
      ),
    ],
    [
      ['b', 1],
      ['a', 2],
    ],
  ],
]

const lists: readonly Case[] = [
  ['L1 of two LPUSHes the later first', [], [LPUSH('a')], [LPUSH('b')], ['b', 'a']],
  ['L1 LPUSH before what it had seen', [RPUSH('hello')], [], [LPUSH('world')], ['world', 'hello']],
  [
    'L2 both insertions, in one order',
    [RPUSH('x')],
    [beside(0, 'right', 'y1')],
    [beside(0, 'right', 'y2')],
    ['x', 'y2', 'y1'],
  ],
  ['L3 an element that DEL had not seen', [RPUSH('x')], [del], [LPUSH('y')], ['y']],
  ['L5 what both pop is gone', [RPUSH('z')], [does('take', [0, 1])], [does('take', [0, 1])], undefined],
  [
    'L6 what is pushed at once stays together',
    [],
    [at(EARLY, 'push', { to: 'right', values: ['a', 'b'] })],
    [at(LATE, 'push', { to: 'right', values: ['c', 'd'] })],
    ['a', 'b', 'c', 'd'],
  ],
  [
    'L7 of LSETs of one element the later',
    [RPUSH('a', 'b')],
    [at(EARLY, 'setElement', 0, 'x')],
    [at(LATE, 'setElement', 0, 'y')],
    ['y', 'b'],
  ],
  ['L8 a pop wins over LSET', [RPUSH('a', 'b')], [does('setElement', 0, 'x')], [does('take', [0, 1])], ['b']],
  ['L9 both take the same one', [RPUSH('x', 'x')], [does('take', [0, 1])], [does('take', [0, 1])], ['x']],
  ['L10 an equal element that LREM had not seen', [RPUSH('x')], [does('take', [0, 1])], [RPUSH('x')], ['x']],
  ['L14 what is beside an element that goes', [RPUSH('p')], [beside(0, 'left', 'y')], [does('take', [0, 1])], ['y']],
]

describe.each([
  ['strings', strings],
  ['types', types],
  ['hashes, sets, sorted sets', collections],
  ['lists', lists],
])('%s', (_, cases) => {
  test.each(cases)('%s', (...[, start, ofA, ofB, after]) => {
    const { a, b } = played(start, ofA, ofB)
    expect(exchange(a, b)).toEqual([after, after])
  })
})

describe('lives', () => {
  const cases: readonly Case[] = [
    ['E1 the longer of two', [SET('k')], [EXPIRE(2_010)], [EXPIRE(2_050)], 2_050],
    ['E2 PERSIST is for ever', [SET('k')], [EXPIRE(2_010)], [PERSIST], Infinity],
    ['E3 a shorter one that had seen the longer', [SET('k', 2_050)], [EXPIRE(2_010)], [], 2_010],
    ['E4 SET is for ever', [SET('k')], [EXPIRE(2_010)], [SET('v')], Infinity],
    ['E5 a SET that loses has promised, too', [], [at(EARLY, 'put', 'a', 2_100)], [at(LATE, 'put', 'b', 2_010)], 2_100],
    ['E6 KEEPTTL says nothing', [SET('k', 2_005)], [EXPIRE(2_100)], [SET('v', 'kept')], 2_100],
    ['E11 INCR keeps it', [INCR(), EXPIRE(2_005)], [INCR()], [PERSIST], Infinity],
    [
      'a longer one that had not seen the end of the last member',
      [SADD('x'), EXPIRE(2_005)],
      [does('leave', 'x')],
      [SADD('y')],
      Infinity,
    ],
  ]
  test.each(cases)('%s', (...[, start, ofA, ofB, after]) => {
    const { a, b } = played(start, ofA, ofB)
    exchange(a, b)
    expect([viewOf(a).untilMs, viewOf(b).untilMs]).toEqual([after, after])
  })

  test('E7 what was written before the deadline ends with the rest', () => {
    const { a } = played([HSET('f', '1'), EXPIRE(2_000)], [HSET('g', '2')], [])
    expect([viewOf(a, 1_999).kind, viewOf(a, 2_000).kind]).toEqual(['hash', undefined])
  })

  test('E8 what is written behind the deadline begins a new life, also for who heard late', () => {
    const { a, b } = played([HSET('f', '1'), EXPIRE(2_000)], [], [])
    a.write('setFields', [2_001, [['g', '2']]])
    expect(exchange(a, b)).toEqual([{ g: '2' }, { g: '2' }])
    expect([viewOf(a).untilMs, viewOf(b).untilMs]).toEqual([Infinity, Infinity])
  })

  test('E9 a life made longer in time brings back what others saw end', () => {
    const { a, b } = played([SET('k', 2_000)], [EXPIRE(3_000)], [])
    expect(viewOf(b, 2_500).kind).toBeUndefined()
    exchange(a, b)
    expect(viewOf(b, 2_500).text).toBe('k')
  })

  test('E10 a life keeps nothing that DEL had seen', () => {
    const { a, b } = played([SET('k')], [EXPIRE(2_100)], [del])
    expect(exchange(a, b)).toEqual([undefined, undefined])
    a.write('join', [NOW_MS, ['x']])
    expect(viewOf(a).untilMs).toBe(Infinity)
  })
})

test('of two SETs that had seen parts of what one replica added, the one that saw more counts', () => {
  // a: +1 ──► c: SET 0   ∥   a: +10 ──► b: SET 0   ∥   a: +100
  const { a, b, c } = threeReplicas(redis())
  a.write('add', [NOW_MS, 1])
  c.deliverAll(a.operations.values())
  a.write('add', [NOW_MS, 10])
  b.deliverAll(a.operations.values())
  a.write('add', [NOW_MS, 100])
  const further = b.write('put', [NOW_MS, '0'])
  const nearer = c.write('put', [NOW_MS, '0'])
  for (const put of [further, nearer]) a.deliver(put as never)
  expect(a.value).toBe('100')
  expect(exchange(a, b, c)).toEqual(['100', '100', '100'])
})

describe('leftovers', () => {
  const conflict = (): ReturnType<typeof played> => {
    const both = played([], [at(EARLY, 'put', 'v')], [at(LATE, 'push', { to: 'left', values: ['a'] })])
    exchange(both.a, both.b)
    return both
  }

  test('T3 DEL takes the hidden type as well', () => {
    const { a, b } = conflict()
    a.delete()
    expect(exchange(a, b)).toEqual([undefined, undefined])
  })

  test('T4 a pop that empties the shown type does not show the hidden one', () => {
    const { a, b } = conflict()
    a.write('take', [NOW_MS, [0, 1]])
    expect(exchange(a, b)).toEqual([undefined, undefined])
  })

  test('S8 the next SET takes the sleeping addition', () => {
    const { a, b } = played([SET('1')], [SET('abc')], [INCR()])
    exchange(a, b)
    a.write('put', [NOW_MS, '5'])
    expect(exchange(a, b)).toEqual(['5', '5'])
  })

  test('a hidden counter goes with the next write that sees it', () => {
    const { a, b } = played([], [at(EARLY, 'add', 4)], [at(LATE, 'join', ['x'])])
    exchange(a, b)
    a.write('join', [NOW_MS, ['y']])
    b.deliverAll(a.operations.values())
    b.write('leave', [NOW_MS, 'x', 'y'])
    expect(exchange(a, b)).toEqual([undefined, undefined])
  })
})

function bit(offset: number, value: bigint): object {
  return { kind: 'set-bits', offset, width: 1, value }
}

function more(width: number, value: bigint): object {
  return { kind: 'add-bits', offset: 0, width, value }
}

function beside(index: number, on: string, value: string): Do {
  return does('insertBeside', { index, on, value })
}

function played(
  start: readonly Do[],
  ofA: readonly Do[],
  ofB: readonly Do[],
): { readonly a: ReferenceReplica; readonly b: ReferenceReplica } {
  const { a, b } = threeReplicas(redis())
  for (const act of start) act(a)
  exchange(a, b)
  for (const act of ofA) act(a)
  for (const act of ofB) act(b)
  return { a, b }
}

function viewOf(replica: ReferenceReplica, nowMs = NOW_MS): RedisView {
  return replica.query('view', nowMs) as RedisView
}
