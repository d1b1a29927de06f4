/** Rows one at a time and in batches: absent, inserted, updated, refused, deleted, purged. */
import type { StoreRow } from '../../../src/ports/primary-store.ts'
import { assert, assertBytes, assertEqual } from '../assert.ts'
import { type Check, assertRow, never } from './place.ts'

export const ROWS: Readonly<Record<string, Check>> = {
  'a key that was never written has no row': async (place) => {
    await place.holds('a', undefined)
  },

  'an inserted row is read back, its value, meta and token': async (place) => {
    const row = await place.put('a', place.fresh('one'))
    await place.holds('a', row)
  },

  'rows come in the order in which their keys were asked for, absent ones between them': async (place) => {
    const [a, c] = [place.fresh('a'), place.fresh('c')]
    await place.put('a', a)
    await place.put('c', c)
    const rows = await place.store.readRows(['d', 'c', 'b', 'a'], never())
    assertEqual(rows.length, 4, 'rows')
    for (const [index, expected] of [undefined, c, undefined, a].entries())
      assertRow(rows[index], expected, `row ${index}`)
  },

  'nothing asked for, nothing answered': async (place) => {
    assertEqual((await place.store.readRows([], never())).length, 0, 'rows')
    assertEqual((await place.store.compareAndSet([], never())).length, 0, 'outcomes')
    assertEqual(await place.store.purge([], never()), 0, 'purged')
  },

  'an insert is refused where there is a row': async (place) => {
    await place.put('a', place.fresh('one'))
    await place.refuses({ key: 'a', expected: undefined, next: place.fresh('two') })
  },

  'an update from the row as it is takes its place': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    const two = await place.put('a', place.fresh('two'), one)
    await place.holds('a', two)
    await place.holds('a', await place.put('a', place.fresh('three'), two))
  },

  'an update that changes the token alone is done': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    await place.holds('a', await place.put('a', { ...place.fresh('one'), meta: one.meta }, one))
  },

  'an update from an older row is refused and changes nothing': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    await place.put('a', place.fresh('two'), one)
    await place.refuses({ key: 'a', expected: one, next: place.fresh('three') })
  },

  'an update with the right value and another token is refused': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    const expected = { ...one, token: place.fresh('').token }
    await place.refuses({ key: 'a', expected, next: place.fresh('two') })
  },

  'an update with the right token and another value is refused': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    await place.refuses({ key: 'a', expected: { ...place.fresh('other'), token: one.token }, next: place.fresh('two') })
    await place.refuses({ key: 'a', expected: { ...one, value: undefined }, next: place.fresh('two') })
  },

  'an update of a row that is not there is refused': async (place) => {
    await place.refuses({ key: 'a', expected: place.fresh('one'), next: place.fresh('two') })
    await place.refuses({ key: 'a', expected: place.fresh(undefined), next: place.fresh('two') })
  },

  'a batch has an outcome for each change, in their order': async (place) => {
    const keys = ['m', 'c', 'x', 'a', 'k']
    const [m, x] = [await place.put('m', place.fresh('m')), await place.put('x', place.fresh('x'))]
    const next = keys.map((key) => place.fresh(`${key}2`))
    const expected = [m, undefined, place.fresh('x'), undefined, place.fresh('k')]
    const changes = keys.map((key, index) => ({ key, expected: expected[index], next: next[index]! }))
    const outcomes = await place.store.compareAndSet(changes, never())
    assertEqual(outcomes.map(({ kind }) => kind).join(), 'done,done,refused,done,refused', 'outcomes')
    await place.holds('m', next[0])
    await place.holds('c', next[1])
    await place.holds('x', x)
    await place.holds('a', next[3])
    await place.holds('k', undefined)
  },

  'a batch of 300 rows is written, read and written again': async (place) => {
    const keys = Array.from({ length: 300 }, (_, index) => `key:${(index * 7) % 300}`)
    const first = keys.map((key) => ({ key, expected: undefined, next: place.fresh(key) }))
    const outcomes = await place.store.compareAndSet(first, never())
    assert(
      outcomes.every(({ kind }) => kind === 'done'),
      'every insert is done',
    )
    const second = first.map(({ key, next }) => ({ key, expected: next, next: place.fresh(`${key} again`) }))
    const updates = await place.store.compareAndSet(second, never())
    assert(
      updates.every(({ kind }) => kind === 'done'),
      'every update is done',
    )
    const rows = await place.store.readRows(keys, never())
    for (const [index, { key, next }] of second.entries()) assertRow(rows[index], next, key)
  },

  'a value of a megabyte comes back whole, and is compared whole': async (place) => {
    const long = 'long '.repeat(200_000)
    const row = await place.put('a', place.fresh(long))
    await place.holds('a', row)
    await place.refuses({
      key: 'a',
      expected: { ...place.fresh(`${long}!`), token: row.token },
      next: place.fresh('b'),
    })
    await place.holds('a', await place.put('a', place.fresh('short'), row))
  },
}

