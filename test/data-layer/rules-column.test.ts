/** Which rules each copy has: those that say the same are one, and none is taken for another. */
import { expect, test } from 'vitest'
import { RulesColumn } from '../../src/data-layer/columns/rules-column.ts'
import { copyRulesOf, type CopyRules } from '../../src/keys/source/source.ts'

const rulesOf = (ttlMs: number): CopyRules => copyRulesOf('here', { ttlMs })

test('rules that say the same are one', () => {
  const column = new RulesColumn(4)
  const first = rulesOf(5)
  column.set(0, first)
  column.set(1, rulesOf(5))
  column.set(2, rulesOf(6))
  expect(column.at(1)).toBe(first)
  expect(column.at(2)).toEqual(rulesOf(6))
})

test('rules without a bound are not those with a great one, and functions are compared by themselves', () => {
  const column = new RulesColumn(4)
  const each: CopyRules[] = [
    rulesOf(5),
    { ...rulesOf(5), softTimeoutMs: 7 },
    { ...rulesOf(5), tags: () => [] },
    { ...rulesOf(5), tags: () => [] },
  ]
  for (const [slot, rules] of each.entries()) column.set(slot, rules)
  expect(each.map((_, slot) => column.at(slot))).toEqual(each)
  expect(column.at(2)).not.toBe(column.at(3))
})

test('a kind that nobody has any more makes room, and the others keep theirs', () => {
  const column = new RulesColumn(3)
  for (let ms = 1; ms <= 70_000; ms++) {
    column.set(0, rulesOf(ms))
    if (ms === 1) column.set(1, rulesOf(ms))
  }
  expect([column.at(0).ttlMs, column.at(1).ttlMs]).toEqual([70_000, 1])
  column.clear(0)
  column.set(2, rulesOf(9))
  expect([column.at(1).ttlMs, column.at(2).ttlMs]).toEqual([1, 9])
})

test('there may be more kinds than 16 bits can tell apart', () => {
  const column = new RulesColumn(70_000)
  for (let slot = 0; slot < 70_000; slot++) column.set(slot, rulesOf(slot + 1))
  column.grow(80_000)
  column.set(75_000, rulesOf(3))
  const far = [0, 65_535, 65_536, 69_999, 75_000]
  expect(far.map((slot) => column.at(slot).ttlMs)).toEqual([1, 65_536, 65_537, 70_000, 3])
})
