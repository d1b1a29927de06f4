import { expect, test } from 'vitest'
import { compareKeys, endOfPrefix, firstKeys } from '../../../src/ports/stores/key-order.ts'
import { seededRandom } from '../../../testing/world/random.ts'

const CHARACTERS = ['a', 'b', '\0', '\x7f', 'é', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}']

function words(count: number): string[] {
  const random = seededRandom(process.env['SEED'] ?? 1)
  return Array.from({ length: count }, () =>
    Array.from(random.bytes(random.below(5)), (byte) => CHARACTERS[byte % CHARACTERS.length]).join(''),
  )
}

test('keys are compared as their bytes are', () => {
  const keys = words(120)
  for (const a of keys) {
    for (const b of keys) expect(Math.sign(compareKeys(a, b))).toBe(Buffer.from(a).compare(Buffer.from(b)))
  }
})

test('the end of a prefix is above all that begin with it, and below or at all other greater ones', () => {
  const keys = words(300)
  for (const prefix of words(100)) {
    const end = endOfPrefix(prefix)
    for (const key of keys) {
      const isWithin = compareKeys(key, prefix) >= 0 && (end === undefined || compareKeys(key, end) < 0)
      expect(isWithin).toBe(key.startsWith(prefix))
    }
  }
})

test('the first keys are the least beyond the last page', () => {
  const keys = [...new Set(words(2000))]
  const sorted = [...keys].sort(compareKeys).filter((key) => key.startsWith('a'))
  expect(firstKeys(keys, { prefix: 'a', limit: 5 })).toEqual(sorted.slice(0, 5))
  expect(firstKeys(keys, { prefix: 'a', after: sorted[4], limit: 7 })).toEqual(sorted.slice(5, 12))
  expect(firstKeys(keys, { prefix: 'nowhere', limit: 7 })).toEqual([])
})
