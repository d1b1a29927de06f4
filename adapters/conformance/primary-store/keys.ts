/** Keys as people write them, and their order. */
import { assert, assertEqual } from '../assert.ts'
import { assertRejection, type Check, type Place, never } from './place.ts'

/** Each another key: by case, by a space at the end, by how an accent is written. */
const ODD = [
  ...['user:1', 'User:1', 'USER:1', 'user:1 ', ' user:1', 'user:1\t', 'user:1\n'],
  ...[
    `'`,
    `"`,
    '`',
    `it's`,
    `''; DROP TABLE warp_rows; --`,
    '\\',
    '\\\\',
    '\\n',
    '%',
    '_',
    '?',
    '*',
    '[a]',
    '$1',
    ':1',
  ],
  ...['{a}b', '{b}', 'b', 'a{b', 'a}b', '{}', '{}{c}'],
  ...['é', 'e\u0301', 'ß', 'SS', 'ss', 'ı', 'I', 'i', '日本', '\u{1f600}', '\uffff', '\ue000', '\u200b'],
]

const LONG = 'x'.repeat(1024)
const LONG_WIDE = '\u{1f600}'.repeat(256)

export const KEYS: Readonly<Record<string, Check>> = {
  'keys are told apart by every character': async (place) => {
    const changes = ODD.map((key, index) => ({ key, expected: undefined, next: place.fresh(`value ${index}`) }))
    const outcomes = await place.store.compareAndSet(changes, never())
    for (const [index, { kind }] of outcomes.entries())
      assertEqual(kind, 'done', `the outcome of inserting ${JSON.stringify(ODD[index])}`)
    for (const { key, next } of changes) await place.holds(key, next)
  },

  'a key with a null character is kept as it is, or rejected': async (place) => {
    const key = 'a\0b'
    const next = place.fresh('one')
    const outcome = await place.write({ key, expected: undefined, next })
    const { kind } = outcome
    assert(kind === 'done' || kind === 'rejected', `the outcome is ${kind}`)
    if (kind === 'rejected') assertRejection(outcome)
    await place.holds(key, kind === 'done' ? next : undefined)
    await place.holds('a', undefined)
  },
}

export const LONG_KEYS: Readonly<Record<string, Check>> = {
  'keys of 1,024 bytes are taken, and told apart by the last one': async (place) => {
    for (const key of [LONG, `${LONG.slice(1)}y`, LONG_WIDE])
      await place.holds(key, await place.put(key, place.fresh(key)))
    await place.holds(`${LONG.slice(1)}z`, undefined)
  },
}

export const LISTING: Readonly<Record<string, Check>> = {
  'keys are listed in the order of their code points, page by page': async (place) => {
    const keys = ['a', 'B', 'b', 'a\u00e9', 'ab', 'a\uffff', 'a\u{1f600}', 'a', 'z', 'a b', '\ue000', '日'].map(
      (key) => `k:${key}`,
    )
    const sorted = [...new Set(keys)].sort(byCodePoints)
    await fill(place, sorted)
    for (const limit of [1, 3, 100]) {
      const listed: string[] = []
      for (let after: string | undefined; ; after = listed.at(-1)) {
        const page = await place.store.listKeys({ prefix: 'k:', after, limit, ...never() })
        assert(page.length <= limit, `a page has at most ${limit} keys`)
        if (page.length === 0) break
        listed.push(...page)
      }
      assertEqual(JSON.stringify(listed), JSON.stringify(sorted), `keys in pages of ${limit}`)
    }
  },

  'a prefix is taken as it is written': async (place) => {
    const prefixes = ['a%', 'a_', 'a*', 'a?', 'a[', 'a\\', `a'`, 'A', 'a\uffff', '\u{10ffff}']
    await fill(place, [...prefixes.map((prefix) => `${prefix}1`), 'ax1', 'ab1', 'b1', 'a1'])
    for (const prefix of prefixes) {
      const listed = await place.store.listKeys({ prefix, limit: 10, ...never() })
      assertEqual(JSON.stringify(listed), JSON.stringify([`${prefix}1`]), `keys that begin with ${prefix}`)
    }
    assertEqual((await place.store.listKeys({ prefix: '', limit: 100, ...never() })).length, 14, 'all keys')
  },

  'a key without a value is not listed': async (place) => {
    await fill(place, ['a', 'b', 'c'])
    const b = await place.read('b')
    await place.put('b', place.fresh(undefined), b)
    const listed = await place.store.listKeys({ prefix: '', limit: 10, ...never() })
    assertEqual(listed.join(), 'a,c', 'keys')
    assertEqual((await place.store.listKeys({ prefix: '', after: 'a', limit: 10, ...never() })).join(), 'c', 'keys')
    assertEqual((await place.store.listKeys({ prefix: 'd', limit: 10, ...never() })).length, 0, 'keys')
  },
}

async function fill(place: Place, keys: readonly string[]): Promise<void> {
  const outcomes = await place.store.compareAndSet(
    keys.map((key) => ({ key, expected: undefined, next: place.fresh(key) })),
    never(),
  )
  assert(
    outcomes.every(({ kind }) => kind === 'done'),
    'every insert is done',
  )
}

function byCodePoints(a: string, b: string): number {
  const [x, y] = [[...a], [...b]]
  const at = x.findIndex((character, index) => character !== y[index])
  if (at < 0) return x.length - y.length
  return (x[at]?.codePointAt(0) ?? 0) - (y[at]?.codePointAt(0) ?? -1)
}
