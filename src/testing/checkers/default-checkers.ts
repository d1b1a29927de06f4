/** The checkers that judge every simulated run. */
import { acknowledgementChecker } from './acknowledgements.ts'
import type { CheckerFactory } from './checker.ts'
import { convergenceChecker } from './convergence.ts'
import { counterChecker } from './counters.ts'
import { logChecker } from './logs.ts'

export function defaultCheckers(): readonly CheckerFactory[] {
  return [convergenceChecker, acknowledgementChecker, counterChecker, logChecker]
}
