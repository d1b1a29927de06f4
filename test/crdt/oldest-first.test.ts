import { expect, test } from 'vitest'
import { OldestFirst } from '../../crdt/oldest-first.ts'
import { seededRandom } from '../../testing/world/random.ts'

type Change = (map: Map<number, number>, key: number, oldest: number | undefined) => unknown

const CHANGES: Readonly<Record<string, Change>> = {
  set: (map, key) => map.set(key, key),
  delete: (map, key) => map.delete(key),
  makeYoungest: (map, key) => map.delete(key) && map.set(key, key),
  deleteOldest: (map, _, oldest) => oldest !== undefined && map.delete(oldest),
  clear: (map) => {
    map.clear()
  },
}

const DRAWN = ['set', 'set', 'set', 'delete', 'makeYoungest', 'deleteOldest', 'deleteOldest'] as const

test('the oldest entry is that of a plain map, whatever is set, deleted and cleared meanwhile', () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(`oldest ${seed}`)
    const queue = new OldestFirst<number, number>()
    const plain = new Map<number, number>()
    for (let step = 0; step < 200; step++) {
      const change = CHANGES[random.chance(0.02) ? 'clear' : random.pick(DRAWN)] as Change
      const [key, [oldest]] = [random.below(30), plain.keys()]
      for (const map of [queue, plain]) change(map, key, oldest)
      if (random.chance(0.7)) expect(queue.oldest(), `seed ${seed}, step ${step}`).toBe([...plain.keys()][0])
      expect([...queue]).toEqual([...plain])
    }
  }
})
