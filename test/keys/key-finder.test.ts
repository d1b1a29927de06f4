import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyFinder } from '../../src/keys/key-finder.ts'
import { KeyTable } from '../../src/keys/key-table.ts'

const encoder = new TextEncoder()

/** A table with these keys, and the slot that a finder names for the bytes of a key, in the middle of others. */
function finderOf(keys: readonly string[]) {
  const table = new KeyTable()
  for (const key of keys) if (table.find(key) === undefined) table.add(key, 0)
  const finder = new KeyFinder(table)
  const find = (key: string): number | undefined => {
    const bytes = encoder.encode(`<${key}>`)
    return finder.find(bytes, 1, bytes.length - 1)
  }
  return { table, find }
}

test('what is found by bytes is what is found by text, the first time and again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 40 })),
      fc.string({ unit: 'grapheme' }),
      (keys, absent) => {
        const { table, find } = finderOf(keys)
        for (const key of [...keys, absent, ...keys]) expect(find(key)).toBe(table.find(key))
      },
    ),
  )
})

test('the bytes of one key are not taken for the characters of another one in the same slot', () => {
  const { table, find } = finderOf(['é'])
  table.remove(find('é') ?? -1)
  table.add('Ã©', 0)
  expect(find('é')).toBeUndefined()
  expect(find('Ã©')).toBe(0)
})

test('two keys that fall on the same entry are both found, however often', () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `key:${i}`)
  const { find } = finderOf(keys)
  for (let round = 0; round < 2; round++) keys.forEach((key, slot) => expect(find(key)).toBe(slot))
})

test('a key whose slot has been freed or given to another one is not found there', () => {
  const { table, find } = finderOf(['a', 'b'])
  const slot = find('a') ?? -1
  table.remove(slot)
  expect(find('a')).toBeUndefined()
  expect(table.add('c', 0)).toBe(slot)
  expect(find('a')).toBeUndefined()
  expect(find('c')).toBe(slot)
})

test('a key that is not UTF-8 is refused', () => {
  const { table } = finderOf([])
  expect(() => new KeyFinder(table).find(Uint8Array.of(0xff, 0xfe), 0, 2)).toThrow('not UTF-8')
})
