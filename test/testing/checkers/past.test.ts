/** A real engine's past beside what other replicas claim. */
import { expect, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { counter, set } from '../../../crdt/index.ts'
import { pastChecker } from '../../../testing/checkers/past.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'kept:*': set<number>(), 'count:*': { strategy: counter(), retain: 'latest' } } as const

/** Four elements added to one key, at four moments; m0 really has them. */
async function told() {
  const env = virtualEnv()
  const warp = await openWarp({ keys: KEYS, env })
  const run = new ToldRun(pastChecker, KEYS)
  for (const element of [1, 2, 3, 4]) {
    run.write('m0', 'kept:0', 'add', element)
    await env.advance(2)
    await warp.key('kept:0').add(element)
  }
  const { getAt, log } = warp
  const answers = { getAt: getAt.bind(warp), log: log.bind(warp) } as never
  return { run, answers, warp }
}

const compacted = (): never => {
  throw new WarpError('WARP_E_HISTORY', 'compacted')
}

test('the same past everywhere, as the log says, is right (W28)', async () => {
  const { run, answers } = await told()
  expect(await run.answers('m0', answers).answers('m1', answers).violations()).toEqual([])
})

test('a past that is not what the log says is found, by time and by version (W28)', async () => {
  const { run, answers } = await told()
  const wrong = { ...(answers as object), getAt: () => Promise.resolve(new Set([4])) } as never
  const violations = await run.answers('m0', wrong).violations()
  expect(violations.map(({ message }) => /as of \{"(\w+)":\d+\}/.exec(message)?.[1])).toEqual(['timeMs', 'version'])
  expect(violations[0]).toMatchObject({ invariant: 'W28', key: 'kept:0', machine: 'm0' })
})

test('another past on another replica is found (W28)', async () => {
  const { run, answers } = await told()
  const wrong = { getAt: () => Promise.resolve(new Set([1])) } as never
  const violations = await run.answers('m0', answers).answers('m1', wrong).violations()
  expect(violations).toMatchObject([{ invariant: 'W28', key: 'kept:0', machine: 'm1' }])
})

test('a past that is gone though all is retained is found, and so is another error (W28)', async () => {
  const { run, answers } = await told()
  const [first] = await run.answers('m0', answers).answers('m1', { getAt: compacted }).violations()
  expect(first?.message).toContain('WARP_E_HISTORY, though all is retained')
  const broken = (): never => {
    throw new RangeError('x')
  }
  const [second] = await run.answers('m1', { getAt: broken }).violations()
  expect(second?.message).toContain('RangeError')
})

test('what need not be retained may be gone; one that has forgotten the key may say that there was nothing', async () => {
  const run = new ToldRun(pastChecker, KEYS)
  for (let i = 0; i < 4; i++) run.write('m0', 'count:0', 'increment')
  run.answers('m0', { getAt: () => Promise.resolve(3 as never) }).answers('m1', { getAt: compacted })
  run.answers('m2', { getAt: () => Promise.resolve(undefined) })
  expect(await run.violations()).toEqual([])
  expect([...run.history.exempted.values()]).toEqual([1])
  run.answers('m2', { getAt: () => Promise.resolve(4 as never) })
  expect(await run.violations()).toMatchObject([{ invariant: 'W28', machine: 'm2' }])
})
