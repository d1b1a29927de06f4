/** However many maps an index has, it is one map. */
import { expect, test } from 'vitest'
import { SlotIndex } from '../../src/keys/slot-index.ts'
import { seededRandom } from '../../testing/world/random.ts'

test('an index that splits while keys come and go finds what a map finds', () => {
  const random = seededRandom(20_111)
  for (let round = 0; round < 20; round++) {
    const [index, map] = [new SlotIndex(500), new Map<string, number>()]
    for (let i = 0; i < 6000; i++) {
      const key = `user:${random.below(3000)}${random.chance(0.5) ? ':profile' : ''}`
      if (!map.has(key)) {
        index.add(key, i)
        map.set(key, i)
      } else if (random.chance(0.3)) {
        index.delete(key)
        map.delete(key)
      }
      expect(index.get(key)).toBe(map.get(key))
      expect(index.size).toBe(map.size)
    }
    for (const [key, slot] of map) expect(index.get(key)).toBe(slot)
    for (const key of ['', 'a', 'user:', 'user:3001']) expect(index.get(key)).toBeUndefined()
  }
})

test('a key that is deleted after it has moved is gone, though it still stands where it was', () => {
  const index = new SlotIndex(500)
  for (let i = 0; i < 503; i++) index.add(`k${i}`, i)
  index.delete('k0')
  expect(index.get('k0')).toBeUndefined()
  for (let i = 503; i < 600; i++) index.add(`k${i}`, i)
  expect(index.get('k0')).toBeUndefined()
  expect(index.size).toBe(599)
})