/** For stores that take any bytes. */
export const BYTES: Readonly<Record<string, Check>> = {
  'every byte comes back, null bytes too': async (place) => {
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff)
    await place.holds('a', await place.put('a', place.row(bytes)))
    await place.holds('b', await place.put('b', place.row(new Uint8Array(100))))
  },

  'an empty value is a value': async (place) => {
    const row = await place.put('a', place.row(new Uint8Array()))
    await place.holds('a', row)
    await place.refuses({ key: 'a', expected: { ...row, value: undefined }, next: place.fresh('b') })
    await place.holds('a', await place.put('a', place.fresh('b'), row))
  },
}

export const TOMBSTONES: Readonly<Record<string, Check>> = {
  'a delete leaves a tombstone with its meta and token': async (place) => {
    const one = await place.put('a', place.fresh('one'))
    const gone = await place.put('a', place.fresh(undefined), one)
    await place.holds('a', gone)
    await place.refuses({ key: 'a', expected: one, next: place.fresh('two') })
  },

  'a key that is not there can get a tombstone': async (place) => {
    await place.holds('a', await place.put('a', place.fresh(undefined)))
  },

  'an insert over a tombstone is refused, an update from it is done': async (place) => {
    const gone = await place.put('a', place.fresh(undefined))
    await place.refuses({ key: 'a', expected: undefined, next: place.fresh('one') })
    await place.holds('a', await place.put('a', place.fresh('one'), gone))
  },

  'purging removes a tombstone that has this token, and no other row': async (place) => {
    const gone = await place.put('gone', place.fresh(undefined))
    const newer = await place.put('newer', place.fresh(undefined))
    const there = await place.put('there', place.fresh('one'))
    const rows = [
      { key: 'there', token: there.token },
      { key: 'gone', token: gone.token },
      { key: 'newer', token: gone.token },
      { key: 'never', token: gone.token },
    ]
    assertEqual(await place.store.purge(rows, never()), 1, 'purged')
    await place.holds('gone', undefined)
    await place.holds('newer', newer)
    await place.holds('there', there)
    await place.holds('gone', await place.put('gone', place.fresh('back')))
  },

  'tombstones are found by looking through the rows, page by page': async (place) => {
    const { store } = place
    if (store.listTombstones === undefined) return
    const gone = new Map<string, StoreRow>()
    for (let i = 0; i < 30; i++) {
      await place.put(`there ${i}`, place.fresh('one'))
      const first = await place.put(`gone ${i}`, place.fresh('one'))
      gone.set(`gone ${i}`, await place.put(`gone ${i}`, place.fresh(undefined), first))
    }
    for (const limit of [7, 1000]) {
      const found = new Map<string, Uint8Array>()
      let from: string | undefined
      do {
        const page = await store.listTombstones({ from, limit, ...never() })
        for (const { key, token } of page.rows) found.set(key, token)
        from = page.next
      } while (from !== undefined)
      assertEqual([...found.keys()].sort().join(), [...gone.keys()].sort().join(), `tombstones in pages of ${limit}`)
      for (const [key, token] of found) assertBytes(token, (gone.get(key) as StoreRow).token)
    }
    const rows = [...gone].map(([key, { token }]) => ({ key, token }))
    assertEqual(await store.purge(rows, never()), gone.size, 'purged')
    assertEqual((await store.listTombstones({ limit: 1000, ...never() })).rows.length, 0, 'tombstones')
  },

  'meta may be long': async (place) => {
    const meta = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 31) & 0xff)
    const row = { ...place.fresh('one'), meta }
    await place.put('a', row)
    const read = await place.read('a')
    assert(read !== undefined, 'the row is there')
    assertBytes(read.meta, meta)
  },
}
