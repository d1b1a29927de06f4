import { expect, test } from 'vitest'
import { Rests } from '../../src/compaction/rests.ts'

const SLOT = 1
const NOW_MS = 1000

test('a key rests ten times as long as its compaction took', () => {
  const rests = new Rests()
  const walk = { operations: 5000, stateBytes: 100_000, unstableCount: 3 }
  rests.note(SLOT, { ...walk, tookMs: 400 }, NOW_MS)
  expect(rests.of(SLOT, NOW_MS + 3999)).toMatchObject({ unstableCount: 3 })
  expect(rests.of(SLOT, NOW_MS + 4000)).toBeUndefined()
})

test('a walk that took no time by the clock counts by what it walked over', () => {
  const rests = new Rests()
  rests.note(SLOT, { operations: 100_000, stateBytes: 0, unstableCount: 0, tookMs: 0 }, NOW_MS)
  expect(rests.of(SLOT, NOW_MS + 1999)).toBeDefined()
  expect(rests.of(SLOT, NOW_MS + 2000)).toBeUndefined()
})
