import { expect, test } from 'vitest'
import { seededRandom } from '../../testing/world/random.ts'

test('a seed names one sequence for ever', () => {
  const random = seededRandom(42)
  expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
    [
      1845154779,
      2432828318,
      1738638266,
    ]
  `)
})

test('below and between reach both ends and nothing outside', () => {
  const random = seededRandom('ends')
  const drawn = new Set(Array.from({ length: 400 }, () => random.between(-1, 2)))
  expect([...drawn].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2])
  expect(() => random.below(0)).toThrow(RangeError)
})

test('numbers are spread evenly', () => {
  const random = seededRandom(7)
  const counts = new Array<number>(16).fill(0)
  for (let i = 0; i < 160_000; i++) counts[random.below(16)]! += 1
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
})

test('a shuffle keeps the items and leaves its argument alone', () => {
  const items = Array.from({ length: 50 }, (_, i) => i)
  const shuffled = seededRandom(1).shuffled(items)
  expect(shuffled).not.toEqual(items)
  expect(shuffled.sort((a, b) => a - b)).toEqual(items)
})

test('forks with different labels have nothing in common', () => {
  const fork = (label: string): number[] => {
    const random = seededRandom(5).fork(label)
    return [random.uint32(), random.uint32()]
  }
  expect(fork('a')).toEqual(fork('a'))
  expect(fork('a')).not.toEqual(fork('b'))
})
