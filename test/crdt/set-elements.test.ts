import { expect, test } from 'vitest'
import { Elements } from '../../crdt/set-elements.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { seededRandom } from '../../testing/world/random.ts'

const DOTS = [{ replica: parseReplicaId('0102030405060708'), sequence: 1 }]

test('whatever comes and goes between two looks, what is in is shown, in the order of identities', () => {
  const random = seededRandom(5)
  const elements = new Elements<number>()
  const plain = new Map<string, number>()
  for (let look = 0; look < 200; look++) {
    for (let left = random.below(12); left > 0; left--) {
      const value = random.below(40)
      const isIn = random.chance(0.6)
      elements.set(`n${value}`, value, isIn ? DOTS : [])
      if (isIn) plain.set(`n${value}`, value)
      else plain.delete(`n${value}`)
    }
    const wanted = [...plain].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
    expect([...(elements.value ?? [])]).toEqual(wanted)
    expect(elements.inOrder().map(({ value }) => value)).toEqual(wanted)
  }
})

test('what readers see is the same set until something comes or goes', () => {
  const elements = new Elements<string>()
  elements.set('sa', 'a', DOTS)
  const before = elements.value
  elements.set('sa', 'a', DOTS)
  expect(elements.value).toBe(before)
  elements.set('sb', 'b', DOTS)
  expect(before).toEqual(new Set(['a']))
  expect(elements.value).toEqual(new Set(['a', 'b']))
})
