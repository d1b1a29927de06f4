import { expect, test } from 'vitest'
import { STEP } from '../../src/operation/budget.ts'
import { Turns } from '../../src/operation/turns.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

/** An Env that counts the turns that are asked for. */
function countingEnv(): { readonly env: VirtualEnv; readonly counted: { asked: number; turned: number } } {
  const env = virtualEnv()
  const counted = { asked: 0, turned: 0 }
  const turned = async (): Promise<void> => {
    counted.asked++
    await env.yield()
    counted.turned++
  }
  return { env: { ...env, yield: turned }, counted }
}

async function loop(turns: Turns, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turns.settled(i)
}

test('a loop of awaited settlements lets the event loop turn after each step', async () => {
  const { env, counted } = countingEnv()
  await loop(new Turns(env), 10 * STEP.operations + 1)
  expect(counted.turned).toBe(10)
})

test('many loops at once are all stopped soon', async () => {
  const { env, counted } = countingEnv()
  const turns = new Turns(env)
  let settled = 0
  const endless = async (): Promise<void> => {
    while (counted.turned === 0 && settled < 50_000) {
      await turns.settled(undefined)
      settled++
    }
  }
  await Promise.all(Array.from({ length: 100 }, endless))
  expect(settled).toBeLessThan(STEP.operations + 100 * 20)
})

test('a burst of calls that nobody waits for asks for one turn and settles in it', async () => {
  const { env, counted } = countingEnv()
  const turns = new Turns(env)
  const burst = Array.from({ length: 50 * STEP.operations }, (_, i) => turns.settled(i))
  expect(counted.asked).toBe(1)
  expect(await Promise.all(burst)).toEqual(burst.map((_, i) => i))
  expect(counted.turned).toBe(1)
})

test('who lets the loop turn by himself is not held up', async () => {
  const { env, counted } = countingEnv()
  const turns = new Turns(env)
  for (let i = 0; i < 20; i++) {
    await loop(turns, STEP.operations / 4)
    await env.runUntilIdle()
  }
  const before = counted.turned
  let isSettled = false
  void turns.settled(1).then(() => (isSettled = true))
  await Promise.resolve()
  expect(isSettled).toBe(true)
  expect(counted.turned).toBe(before)
})

test('what a call did counts by its operations and bytes', async () => {
  const { env, counted } = countingEnv()
  const turns = new Turns(env)
  for (let i = 0; i < 40; i++) {
    turns.spend(0, STEP.bytes / 10)
    await turns.settled(i)
  }
  expect(counted.turned).toBe(4)
})

test('refusals and waits that are over at once count as settlements', async () => {
  const { env, counted } = countingEnv()
  const turns = new Turns(env)
  for (let i = 0; i <= STEP.operations; i++) await turns.rejected(new Error('full')).catch(() => undefined)
  expect(counted.turned).toBe(1)
  for (let i = 0; i <= STEP.operations; i++) await turns.after(Promise.resolve(i))
  expect(counted.turned).toBe(2)
  await expect(turns.after(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})
