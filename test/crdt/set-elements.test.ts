import { describe, expect, test } from 'vitest'
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

/** Text that counts how often it is compared. */
class Counting {
  static comparisons = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  valueOf(): string {
    Counting.comparisons++
    return this.#text
  }
}

test('what comes is merged as it comes: a look merges few lists', () => {
  const count = 50_000
  const elements = new Elements<number>()
  // An identity is a text; this one is compared like it.
  const identityOf = (i: number): string => new Counting(`n${(i * 7919) % count}`) as unknown as string
  for (let i = 0; i < count; i++) elements.set(identityOf(i), i, DOTS)
  Counting.comparisons = 0
  const ordered = elements.inOrder()
  expect(ordered).toHaveLength(count)
  // Lists of at least twice the length of the next one: their lengths are a geometric series.
  expect(Counting.comparisons / 2).toBeLessThan(3 * count)
  const identities = ordered.map(({ identity }) => identity.valueOf())
  expect(identities).toEqual([...identities].sort())
})

describe('what readers see, made in steps', () => {
  const filled = (count: number): Elements<number> => {
    const elements = new Elements<number>()
    for (let i = 0; i < count; i++) elements.set(`n${(i * 7919) % count}`, i, DOTS)
    for (let i = 0; i < count; i += 3) elements.set(`n${i}`, i, [])
    return elements
  }

  test('is what a look in one go makes', () => {
    const [inSteps, atOnce] = [filled(20_000), filled(20_000)]
    let steps = 0
    for (const _ of inSteps.valueSteps()) steps++
    expect([...(inSteps.value ?? [])]).toEqual([...(atOnce.value ?? [])])
    expect(inSteps.inOrder()).toEqual(atOnce.inOrder())
    expect(steps).toBeGreaterThan(10)
    // Nothing is left to be done.
    const { value } = inSteps
    expect([...inSteps.valueSteps()]).toEqual([])
    expect(inSteps.value).toBe(value)
  })

  test.each([1, 7, 15])('is worth nothing if something changes behind step %i', (changed) => {
    const [inSteps, atOnce] = [filled(20_000), filled(20_000)]
    let steps = 0
    for (const _ of inSteps.valueSteps()) if (++steps === changed) inSteps.set('new', -1, DOTS)
    atOnce.set('new', -1, DOTS)
    expect([...(inSteps.value ?? [])]).toEqual([...(atOnce.value ?? [])])
    expect(inSteps.value?.has(-1)).toBe(true)
  })
})
