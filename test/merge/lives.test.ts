/** When a life is over, and which operation begins the next one. */
import { expect, test } from 'vitest'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { isOver } from '../../src/merge/lives.ts'

test('a life is over in the millisecond in which its time has passed, whatever the counter says', () => {
  const lifeMs = 1000
  const at = (ms: number, count = 0) => hlcFromMs(5000 + ms) + count
  for (const count of [0, 7]) {
    expect(isOver(at(0, count), at(lifeMs - 1, 9), lifeMs)).toBe(false)
    expect(isOver(at(0, count), at(lifeMs), lifeMs)).toBe(true)
  }
  expect(isOver(at(0), at(1e9), 0)).toBe(false)
})
