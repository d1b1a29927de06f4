/** Told by hand: what replicas that bring back what was taken away would look like. */
import { describe, expect, test } from 'vitest'
import { multiValue, register, set } from '../../../crdt/index.ts'
import { removalChecker } from '../../../testing/checkers/removals.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'cart:*': set<number>(), 'doc:*': register<number>(), 'many:*': multiValue<number>() }

/** m0 adds 1 and 2; m1 has seen 1 when it takes away both. */
function told(verb: 'remove' | 'delete'): ToldRun {
  const run = new ToldRun(removalChecker, KEYS)
  for (const element of [1, 2]) run.write('m0', 'cart:0', 'add', element)
  run.shows('m1', { 'cart:0': new Set([1]) })
  if (verb === 'delete') run.delete('m1', 'cart:0')
  else run.write('m1', 'cart:0', 'remove', 1, 2)
  return run
}

describe.each(['remove', 'delete'] as const)('what a %s has seen', (verb) => {
  test('is gone, and what it had not seen is there: right (W06)', async () => {
    expect(
      await told(verb)
        .shows('m1', { 'cart:0': new Set([2]) })
        .violations(),
    ).toEqual([])
  })

  test('and is there again, is found (W06, W07)', async () => {
    const run = told(verb).shows('m1', { 'cart:0': new Set([1, 2]) })
    const invariant = verb === 'remove' ? 'W06' : 'W07'
    expect(await run.violations()).toMatchObject([{ invariant, key: 'cart:0', machine: 'm1' }])
  })
})

test('a value that somebody has replaced or deleted and that is there again is found (W07)', async () => {
  const run = new ToldRun(removalChecker, KEYS)
  run.shows('m0', { 'doc:0': undefined, 'many:0': undefined })
  run.write('m0', 'doc:0', 'set', 1)
  run.write('m0', 'many:0', 'set', 2)
  run.shows('m0', { 'doc:0': 1, 'many:0': [2] })
  run.delete('m0', 'doc:0')
  run.write('m0', 'many:0', 'set', 3)
  run.shows('m0', { 'doc:0': undefined, 'many:0': [3] })
  expect(await run.violations()).toEqual([])
  run.shows('m0', { 'doc:0': 1, 'many:0': [2, 3] })
  expect((await run.violations('restarted')).map(({ key }) => key)).toEqual(['doc:0', 'many:0'])
})

test('an element that was added again, or whose removal was lost or not done, may be there', async () => {
  const again = told('remove')
  again.write('m2', 'cart:0', 'add', 1)
  const lost = told('remove').befalls('m1', 'power failure').befalls('m1', 'disk lost')
  const undone = told('remove')
  Object.assign(undone.history.calls.at(-1) ?? {}, { outcome: 'indeterminate', receipt: undefined })
  for (const run of [again, lost, undone])
    expect(await run.shows('m1', { 'cart:0': new Set([1, 2]) }).violations()).toEqual([])
})
