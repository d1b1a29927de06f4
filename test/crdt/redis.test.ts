import { describe, expect, test } from 'vitest'
import { addExact, doubleOf, isExact, parseExact, shownExact } from '../../crdt/redis/exact.ts'
import { Ordered } from '../../crdt/redis/ordered.ts'
import { bitsAt } from '../../crdt/redis/patches.ts'
import { redis } from '../../crdt/redis/redis.ts'
import { Table } from '../../crdt/redis/table.ts'
import type { RedisState } from '../../crdt/redis/state.ts'
import type { RedisView } from '../../crdt/redis/view.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import type { ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import { REPLICA_IDS } from '../../testing/laws/reference-replica.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { codeOf, threeReplicas } from '../support/three-replicas.ts'

const NOW_MS = 1_000

describe('exact numbers', () => {
  test.each([
    ['0.1', '0.2', '0.3'],
    ['3.0', '+1.000', '4'],
    ['5.0e3', '2.0e2', '5200'],
    ['1e17', '1', '100000000000000001'],
    ['9007199254740992', '1', '9007199254740993'],
    ['619.0', '34', '653'],
    ['0.00000000000000001', '1e-18', '0.00000000000000001'],
    ['-.5', '.25', '-0.25'],
    ['1e400', '1', `1${'0'.repeat(399)}1`],
    ['-0', '0', '0'],
  ])('%s + %s is shown as %s', (a, b, sum) => {
    expect(shownExact(addExact(parseExact(a) ?? 0, parseExact(b) ?? 0))).toBe(sum)
  })

  test.each(['', ' 1', '1 ', 'inf', 'nan', '0x10', '1e', 'e1', '.', '1e99999', 'abc'])('%j is none', (text) => {
    expect(parseExact(text)).toBeUndefined()
  })

  test('sums of doubles do not depend on the order', () => {
    const terms = [0.1, 1e17, -1e17, 0.2, 5e-324, -0.3, 2 ** 53]
    const forth = terms.reduce<ReturnType<typeof addExact>>(addExact, 0)
    expect(terms.toReversed().reduce<ReturnType<typeof addExact>>(addExact, 0)).toBe(forth)
    expect(doubleOf(forth)).toBe(2 ** 53)
  })

  test('each value has one form', () => {
    expect([1, '0.1', '9007199254740993', 0.5].map(isExact)).toEqual([true, true, true, true])
    expect(['1', '0.5', '0.10', '-0', '01', NaN, Infinity].map(isExact)).toEqual(Array(7).fill(false))
  })
})

describe('orders and tables', () => {
  test('an order of thousands is a sorted array', () => {
    const random = seededRandom(7)
    const order = new Ordered<number>((a, b) => a - b)
    const plain = new Set<number>()
    for (let i = 0; i < 9000; i++) {
      const item = random.below(6000)
      if (plain.has(item)) expect(order.remove(item)).toBe(plain.delete(item))
      else {
        expect(order.remove(item)).toBe(false)
        order.add(item)
        plain.add(item)
      }
    }
    const sorted = [...plain].sort((a, b) => a - b)
    expect([...order.from(0)]).toEqual(sorted)
    expect([...order.backFrom(order.size)]).toEqual(sorted.toReversed())
    expect([...order.from(1500)]).toEqual(sorted.slice(1500))
    expect([...order.backFrom(700)]).toEqual(sorted.slice(0, 701).reverse())
    expect(sorted.map((_, rank) => order.at(rank))).toEqual(sorted)
    expect([order.at(-1), order.at(sorted.length)]).toEqual([undefined, undefined])
    const limit = sorted[1234] as number
    expect(order.rankOf((item) => item < limit)).toBe(1234)
    expect(order.find(limit)).toBe(limit)
  })

  test('who walks from the last place to the first meets all that stay', () => {
    const table = new Table<{ name: string; place: number }>()
    const entry = (name: string): { name: string; place: number } => ({ name, place: 0 })
    for (let i = 0; i < 20; i++) table.add(entry(`stays ${i}`))
    for (let i = 0; i < 20; i++) table.add(entry(`goes ${i}`))
    const met = new Set<string>()
    for (let place = table.size - 1, i = 0; place >= 0; place--, i++) {
      const one = table.at(place)
      if (one !== undefined) met.add(one.name)
      const gone = table.get(`goes ${(i * 7) % 20}`)
      if (gone !== undefined) table.remove(gone)
      table.add(entry(`comes ${i}`))
    }
    expect(table.entries().map(({ name }) => table.get(name)?.place)).toEqual([...table.entries().keys()])
    expect([...met].filter((name) => name.startsWith('stays'))).toHaveLength(20)
  })
})

