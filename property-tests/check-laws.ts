/** `checkStrategy` for our own strategies: 10,000 histories each, and one more replica. */
import type { AnyStrategy } from '../crdt/strategy.ts'
import type fc from 'fast-check'
import { checkStrategy, type CheckStrategyOptions } from '../testing/check-strategy.ts'
import type { VerbCall } from '../testing/laws/law-operation.ts'
import { runs } from './seed.ts'

export function checkLaws(
  strategy: AnyStrategy,
  operations: fc.Arbitrary<VerbCall>,
  options: Partial<CheckStrategyOptions> = {},
): void {
  checkStrategy(strategy, { operations, replicas: 4, ...options, runs: runs(options.runs).numRuns })
}
