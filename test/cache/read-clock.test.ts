/** The clock of `peek`: who shares a look at it, and for how long. */
import { expect, test } from 'vitest'
import { READS_PER_LOOK, ReadClock } from '../../src/cache/read-clock.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

function clockAt(startMs: number) {
  const time = { nowMs: startMs, looks: 0 }
  const env = Object.assign(Object.create(virtualEnv()) as ReturnType<typeof virtualEnv>, {
    now: () => {
      time.looks++
      return time.nowMs
    },
  })
  return { time, clock: new ReadClock(env) }
}

test('nothing is shown before the clock was looked at', () => {
  const { clock, time } = clockAt(1000)
  expect(clock.showsBefore(Infinity)).toBe(false)
  expect(time.looks).toBe(0)
})

test('a look shows what is still to come, and not what is over', () => {
  const { clock } = clockAt(1000)
  clock.look()
  expect(clock.showsBefore(1001)).toBe(true)
  expect(clock.showsBefore(1000)).toBe(false)
  expect(clock.showsBefore(999)).toBe(false)
})

test('so many reads share one look', () => {
  const { clock, time } = clockAt(1000)
  clock.look()
  time.nowMs = 5000
  for (let i = 0; i < READS_PER_LOOK; i++) expect(clock.showsBefore(2000)).toBe(true)
  expect(clock.showsBefore(2000)).toBe(false)
  expect(clock.look()).toBe(5000)
  expect(clock.showsBefore(2000)).toBe(false)
})

test('a look counts only for the work in progress', async () => {
  const { clock } = clockAt(1000)
  for (let i = 0; i < 3; i++) {
    clock.look()
    expect(clock.showsBefore(2000)).toBe(true)
    await Promise.resolve()
    expect(clock.showsBefore(2000)).toBe(false)
  }
})