describe('payloads that no verb makes are refused before anything changes', () => {
  const [id = ''] = REPLICA_IDS
  const position = [1, 5, id, 1, 0]
  test.each<[string, Encodable]>([
    ['no list', 7],
    ['no act', []],
    ['an act of the future', [12, null]],
    ['text beyond bytes', [1, 'ā']],
    ['a sum that is no number', [2, ['1']]],
    ['half a run', [2, [1, id, 3]]],
    ['a change of nothing', [3, [[]]]],
    ['bits that are too wide', [3, [[0, 65, '1', false]]]],
    ['a change beyond every string', [3, [[600_000_000, 'x']]]],
    ['a field without a name', [4, [[[]]]]],
    ['members in no chunk', [5, ['a']]],
    ['a score that is none', [7, [[['a', 'b']]]]],
    ['a score of no kind', [7, [[['a', 1, 3]]]]],
    ['a push to no side', [8, [0, 5, [['a']]]]],
    ['a position of half a step', [11, [[[...position, 1, 2]]]]],
    ['a position of nobody', [11, [[[1, 5, 'me', 1, 0]]]]],
    ['a life that ends in the past of time', [0, null, -5]],
    ['a cut of no run', [17, 'v', 0, [[['', id, 1, 0]]]]],
  ])('%s', (_, payload) => {
    const { a } = threeReplicas(redis())
    a.write('join', [NOW_MS, ['x', 'y']])
    const strategy = redis()
    const state = strategy.decodeState(strategy.encodeState(a.state as never))
    const operation = { hlc: 9, replica: REPLICA_IDS[1], sequence: 9, payload, observed: () => true } as never
    expect(codeOf(() => strategy.apply(state, operation))).toBe('WARP_E_PROTOCOL')
    expect(strategy.encodeState(state)).toEqual(strategy.encodeState(a.state as never))
  })
})

