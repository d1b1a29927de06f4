import { describe, expect, test } from 'vitest'
import { VIRTUAL_START_MS, virtualEnv } from '../../testing/world/virtual-env.ts'

describe('virtual time', () => {
  test('timers fire in the order of due time, then of creation, each at its own time', async () => {
    const env = virtualEnv()
    const seen: string[] = []
    for (const [name, delayMs] of Object.entries({ late: 30, a: 10, b: 10, early: 5 })) {
      env.schedule(delayMs, () => seen.push(`${name}@${env.monotonic()}`))
    }
    await env.advance(20)
    expect(seen).toEqual(['early@5', 'a@10', 'b@10'])
    expect(env.monotonic()).toBe(20)
    expect(env.timerCount).toBe(1)
  })

  test('a cancelled timer never fires', async () => {
    const env = virtualEnv()
    let fired = false
    env.schedule(1, () => (fired = true)).cancel()
    await env.advance(10)
    expect(fired).toBe(false)
  })

  test('what a timer sets going has come to rest before the next timer fires', async () => {
    const env = virtualEnv()
    const seen: string[] = []
    env.schedule(1, () => {
      void (async () => {
        for (let i = 0; i < 20; i++) await Promise.resolve()
        await env.yield()
        env.defer(() => seen.push('deferred'))
        env.schedule(1, () => seen.push(`child@${env.monotonic()}`))
      })()
    })
    env.schedule(2, () => seen.push('second'))
    await env.advance(2)
    expect(seen).toEqual(['deferred', 'second', 'child@2'])
  })

  test('deferred callbacks keep their order and run after the promises that are already settled', async () => {
    const env = virtualEnv()
    const seen: string[] = []
    env.defer(() => seen.push('first'))
    env.defer(() => seen.push('second'))
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => seen.push('promise'))
    await env.runUntilIdle()
    expect(seen).toEqual(['promise', 'first', 'second'])
  })

  test('time moves to the next timer, and not without one', async () => {
    const env = virtualEnv()
    env.schedule(70, () => undefined)
    expect(await env.advanceToNextTimer()).toBe(true)
    expect(env.monotonic()).toBe(70)
    expect(await env.advanceToNextTimer()).toBe(false)
  })

  test('the wall clock can be set and jumps back without moving monotonic time or timers', async () => {
    const env = virtualEnv()
    expect(env.now()).toBe(VIRTUAL_START_MS)
    env.jumpWall(-5_000)
    await env.advance(100)
    expect(env.now()).toBe(VIRTUAL_START_MS - 4_900)
    env.setWall(7)
    expect(env.now()).toBe(7)
    expect(env.monotonic()).toBe(100)
  })

  test('forks share time and timers, and have wall clocks and random numbers of their own', async () => {
    const env = virtualEnv({ seed: 3 })
    const fork = env.fork({ label: 'b', wallOffsetMs: 60_000 })
    await fork.advance(5)
    env.jumpWall(1)
    expect(env.monotonic()).toBe(5)
    expect(fork.now()).toBe(VIRTUAL_START_MS + 60_005)
    expect(fork.random(8)).not.toEqual(env.random(8))
  })

  test('one seed gives one run', () => {
    expect(virtualEnv({ seed: 9 }).random(16)).toEqual(virtualEnv({ seed: 9 }).random(16))
    expect(virtualEnv({ seed: 9 }).random(16)).not.toEqual(virtualEnv({ seed: 10 }).random(16))
  })
})
