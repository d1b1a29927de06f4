/** `checkStrategy` in a test of Node's own runner: of a counter, and of a strategy with a fault, which fails. */
import { test } from 'node:test'
import fc from 'fast-check'
import { counter } from '../../../crdt/index.ts'
import { checkStrategy, operationsOf } from '../../../testing/index.ts'
import { lastByArrival } from '../../fixtures/wrong-strategies/last-by-arrival.ts'

void test('a counter keeps the laws', () => {
  checkStrategy(counter(), { operations: operationsOf(counter(), { increment: [fc.nat(5)] }), runs: 100 })
})

void test('the last to arrive wins', () => {
  checkStrategy(lastByArrival.strategy, lastByArrival.options)
})
