import { expect, test } from 'vitest'
import { drawBelow, drawToFront, jittered } from '../../../adapters/mesh/chance.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

test('draws stay inside and reach everything', () => {
  const env = virtualEnv()
  expect(new Set(Array.from({ length: 200 }, () => drawBelow(env, 5)))).toEqual(new Set([0, 1, 2, 3, 4]))
  const all = { random: () => Uint8Array.of(255, 255, 255, 255) }
  expect(drawBelow(all, 5)).toBe(4)
})

test('jitter is a fifth either way', () => {
  const env = virtualEnv()
  const drawn = Array.from({ length: 1000 }, () => jittered(env, 100))
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(80)
  expect(Math.min(...drawn)).toBeLessThan(82)
  expect(Math.max(...drawn)).toBeLessThan(120)
  expect(Math.max(...drawn)).toBeGreaterThan(118)
})

test('drawing to the front loses nobody and favours nobody', () => {
  const env = virtualEnv()
  const counts = new Map<number, number>()
  for (let i = 0; i < 6000; i++) {
    const drawn = drawToFront(env, [0, 1, 2, 3, 4, 5], 2)
    expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4, 5])
    for (const item of drawn.slice(0, 2)) counts.set(item, (counts.get(item) ?? 0) + 1)
  }
  for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(200)
})