describe('verbs', () => {
  test('what cannot be kept is refused, and says why', () => {
    const { a } = threeReplicas(redis())
    a.write('put', [NOW_MS, 'text'])
    const refusals = [
      ['put', '€'],
      ['put', 'v', 0],
      ['put', 'v', 1.5],
      ['add', 1],
      ['join', ['x']],
      ['patch', [{ kind: 'overwrite', offset: 536_870_912, bytes: 'x' }]],
      ['patch', [{ kind: 'set-bits', offset: 0, width: 65, value: 1n }]],
    ] as const
    const codes = refusals.map(([verb, ...parameters]) => codeOf(() => a.write(verb, [NOW_MS, ...parameters])))
    expect(codes).toEqual([
      'WARP_E_UNENCODABLE',
      'WARP_E_CONFIG',
      'WARP_E_CONFIG',
      'WARP_E_MODE',
      'WARP_E_MODE',
      'WARP_E_LIMIT',
      'WARP_E_CONFIG',
    ])
    expect(codeOf(() => a.write('put', ['now', 'v']))).toBe('WARP_E_CONFIG')
  })

  test('nothing is written where nothing is changed', () => {
    const { a } = threeReplicas(redis())
    a.write('join', [NOW_MS, ['x']])
    const writes = [
      a.write('join', [NOW_MS, []]),
      a.write('join', [NOW_MS, ['x'], { isRenewing: false }]),
      a.write('leave', [NOW_MS, 'y']),
    ]
    expect(writes).toEqual([undefined, undefined, undefined])
    a.delete()
    const afterwards = [
      a.write('live', [NOW_MS, 2_000]),
      a.write('take', [NOW_MS, [0, 5]]),
      a.write('removeFields', [NOW_MS, 'f']),
      a.write('removeScores', [NOW_MS, 'm']),
    ]
    expect(afterwards).toEqual([undefined, undefined, undefined, undefined])
  })

  test('a thousand APPENDs are kept as few patches', () => {
    const { a } = threeReplicas(redis())
    for (let i = 0; i < 1_000; i++) a.write('patch', [NOW_MS, [{ kind: 'append', bytes: 'ab' }]])
    expect(viewOf(a).text).toBe('ab'.repeat(1_000))
    expect(encode(redis().encodeState(a.state as never)).length).toBeLessThan(6_000)
  })

  test('a counter that is incremented a thousand times is as small as one that is incremented once', () => {
    const { a } = threeReplicas(redis())
    for (let i = 0; i < 1_000; i++) a.write('add', [NOW_MS, 1])
    expect(viewOf(a).text).toBe('1000')
    expect(encode(redis().encodeState(a.state as never)).length).toBeLessThan(80)
    a.write('put', [NOW_MS, '5'])
    const sum = encode(redis().encodeState(a.state as never))
    expect(sum.length).toBeLessThan(60)
  })

  test('one replica alone rounds scores as Redis does', () => {
    const { a } = threeReplicas(redis())
    let expected = 0
    for (const by of [0.1, 0.2, 1e17, -1e17, 0.7, 0.1]) {
      expected += by
      a.write('addToScore', [NOW_MS, 'x', by])
    }
    expect(viewOf(a).score('x')).toBe(expected)
  })

  test('insertions at one place, one after the other', () => {
    const { a } = threeReplicas(redis())
    a.write('push', [NOW_MS, { to: 'right', values: ['a', 'd'] }])
    a.write('insertBeside', [NOW_MS, { index: 0, on: 'right', value: 'c' }])
    a.write('insertBeside', [NOW_MS, { index: 0, on: 'right', value: 'b' }])
    a.write('insertBeside', [NOW_MS, { index: 1, on: 'left', value: 'ab' }])
    a.write('push', [NOW_MS, { to: 'left', values: ['2', '1'] }])
    expect(a.value).toEqual(['1', '2', 'a', 'ab', 'b', 'c', 'd'])
  })
})

test('positions stay short, however often something is inserted beside what was inserted last', () => {
  const { a, b } = threeReplicas(redis())
  const model = ['a', 'z']
  a.write('push', [NOW_MS, { to: 'right', values: model }])
  let last = 0
  for (let i = 0; i < 400; i++) {
    // Behind it, before it, and then on either side in turn.
    const isAfter = i < 100 || (i >= 200 && i % 2 === 0)
    a.write('insertBeside', [NOW_MS, { index: last, on: isAfter ? 'right' : 'left', value: `i${i}` }])
    last += isAfter ? 1 : 0
    model.splice(last, 0, `i${i}`)
  }
  expect(a.value).toEqual(model)
  const depths = [...((a.state as RedisState).list?.from(0) ?? [])].map(({ inserted }) => inserted.length)
  expect(Math.max(...depths)).toBeLessThanOrEqual(33)
  b.deliverAll([...a.operations.values()])
  expect(b.value).toEqual(model)
})

test('dots in payloads follow operations that are issued again', () => {
  const strategy = redis()
  const [one = '', other = ''] = REPLICA_IDS
  const rename = (replica: string, sequence: number): readonly [string, number] =>
    replica === one ? [other, sequence + 100] : [replica, sequence]
  const rebased = (payload: Encodable): unknown => strategy.rebase?.(payload, rename as never)
  const before = [1, 5, one, 1, 0, -1, 6, other, 2]
  const after = [1, 5, other, 101, 0, -1, 6, other, 2]
  expect(
    [
      [2, [1, one, 3, 4, '0.1']],
      [4, [[['f', [1, one, 3, 4, 5]], ['g']]]],
      [
        7,
        [
          [
            ['m', [1, one, 3, 4, 5]],
            ['n', 1, 1],
          ],
        ],
      ],
      [9, [before, 1, 7, 'v']],
      [10, [before, 'v']],
      [11, [[before]]],
      [17, 'v', 0, [[['hf', one, 3, 4, 5]]]],
      [5, [['x']]],
    ].map((payload) => rebased(payload as Encodable)),
  ).toEqual([
    [2, [1, other, 103, 4, '0.1']],
    [4, [[['f', [1, other, 103, 4, 5]], ['g']]]],
    [
      7,
      [
        [
          ['m', [1, other, 103, 4, 5]],
          ['n', 1, 1],
        ],
      ],
    ],
    [9, [after, 1, 7, 'v']],
    [10, [after, 'v']],
    [11, [[after]]],
    [17, 'v', 0, [[['hf', other, 103, 4, 5]]]],
    [5, [['x']]],
  ])
})

