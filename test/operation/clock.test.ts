/** A wall clock that is set under a running writer. */
import { expect, test } from 'vitest'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import { HybridClock } from '../../src/operation/clock.ts'
import { TestEngine } from '../engine/engine-fixture.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const HOUR_MS = 3_600_000
/** The fixture's clockDriftMsMax. */
const BOUND_MS = 500

function clockEvents({ events }: TestEngine): unknown[] {
  return events.filter(({ kind }) => kind.startsWith('clock:'))
}

test('a clock that goes on, however long nobody writes, has not stepped', async () => {
  const replica = await TestEngine.open()
  for (const ms of [0, 1, BOUND_MS, 2 * BOUND_MS, 24 * HOUR_MS]) {
    await replica.env.advance(ms)
    await replica.set('reg:1', ms)
  }
  await replica.env.runUntilIdle()
  expect(clockEvents(replica)).toEqual([])
  await replica.engine.close()
})

test.each([
  [HOUR_MS, true],
  [-HOUR_MS, true],
  [BOUND_MS + 1, true],
  [BOUND_MS, false],
  [-BOUND_MS, false],
])('a step of %d ms is told at the next write, once: %s', async (stepMs, isTold) => {
  const env = virtualEnv()
  const replica = await TestEngine.open({ env })
  await replica.set('reg:1', 1)
  await env.advance(HOUR_MS)
  await replica.set('reg:1', 2)
  env.jumpWall(stepMs)
  for (let i = 0; i < 3; i++) await replica.set('reg:1', i)
  await env.runUntilIdle()
  const steps = clockEvents(replica).filter((event) => (event as { kind: string }).kind === 'clock:stepped')
  expect(steps).toEqual(isTold ? [{ kind: 'clock:stepped', stepMs }] : [])
  await replica.engine.close()
})

test('writers are told while their stamps lead the clock, until it has caught up', async () => {
  const env = virtualEnv()
  const replica = await TestEngine.open({ env })
  expect(await replica.set('reg:1', 'before')).not.toHaveProperty('aheadMs')
  env.jumpWall(-HOUR_MS)
  expect(await replica.set('reg:1', 'led')).toMatchObject({ aheadMs: HOUR_MS })
  await env.advance(HOUR_MS / 2)
  expect(await replica.write('reg:1', 'delete')).toMatchObject({ aheadMs: HOUR_MS / 2 })
  await env.advance(HOUR_MS / 2)
  expect(await replica.set('reg:1', 'caught up')).not.toHaveProperty('aheadMs')
  await env.runUntilIdle()
  expect(clockEvents(replica)).toEqual([
    { kind: 'clock:stepped', stepMs: -HOUR_MS },
    { kind: 'clock:ahead', aheadMs: HOUR_MS },
  ])
  await replica.engine.close()
})

test('who is told of a step may write', async () => {
  const env = virtualEnv()
  const written: Promise<unknown>[] = []
  const replica: TestEngine = await TestEngine.open({
    env,
    observe: ({ kind }) => {
      if (kind === 'clock:stepped') written.push(replica.set('reg:told', kind))
    },
  })
  env.jumpWall(HOUR_MS)
  await replica.set('reg:1', 1)
  await env.runUntilIdle()
  await Promise.all(written)
  expect([replica.get('reg:1'), replica.get('reg:told')]).toEqual([1, 'clock:stepped'])
  await replica.engine.close()
})

test('stamps that belong together are of one millisecond, and behind all others', () => {
  const env = virtualEnv()
  const clock = new HybridClock(env, BOUND_MS)
  let before = clock.tick()
  for (let i = 0; i < 30; i++) {
    const first = clock.ticks(256)
    expect(first).toBeGreaterThan(before)
    expect(hlcToMs(first)).toBe(hlcToMs(first + 255))
    before = first + 255
    expect(clock.last).toBe(before)
  }
  expect(clock.tick()).toBeGreaterThan(before)
})
