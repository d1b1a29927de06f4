/** Told by hand: what a machine that forgets its own writes would look like. */
import { expect, test } from 'vitest'
import { register, set } from '../../../crdt/index.ts'
import { readYourWritesChecker } from '../../../testing/checkers/read-your-writes.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'seen:*': set<number>(), 'doc:*': register<number>() }

function told(): ToldRun {
  return new ToldRun(readYourWritesChecker, KEYS)
}

test('who sees all that he has written is right (W18)', async () => {
  const run = told()
  run.write('m0', 'seen:0', 'add', 1)
  run.shows('m0', { 'seen:0': new Set([1, 7]) }).read('m0', 'seen:0')
  run.shows('m0', { 'doc:0': 1 }).write('m0', 'doc:0', 'set', 2)
  run.shows('m0', { 'doc:0': 3 }).read('m0', 'doc:0')
  expect(await run.violations()).toEqual([])
})

test('an element that its own writer does not see is found (W18)', async () => {
  const run = told()
  run.write('m0', 'seen:0', 'add', 1)
  run.shows('m0', { 'seen:0': new Set([7]) }).read('m0', 'seen:0')
  const [violation] = await run.violations()
  expect(violation).toMatchObject({ invariant: 'W18', key: 'seen:0', machine: 'm0' })
})

test('a register that shows its writer what was there before is found (W18)', async () => {
  const run = told()
  run.write('m1', 'doc:0', 'set', 1)
  run.shows('m0', { 'doc:0': 1 }).write('m0', 'doc:0', 'set', 2)
  run.read('m0', 'doc:0')
  expect(await run.violations()).toMatchObject([{ invariant: 'W18', key: 'doc:0', machine: 'm0' }])
})

test('a write that has not been answered when the read began, or was answered in an earlier life, is not asked for', async () => {
  const run = told()
  const read = run.begin('m0', { kind: 'read', key: 'seen:0' })
  run.write('m0', 'seen:0', 'add', 1)
  run.end(read, { outcome: 'ok', value: undefined })
  run.befalls('m0', 'power failure').read('m0', 'seen:0')
  expect(await run.violations()).toEqual([])
})

test('keys that somebody takes from are not judged', async () => {
  const run = told()
  run.write('m0', 'seen:0', 'add', 1)
  run.write('m1', 'seen:0', 'remove', 1)
  run.read('m0', 'seen:0')
  expect(await run.violations()).toEqual([])
})

test('while a state is half there, nobody is asked; afterwards everybody is', async () => {
  const run = told()
  run.write('m0', 'seen:0', 'add', 1)
  run
    .takesOverHalf('m0')
    .shows('m0', { 'seen:0': new Set([7]) })
    .read('m0', 'seen:0')
  expect([await run.violations(), [...run.history.exempted.values()]]).toEqual([[], [1]])
  run.takesOver('m0').read('m0', 'seen:0')
  expect(await run.violations()).toMatchObject([{ invariant: 'W18', key: 'seen:0', machine: 'm0' }])
})
