/** Told by hand: counters that lost something, or counted it twice. */
import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import { counterChecker } from '../../../testing/checkers/counters.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'count:*': counter() }

/** 5 and -2 have been acknowledged, 10 may have been written, 100 has failed. */
function told(): ToldRun {
  const run = new ToldRun(counterChecker, KEYS)
  run.write('m0', 'count:0', 'increment', 5)
  run.write('m1', 'count:0', 'decrement', 2)
  const begin = (by: number) => run.begin('m0', { kind: 'write', key: 'count:0', verb: 'increment', parameters: [by] })
  run.end(begin(10), { outcome: 'indeterminate' })
  run.end(begin(100), { outcome: 'failed' })
  return run
}

test.each([3, 13])('a sum of %i is right: what may have been written counts or not (W05)', async (sum) => {
  expect(await told().shows('m0', { 'count:0': sum }).violations()).toEqual([])
})

test.each([2, 14, 103])('a sum of %i is found: it lies beyond what is possible (W05)', async (sum) => {
  const found = await told().shows('m0', { 'count:0': sum }).violations()
  expect(found.map(({ invariant, key }) => [invariant, key])).toEqual([['W05', 'count:0']])
})

test('what a lost disk has taken with it is not owed, and a key that was deleted is not judged', async () => {
  const lost = told().befalls('m0', 'power failure').befalls('m0', 'disk lost')
  expect(await lost.shows('m1', { 'count:0': -2 }).violations()).toEqual([])
  const deleted = told()
  deleted.delete('m0', 'count:0')
  expect(await deleted.shows('m1', { 'count:0': 1000 }).violations()).toEqual([])
})
