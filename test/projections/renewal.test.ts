import { expect, test } from 'vitest'
import { WarpError } from '../../crdt/warp-error.ts'
import { Renewal } from '../../src/projections/renewal.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const UNREADABLE = new WarpError('WARP_E_STORAGE', 'cannot be read')

function renewal(outcomes: (Error | 'made' | 'reset')[]) {
  const env = virtualEnv()
  const told: string[] = []
  const rebuild = async (): Promise<void> => {
    await Promise.resolve()
    const outcome = outcomes.shift()
    told.push(`${env.now() - startMs} ${outcome instanceof Error ? outcome.message : String(outcome)}`)
    if (outcome instanceof Error) throw outcome
    if (outcome === 'reset') one.begin()
  }
  const one = new Renewal({ env, rebuild, delayed: () => told.push('delayed'), failed: () => told.push('failed') })
  const startMs = env.now()
  return { env, told, one }
}

test('what cannot be read is tried again, ever more seldom, and told once', async () => {
  const { env, told, one } = renewal([UNREADABLE, UNREADABLE, UNREADABLE, 'made'])
  one.begin()
  await env.advance(600_000)
  expect(told).toEqual(['0 cannot be read', 'delayed', '1000 cannot be read', '3000 cannot be read', '7000 made'])
})

test('an error of another kind ends it, until it is asked for again', async () => {
  const { env, told, one } = renewal([new Error('is ill'), 'made'])
  one.begin()
  await env.advance(600_000)
  expect(told).toEqual(['0 is ill', 'failed'])
  one.begin()
  await env.advance(1)
  expect(told).toEqual(['0 is ill', 'failed', '600000 made'])
})

test('is asked for while it runs: it runs once more, however late that comes', async () => {
  const { env, told, one } = renewal(['reset', 'made'])
  one.begin()
  await env.advance(1)
  expect(told).toEqual(['0 reset', '0 made'])
})

test('ends where it waits, and cannot be begun again', async () => {
  const { env, told, one } = renewal([UNREADABLE, 'made', 'made'])
  one.begin()
  await env.advance(500)
  one.end()
  one.begin()
  await env.advance(600_000)
  expect(told).toEqual(['0 cannot be read', 'delayed'])
  expect(env.timerCount).toBe(0)
})
