/** Told by hand: what replicas that do not agree would look like. */
import { expect, test } from 'vitest'
import { counter, register } from '../../../crdt/index.ts'
import { convergenceChecker } from '../../../testing/checkers/convergence.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'doc:*': register<number>(), 'own:*': { strategy: counter(), mode: 'local' as const } }

const told = (): ToldRun => new ToldRun(convergenceChecker, KEYS)

test('replicas that show the same agree, whatever their local keys hold (W01)', async () => {
  const run = told().shows('m0', { 'doc:0': 1, 'own:0': 5 }).shows('m1', { 'doc:0': 1, 'own:0': 7 })
  expect(await run.violations()).toEqual([])
})

test('a replica that shows another value, or none, is found (W01)', async () => {
  const run = told().shows('m0', { 'doc:0': 1, 'doc:1': 1 }).shows('m1', { 'doc:0': 2, 'doc:1': undefined })
  const found = await run.violations()
  expect(found.map(({ invariant, key, machine }) => [invariant, key, machine])).toEqual([
    ['W01', 'doc:0', 'm1'],
    ['W01', 'doc:1', 'm1'],
  ])
})

test('a value that is another one after all have started anew is found, one that has gone by is not (W25)', async () => {
  const run = told().shows('m0', { 'doc:0': 1, 'own:0': 5, 'doc:1': 1 })
  expect(await run.violations()).toEqual([])
  run.shows('m0', { 'doc:0': 2, 'own:0': 6, 'doc:1': undefined })
  const found = await run.violations('restarted')
  expect(found.map(({ invariant, key }) => [invariant, key])).toEqual([
    ['W25', 'doc:0'],
    ['W25', 'own:0'],
  ])
})
