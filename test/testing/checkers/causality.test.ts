/** Told by hand: what a replica that applies an operation before its causes would look like. */
import { expect, test } from 'vitest'
import { set } from '../../../crdt/index.ts'
import { causalityChecker } from '../../../testing/checkers/causality.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'seen:*': set<number>(), 'kept:*': set<number>() }

/** m0 adds 1 to one key; m1 sees it and adds 2 to another. */
function told(): ToldRun {
  const run = new ToldRun(causalityChecker, KEYS)
  run.write('m0', 'seen:0', 'add', 1)
  run.shows('m1', { 'seen:0': new Set([1]) }).read('m1', 'seen:0')
  run.write('m1', 'kept:0', 'add', 2)
  return run
}

test('who sees an element together with what its writer had seen is right (W16)', async () => {
  const run = told()
  run.shows('m2', { 'seen:0': new Set([1]) }).read('m2', 'seen:0')
  run.shows('m2', { 'kept:0': new Set([2]) }).read('m2', 'kept:0')
  expect(await run.violations()).toEqual([])
})

test('who sees an element without what its writer had seen is found, on any key (W16)', async () => {
  const run = told()
  run.shows('m2', { 'seen:0': new Set(), 'kept:0': new Set([2]) }).read('m2', 'kept:0')
  const [violation, ...more] = await run.violations()
  expect(violation).toMatchObject({ invariant: 'W16', key: 'seen:0', machine: 'm2' })
  expect(violation?.message).toContain('which its writer had seen before')
  expect(more).toEqual([])
})

test('who sees a write without an earlier one of the same writer is found (W20)', async () => {
  const run = new ToldRun(causalityChecker, KEYS)
  run.write('m0', 'seen:0', 'add', 1)
  run.shows('m0', { 'seen:0': new Set([1]) }).read('m0', 'seen:0')
  run.write('m0', 'seen:0', 'add', 2)
  run.shows('m2', { 'seen:0': new Set([2]) }).read('m2', 'seen:0')
  const [violation] = await run.violations()
  expect(violation?.message).toContain('which its writer had written before')
})

test('what is not in memory at that moment is not asked for', async () => {
  const run = told()
  run.shows('m2', { 'kept:0': new Set([2]) }).read('m2', 'kept:0')
  expect(await run.violations()).toEqual([])
})

test('who shows half of a state is not asked', async () => {
  const run = told().takesOverHalf('m2')
  run.shows('m2', { 'seen:0': new Set(), 'kept:0': new Set([2]) }).read('m2', 'kept:0')
  expect([await run.violations(), [...run.history.exempted.values()]]).toEqual([[], [1]])
})
