/** `checkStrategy` in a script without any runner: prints a report, and dies of what the second strategy does. */
import fc from 'fast-check'
import { counter } from '../../../crdt/index.ts'
import { checkStrategy, operationsOf } from '../../../testing/index.ts'
import { lastByArrival } from '../../fixtures/wrong-strategies/last-by-arrival.ts'

const operations = operationsOf(counter(), { increment: [fc.nat(5)] })
console.log(`${checkStrategy(counter(), { operations, runs: 100, seed: 7 }).runs} histories`)
checkStrategy(lastByArrival.strategy, { ...lastByArrival.options, seed: 7 })
