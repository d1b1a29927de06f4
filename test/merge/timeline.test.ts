import { expect, test } from 'vitest'
import { Timeline, type TimelineEntry } from '../../src/merge/folding/timeline.ts'
import { seededRandom } from '../../testing/world/random.ts'

const BASE = { state: 'base', present: false }
const isBefore = (a: number, b: number): boolean => a < b

function entry(hlc: number, position: number): TimelineEntry {
  return { hlc, position }
}

function positions(timeline: Timeline): number[] {
  return Array.from({ length: timeline.length }, (_, i) => timeline.position(i))
}

test('batches end in the order of their stamps, and the lowest index that changed is told', () => {
  const random = seededRandom('timeline')
  for (let round = 0; round < 50; round++) {
    const timeline = new Timeline(BASE)
    const model: TimelineEntry[] = []
    for (let batch = 0; batch < 12; batch++) {
      const entries = Array.from({ length: random.between(1, 20) }, (_, i) =>
        entry(random.below(60), batch * 100 + i),
      ).sort(order)
      const before = [...model]
      model.push(...entries)
      model.sort(order)
      const first = timeline.insert(entries, isBefore)
      expect(positions(timeline)).toEqual(model.map(({ position }) => position))
      expect(first).toBe(model.findIndex((one, i) => one !== before[i]))
    }
  }
})

test('entries with equal stamps stand where the caller says', () => {
  const timeline = new Timeline(BASE)
  timeline.insert([entry(5, 20)], isBefore)
  expect(timeline.insert([entry(5, 10)], isBefore)).toBe(0)
  timeline.insert([entry(5, 30)], isBefore)
  expect(positions(timeline)).toEqual([10, 20, 30])
})

test('a restart has taken in no more than asked for, and later ones are dropped', () => {
  const timeline = new Timeline(BASE)
  for (let i = 1; i <= 200; i++) timeline.offer(i, { state: i, present: true })
  const restart = timeline.restart(150)
  expect(restart.index).toBeLessThanOrEqual(150)
  expect(restart.state).toBe(restart.index)
  expect(timeline.restart(200)).toEqual(restart)
  for (let at = 149; at >= 0; at--) expect(timeline.restart(at).index).toBeLessThanOrEqual(at)
  expect(timeline.restart(0)).toEqual({ index: 0, ...BASE })
})

test('restarts are near for what is a little late, few in all, and reach back to the base', () => {
  for (const length of [1000, 10_000]) {
    const distances = [16, 64, 256, length / 2]
    for (const distance of distances) {
      const timeline = new Timeline(BASE)
      for (let i = 1; i <= length; i++) timeline.offer(i, { state: i, present: true })
      expect(length - timeline.restart(length - distance).index).toBeLessThanOrEqual(2 * distance + 32)
    }
    const timeline = new Timeline(BASE)
    for (let i = 1; i <= length; i++) timeline.offer(i, { state: i, present: true })
    let count = 0
    for (let at = length; at > 0; count++) at = timeline.restart(at - 1).index
    expect(count).toBeLessThanOrEqual(3 * Math.log2(length))
  }
})

function order(a: TimelineEntry, b: TimelineEntry): number {
  return a.hlc - b.hlc || a.position - b.position
}
