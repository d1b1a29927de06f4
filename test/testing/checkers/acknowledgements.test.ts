/** Told by hand: writes that were acknowledged and are gone, are there twice, or failed and are there. */
import { describe, expect, test } from 'vitest'
import { list, set } from '../../../crdt/index.ts'
import type { Ack } from '../../../src/store/write-road/receipt.ts'
import { acknowledgementChecker } from '../../../testing/checkers/acknowledgements.ts'
import type { LifeEventKind } from '../../../testing/simulation/report/run-history.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = { 'kept:*': set<number>(), 'queue:*': list<number>() }

const told = (): ToldRun => new ToldRun(acknowledgementChecker, KEYS)
const adding = (element: number) => ({ kind: 'write', key: 'kept:0', verb: 'add', parameters: [element] }) as const

test('what was acknowledged is there, what may have been written is there or not: right (W21)', async () => {
  const run = told()
  run.write('m0', 'kept:0', 'add', 1)
  for (const element of [2, 3]) run.end(run.begin('m0', adding(element)), { outcome: 'indeterminate' })
  expect(await run.shows('m1', { 'kept:0': new Set([1, 3]) }).violations()).toEqual([])
})

test('an element that is there twice, that failed, or that nobody added is found (W22)', async () => {
  const run = told()
  run.write('m0', 'queue:0', 'push', 1)
  run.end(run.begin('m0', adding(2)), { outcome: 'failed' })
  run.write('m0', 'kept:0', 'add', 3)
  run.shows('m1', { 'queue:0': [1, 1], 'kept:0': new Set([2, 3, 4]) })
  const found = await run.violations()
  expect(found.map(({ invariant, key }) => [invariant, key])).toEqual([
    ['W22', 'queue:0'],
    ['W22', 'kept:0'],
    ['W22', 'kept:0'],
  ])
})

describe('an element that is gone', () => {
  const cases: readonly (readonly [Ack, LifeEventKind, boolean])[] = [
    ['memory', 'killed', false],
    ['logged', 'killed', true],
    ['logged', 'power failure', false],
    ['durable', 'power failure', true],
    ['durable', 'disk lost', false],
    ['durable', 'left', false],
  ]
  test.each(cases)('acknowledged as %s, after %s: owed %s (W21)', async (ack, kind, isOwed) => {
    const run = told()
    run.done(run.begin('m0', adding(1)), ack)
    run.befalls('m0', kind).shows('m1', { 'kept:0': new Set() })
    expect((await run.violations()).map(({ invariant }) => invariant)).toEqual(isOwed ? ['W21'] : [])
    expect(run.history.exempted.size).toBe(isOwed ? 0 : 1)
  })

  test('that somebody had removed is not judged', async () => {
    const run = told()
    run.write('m0', 'kept:0', 'add', 1)
    run.write('m1', 'kept:0', 'remove', 1)
    expect(await run.shows('m1', { 'kept:0': new Set() }).violations()).toEqual([])
  })
})
