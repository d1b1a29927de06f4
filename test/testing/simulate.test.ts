/** `simulate` for users: their keys and their invariants under the same faults; and that it finds what is wrong. */
import { describe, expect, test } from 'vitest'
import { counter } from '../../crdt/index.ts'
import { simulate, SimulationTotals, type Workload } from '../../testing/index.ts'
import { appendingAsItComes } from '../fixtures/wrong-strategies/appending-as-it-comes.ts'

const counting: Workload = ({ random }) => ({
  ...{ kind: 'write', key: `count:${random.below(2)}`, verb: 'increment', parameters: [random.between(1, 5)] },
})

test('the same seed gives the same run, and another one another', async () => {
  const hashes: string[] = []
  for (const seed of [7, 7, 8]) hashes.push((await simulate({ seed, seconds: 20 })).hash)
  expect(hashes[1]).toBe(hashes[0])
  expect(hashes[2]).not.toBe(hashes[0])
})

test('a strategy that counts on the order of arrival is found out, with less than was planned, and told', async () => {
  const workload: Workload = ({ random }) => ({
    ...{ kind: 'write', key: 'k', verb: 'set', parameters: [random.pick(['a', 'b', 'c'])] },
  })
  const keys = { k: appendingAsItComes.strategy }
  const { violations, explanation } = await simulate({ keys, workload, seed: 3, seconds: 10 })
  expect(violations[0]?.message).toContain('disagree about k')
  expect(explanation?.scenario.replicas).toBe(2)
  expect(explanation?.scenario.faults.length).toBeLessThan(3)
  expect(explanation?.timeLine).toMatch(/m1 k set\("[abc]"\).* ok \d/)
  expect(explanation?.svg).toMatch(/^<svg[\s\S]*<\/svg>\s*$/)
})

test('what an own check says is a violation, and so is what it throws', async () => {
  const options = { keys: { 'count:*': counter() }, workload: counting, seconds: 5, replicas: 2, minimise: false }
  const said = await simulate({ ...options, check: ({ phase }) => (phase === 'quiesced' ? ['too few apples'] : []) })
  expect(said.violations).toEqual([{ invariant: 'own', message: 'too few apples', phases: ['quiesced'] }])
  const check = (): never => {
    throw new RangeError('no apples')
  }
  expect((await simulate({ ...options, check })).violations).toMatchObject([{ invariant: 'own', message: 'no apples' }])
})

test('an own check sees what each replica shows at each verification', async () => {
  const phases: string[] = []
  const simulated = await simulate({
    ...{ keys: { 'count:*': counter() }, workload: counting, seconds: 10, replicas: 3, faults: ['kill', 'partition'] },
    check: ({ phase, machines }) => {
      phases.push(phase)
      const texts = new Set(machines.map(({ values }) => JSON.stringify([...values])))
      return texts.size === 1 ? [] : ['they differ']
    },
  })
  expect(simulated.violations).toEqual([])
  expect(phases.filter((phase) => phase !== 'compacted')).toEqual(['quiesced', 'restarted', 'replayed'])
})

test('one replica alone, and a cluster without faults, come to rest at once', async () => {
  for (const replicas of [1, 4]) {
    const { isClean, faults, restMs } = await simulate({ replicas, faults: [], seconds: 5, seed: 4 })
    expect([isClean, faults, restMs <= 5000]).toEqual([true, [], true])
  }
})

test('totals add up runs and tell how often each fault struck', async () => {
  const totals = new SimulationTotals()
  for (const seed of [1, 2, 3]) totals.add(await simulate({ seed, seconds: 20, faults: ['kill'] }))
  const kill = totals.faults().find(({ kind }) => kind === 'kill')
  expect([totals.runsCount, totals.failed]).toEqual([3, []])
  expect(kill?.count).toBe(totals.occurred.get('kill') ?? 0)
  expect(totals.text()).toContain('3 runs')
})

test('an own check that fails is made small and told as a time line', async () => {
  const { violations, explanation } = await simulate({
    ...{ keys: { 'count:*': counter() }, workload: counting, seconds: 10, replicas: 4, seed: 5 },
    check: ({ machines }) => machines.flatMap(({ name, values }) => (values.size > 0 ? [`${name} has counted`] : [])),
  })
  expect(violations[0]).toMatchObject({
    invariant: 'own',
    message: expect.stringMatching(/^m\d has counted$/) as string,
  })
  const { scenario, timeLine, svg } = explanation ?? {}
  expect(scenario).toMatchObject({ faults: [], replicas: 1 })
  expect(timeLine).toMatch(/m0 +count:\d increment\(\d\).* ok \d/)
  expect(svg).toMatch(/^<svg/)
})

test('whoever gives up waits no longer than one run takes', async () => {
  const controller = new AbortController()
  const check = (): readonly string[] => {
    controller.abort(new Error('enough'))
    return ['this would take dozens of runs to be made small']
  }
  const options = { keys: { 'count:*': counter() }, workload: counting, seconds: 5, replicas: 2 }
  const given = simulate({ ...options, check, signal: controller.signal })
  await expect(given).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  const before = simulate({ ...options, signal: AbortSignal.abort() })
  await expect(before).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
})

describe('refuses', () => {
  test.each([
    [{ replicas: 0 }, 'replicas is 0'],
    [{ seconds: 0 }, 'seconds is 0'],
    [{ keys: { k: counter() } }, 'say what users do'],
    [{ faults: ['rain' as 'kill'] }, "no fault 'rain'"],
  ])('%o', async (options, message) => {
    await expect(simulate(options)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining(message),
    })
  })
})
