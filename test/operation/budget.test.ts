import { expect, test } from 'vitest'
import { Budget, finishNow, STEP, UNBOUNDED } from '../../src/operation/budget.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

test('a budget is spent by operations or by bytes, whichever comes first, and a pause begins the next step', async () => {
  const budget = new Budget(virtualEnv())
  budget.spend(STEP.operations - 1, STEP.bytes - 1)
  expect(budget.isSpent).toBe(false)
  budget.spend(1, 0)
  expect(budget.isSpent).toBe(true)
  await budget.pause()
  expect(budget.isSpent).toBe(false)
  budget.spend(1, STEP.bytes)
  expect(budget.isSpent).toBe(true)
})

test('work that is given up ends at the next pause', async () => {
  let isGivenUp = false
  const budget = new Budget(virtualEnv(), () => {
    if (isGivenUp) throw new Error('given up')
  })
  await budget.pause()
  isGivenUp = true
  await expect(budget.pause()).rejects.toThrow('given up')
})

test('the same work is done in steps or in one go', async () => {
  function* sum(meter: typeof UNBOUNDED): Generator<void, number> {
    let total = 0
    for (let i = 1; i <= 5000; i++) {
      total += i
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    return total
  }
  const budget = new Budget(virtualEnv())
  expect(await budget.finish(sum(budget))).toBe(12_502_500)
  expect(finishNow(sum(UNBOUNDED))).toBe(12_502_500)
})
