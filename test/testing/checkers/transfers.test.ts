/** Told by hand: amounts that go from counter to counter, of which somebody sees a part. */
import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import { transferChecker } from '../../../testing/checkers/transfers.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'purse:*': counter() }
const TRANSFER = { kind: 'transfer', from: 'purse:0', to: ['purse:1', 'purse:2'], amount: 5 } as const
const SUM = { kind: 'sum', keys: ['purse:0', 'purse:1', 'purse:2'], how: 'keys' } as const

function told(): ToldRun {
  const run = new ToldRun(transferChecker, KEYS)
  run.end(run.begin('m0', TRANSFER), { outcome: 'ok' })
  return run
}

test.each([
  ['all of them', { 'purse:0': -10, 'purse:1': 5, 'purse:2': 5 }],
  ['none of them', {}],
])('whoever sees %s is right (W35)', async (_, shown) => {
  expect(await told().shows('m1', shown).violations()).toEqual([])
})

test('a replica that shows a part of a transfer is found (W35)', async () => {
  const found = await told().shows('m1', { 'purse:0': -10, 'purse:1': 5 }).violations()
  expect(found.map(({ invariant, machine }) => [invariant, machine])).toEqual([['W35', 'm1']])
})

test('a read of a part of a transfer is found, and so is what is in memory when the next one begins (W35)', async () => {
  const run = told()
  run.end(run.begin('m1', SUM), { outcome: 'ok', value: 0 })
  expect(await run.violations()).toEqual([])
  run.end(run.begin('m1', SUM), { outcome: 'ok', value: -5 })
  run.shows('m1', { 'purse:0': -10, 'purse:1': 5, 'purse:2': 0 })
  run.begin('m1', TRANSFER)
  expect((await run.violations()).map(({ message }) => message.split(' at ')[0])).toEqual([
    ...['a read by keys', 'a glance', 'the replica'],
  ])
})

test('of what was told to be lost nothing is asked for', async () => {
  const run = told().reports('m1', { kind: 'rejoin:lost', key: 'purse:2', reason: 'delete', names: [] })
  expect(await run.shows('m1', { 'purse:0': -10, 'purse:1': 5 }).violations()).toEqual([])
})
