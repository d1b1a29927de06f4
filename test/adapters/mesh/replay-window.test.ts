import fc from 'fast-check'
import { expect, test } from 'vitest'
import { REPLAY_WINDOW, ReplayWindow } from '../../../adapters/mesh/contacts/replay-window.ts'
import { configureSeed, runs } from '../../../property-tests/seed.ts'

configureSeed()

function takes(window: ReplayWindow, counter: number): boolean {
  if (!window.isNew(counter)) return false
  window.take(counter)
  return true
}

test('every counter is taken once, whatever the order, and those behind the window never', () => {
  const jump = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -3000, max: 3 }) }, fc.integer({ min: 0, max: 5000 }))
  fc.assert(
    fc.property(fc.array(jump, { maxLength: 300 }), (jumps) => {
      const window = new ReplayWindow()
      const taken = new Set<number>()
      let newest = -1
      for (const by of jumps) {
        const counter = Math.max(0, newest + by)
        const isExpected = !taken.has(counter) && counter + REPLAY_WINDOW > newest
        expect(takes(window, counter)).toBe(isExpected)
        if (isExpected) taken.add(counter)
        newest = Math.max(newest, isExpected ? counter : newest)
      }
    }),
    runs(500),
  )
})

test('a packet overtaken by a thousand others is still taken', () => {
  const window = new ReplayWindow()
  for (let counter = 1; counter <= 1024; counter++) expect(takes(window, counter)).toBe(true)
  expect(takes(window, 0)).toBe(true)
  expect(takes(window, 0)).toBe(false)
})

test('neighbours that change places are both taken, lap after lap', () => {
  const window = new ReplayWindow()
  for (let counter = 0; counter < 4 * REPLAY_WINDOW; counter += 2) {
    expect([takes(window, counter + 1), takes(window, counter), takes(window, counter)]).toEqual([true, true, false])
  }
})

test('counters beyond 2^32 are told apart', () => {
  const window = new ReplayWindow()
  expect(takes(window, 2 ** 40)).toBe(true)
  expect(takes(window, 2 ** 40)).toBe(false)
  expect(takes(window, 2 ** 40 + 2 ** 32)).toBe(true)
  expect(takes(window, 2 ** 40 + 1)).toBe(false)
})

test('asking changes nothing', () => {
  const window = new ReplayWindow()
  expect(window.isNew(1_000_000)).toBe(true)
  expect(takes(window, 5)).toBe(true)
})
