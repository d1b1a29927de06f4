/** Told by hand: what a machine that takes back what it has shown would look like. */
import { expect, test } from 'vitest'
import { list, register } from '../../../crdt/index.ts'
import { monotonicReadsChecker } from '../../../testing/checkers/monotonic-reads.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'queue:*': list<number>(), 'doc:*': register<number>() }

function told(): ToldRun {
  const run = new ToldRun(monotonicReadsChecker, KEYS)
  for (const element of [1, 2]) run.write('m9', 'queue:0', 'push', element)
  for (const value of [1, 2, 3]) run.write('m9', 'doc:0', 'set', value)
  return run
}

test('what only grows, and a register that moves on, is right (W19)', async () => {
  const run = told()
  for (const shown of [[1], [1, 2], [2, 1]]) run.shows('m0', { 'queue:0': shown }).read('m0', 'queue:0')
  for (const shown of [1, 1, 3, undefined, 3]) run.shows('m0', { 'doc:0': shown }).read('m0', 'doc:0')
  expect(await run.violations()).toEqual([])
})

test('an element that was there and is not any more is found (W19)', async () => {
  const run = told()
  for (const shown of [[1, 2], [1]]) run.shows('m0', { 'queue:0': shown }).read('m0', 'queue:0')
  expect(await run.violations()).toMatchObject([{ invariant: 'W19', key: 'queue:0', machine: 'm0' }])
})

test('a register that goes back to a former value is found (W19)', async () => {
  const run = told()
  for (const shown of [1, 2, 1]) run.shows('m0', { 'doc:0': shown }).read('m0', 'doc:0')
  expect(await run.violations()).toMatchObject([{ invariant: 'W19', key: 'doc:0', machine: 'm0' }])
})

test('a slow read may give what was there when it began, and a new life begins anew', async () => {
  const run = told()
  const slow = run.begin('m0', { kind: 'read', key: 'queue:0' })
  run.shows('m0', { 'queue:0': [1] }).read('m0', 'queue:0')
  run.end(slow, { outcome: 'ok', value: [] })
  run.befalls('m0', 'power failure').read('m0', 'queue:0', undefined)
  expect(await run.violations()).toEqual([])
})