describe('states', () => {
  test('large ones are encoded and decoded in pieces', () => {
    const { a } = threeReplicas(redis())
    for (let i = 0; i < 10; i++)
      a.write('setFields', [NOW_MS, Array.from({ length: 1_000 }, (_, n) => [`field ${i * 1_000 + n}`, 'v'])])
    const strategy = redis()
    const items = [...(strategy.encodeStateSteps?.(a.state as never) ?? [])].filter((item) => item !== undefined)
    expect(items).toHaveLength(4)
    expect(strategy.piecesOf?.(a.state as never)).toBe(10_001)
    const again = strategy.decodeState(decode(encode(items)))
    expect(strategy.queries?.view(again, NOW_MS).size).toBe(10_000)
  })

  test.each<[string, Encodable]>([
    ['no head', []],
    [
      'a part of no type',
      [
        [[], []],
        [9, [], [['a', 'b']]],
      ],
    ],
    [
      'a member twice',
      [
        [[], []],
        [
          1,
          ['a'.repeat(16)],
          [
            ['a', 1, 0, 1],
            ['a', 1, 0, 1],
          ],
        ],
      ],
    ],
    [
      'a member that nothing keeps in',
      [
        [[], []],
        [1, [], [['a']]],
      ],
    ],
    [
      'a replica without a name',
      [
        [[], []],
        [1, [], [['a', 1, 0, 1]]],
      ],
    ],
    ['a string of nothing', [[[], [], [[], [], []]]]],
  ])('%s: refused', (_, encoded) => {
    expect(codeOf(() => redis().decodeState(encoded))).toBe('WARP_E_PROTOCOL')
  })

  test('bytes are read as text where they are UTF-8', () => {
    const { a } = threeReplicas(redis())
    a.write('push', [NOW_MS, { to: 'right', values: ['plain', '\xc3\xa9', '\xff'] }])
    expect(a.value).toEqual(['plain', 'é', Uint8Array.of(255)])
    a.write('setFields', [
      NOW_MS,
      [
        ['__proto__', '\xc3\xa9'],
        ['\xff', ''],
      ],
      {},
    ])
    expect(Object.entries(a.value as object)).toEqual([
      ['__proto__', 'é'],
      ['\xff', ''],
    ])
  })
})

describe('views', () => {
  test('answer from the type that is shown', () => {
    const { a } = threeReplicas(redis())
    a.write('setScores', [
      NOW_MS,
      [
        ['b', 1],
        ['a', 1],
        ['c', 0.5],
      ],
    ])
    const view = viewOf(a)
    expect([view.kind, view.size, view.score('c'), view.score('d'), view.text, view.field('a')]).toEqual([
      ...['zset', 3, 0.5],
      ...[undefined, undefined, undefined],
    ])
    expect([...(view.members?.from(0) ?? [])].map(({ name }) => name)).toEqual(['c', 'a', 'b'])
    expect(view.entries.size).toBe(3)
    a.delete()
    a.write('push', [NOW_MS, { to: 'left', values: ['x', 'y', 'z'] }])
    const list = viewOf(a)
    expect([list.element(0), list.element(3), list.members, list.hasMember('x')]).toEqual([
      ...['z', undefined],
      ...[undefined, false],
    ])
    expect([[...list.elementsFrom(1)], [...list.elementsBackFrom(1)]]).toEqual([
      ['y', 'x'],
      ['y', 'z'],
    ])
  })

  test('fields of bits are unsigned, and zero behind the end', () => {
    expect([bitsAt('\xf0', 0, 4), bitsAt('\xf0', 2, 4), bitsAt('\xf0', 4, 12), bitsAt('', 100, 64)]).toEqual([
      ...[15n, 12n],
      ...[0n, 0n],
    ])
  })
})

function viewOf(replica: ReferenceReplica): RedisView {
  return replica.query('view', NOW_MS) as RedisView
}
